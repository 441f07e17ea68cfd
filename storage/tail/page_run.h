// File: storage/tail/page_run.h
//
// Encoded pages in memory, and runs of them: what tails are made of, and blocks are cut from. All carry the versions of
// their samples.
#ifndef HISTORIAN_STORAGE_TAIL_PAGE_RUN_H_
#define HISTORIAN_STORAGE_TAIL_PAGE_RUN_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/aggregate/summary.h"
#include "storage/format/block.h"
#include "storage/format/page.h"
#include "storage/format/version_column.h"
#include "storage/model/samples.h"
#include "storage/model/value.h"
#include "storage/versions/version_table.h"

namespace historian {

// Text that one page may hold, so that a block of long strings stays within what the store takes as one
// value.
inline constexpr size_t kPageTextBytes = size_t{1} << 20;

// An encoded page in memory; never crosses a partition.
struct EncodedPage {
  std::string bytes;
  format::PageVersions versions;
  Summary summary;

  // In a block's payload.
  size_t StoredBytes() const { return bytes.size() + versions.column.size(); }
  size_t MemoryBytes() const { return sizeof(EncodedPage) + bytes.capacity() + versions.column.capacity(); }
};
using EncodedPagePtr = std::shared_ptr<const EncodedPage>;

// How pages are encoded: open pages fast, what settling writes dense (versions then need open_at).
struct PageEncoding {
  format::Density density = format::Density::kFast;
  const VersionTable* versions = nullptr;  // Required by kDense.
};

// Encodes samples (strictly ascending, within one partition, at most a page).
EncodedPagePtr MakeEncodedPage(ValueType type, const SamplesView& samples, format::EncodeHint* hint,
                               const PageEncoding& encoding = {});
// Makes the versions of the samples, which are those of a page, what its bounds and its column say. DataLoss: the column is
// damaged.
absl::Status ReadVersions(uint32_t lowest, uint32_t highest, absl::string_view column,
                          const VersionTable& versions, Samples* samples);
// Appends the page's samples to *samples, versions included. DataLoss: the page is damaged.
absl::Status DecodeEncodedPage(ValueType type, const EncodedPage& page, const VersionTable& versions,
                               Samples* samples);

// Cuts the front of the samples (times strictly ascending) into pages, which it appends: full pages, and those
// that end with their partition; with `all` everything. A page of text holds no more of it than kPageTextBytes and
// a string.
void CutPages(ValueType type, bool all, const PageEncoding& encoding, format::EncodeHint* hint,
              Samples* samples, std::vector<EncodedPagePtr>* pages);

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
// The pages of a block's head and payload. DataLoss: the payload is damaged.
absl::StatusOr<std::vector<EncodedPagePtr>> PagesOf(const format::BlockHead& head, absl::string_view payload);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_TAIL_PAGE_RUN_H_
