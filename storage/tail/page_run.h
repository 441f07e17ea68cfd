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
struct EncodedPage {
  std::string bytes;
  Summary summary;

  size_t MemoryBytes() const { return sizeof(EncodedPage) + bytes.capacity(); }
};
using EncodedPagePtr = std::shared_ptr<const EncodedPage>;

// Encodes samples (strictly ascending, within one partition, at most a page).
EncodedPagePtr MakeEncodedPage(ValueType type, const SamplesView& samples, format::EncodeHint* hint,
                               format::Density density = format::Density::kFast);

// Cuts the front of the samples (times strictly ascending) into pages, which it appends: full pages, and those
// that end with their partition; with `all` everything. A page of text holds no more of it than kPageTextBytes and
// a string.
void CutPages(ValueType type, bool all, format::Density density, format::EncodeHint* hint, Samples* samples,
              std::vector<EncodedPagePtr>* pages);

// Samples in strictly ascending time: encoded pages, then raw ones.
struct PageRun {
  std::vector<EncodedPagePtr> pages;
  size_t page_bytes = 0;  // Memory of pages.
  Samples raw;
  format::EncodeHint hint;  // From the pages cut before.

  void AddPage(EncodedPagePtr page) {
    page_bytes += page->MemoryBytes();
    pages.push_back(std::move(page));
  }
  size_t MemoryBytes() const { return page_bytes + raw.MemoryBytes(); }

  bool empty() const { return pages.empty() && raw.empty(); }
  size_t samples() const;
  Timestamp last_time() const { return raw.empty() ? pages.back()->summary.last.time : raw.times.back(); }
  Timestamp first_time() const {
    return pages.empty() ? raw.times.front() : pages.front()->summary.first.time;
  }

  // See CutPages above: off the front of raw.
  void CutPages(ValueType type, bool all);
};

// Pages, in order of time and at most kBlockPagesMax, as the head and the payload of a block.
format::BlockHead HeadOf(ValueType type, const std::vector<EncodedPagePtr>& pages);
std::string PayloadOf(const std::vector<EncodedPagePtr>& pages);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_TAIL_PAGE_RUN_H_
