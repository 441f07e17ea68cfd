// File: storage/tail/page_run.h
//
// Encoded pages in memory, and runs of them: what tails are made of, and blocks are cut from.
#ifndef HISTORIAN_STORAGE_TAIL_PAGE_RUN_H_
#define HISTORIAN_STORAGE_TAIL_PAGE_RUN_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "storage/aggregate/summary.h"
#include "storage/format/block.h"
#include "storage/format/page.h"
#include "storage/model/samples.h"
#include "storage/model/value.h"

namespace historian {

// Text that one page may hold, so that a block of long strings stays within what the store takes as one
// value.
inline constexpr size_t kPageTextBytes = size_t{1} << 20;

// An encoded page in memory; never crosses a partition.
struct OpenPage {
  std::string bytes;
  Summary summary;

  size_t MemoryBytes() const { return sizeof(OpenPage) + bytes.capacity(); }
};
using OpenPagePtr = std::shared_ptr<const OpenPage>;

// Encodes samples (strictly ascending, within one partition, at most a page).
OpenPagePtr MakeOpenPage(ValueType type, const SamplesView& samples, format::EncodeHint* hint,
                         format::Density density = format::Density::kFast);

// Samples in strictly ascending time: encoded pages, then raw ones.
struct TailRun {
  std::vector<OpenPagePtr> pages;
  size_t page_bytes = 0;  // Memory of pages.
  Samples rest;
  format::EncodeHint hint;  // From the pages cut before.

  void AddPage(OpenPagePtr page) {
    page_bytes += page->MemoryBytes();
    pages.push_back(std::move(page));
  }
  size_t MemoryBytes() const { return page_bytes + rest.MemoryBytes(); }

  bool empty() const { return pages.empty() && rest.empty(); }
  size_t samples() const;
  Timestamp last_time() const { return rest.empty() ? pages.back()->summary.last.time : rest.times.back(); }
  Timestamp first_time() const {
    return pages.empty() ? rest.times.front() : pages.front()->summary.first.time;
  }

  // Cuts full pages, and those that end with their partition, off the front of rest; with `all` everything.
  void CutPages(ValueType type, bool all, format::Density density = format::Density::kFast);
};


// Pages, in order of time and at most kBlockPagesMax, as the head and the payload of a block.
format::BlockHead HeadOf(ValueType type, const std::vector<OpenPagePtr>& pages);
std::string PayloadOf(const std::vector<OpenPagePtr>& pages);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_TAIL_PAGE_RUN_H_
