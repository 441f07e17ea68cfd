#include "storage/tail/page_run.h"

#include <algorithm>
#include <utility>

#include "storage/checksum/checksum.h"
#include "storage/format/key.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"

namespace historian {
namespace {

// End (exclusive index) of the samples from `begin` that one page may hold: a page's worth, one partition.
size_t PageEnd(ValueType type, const Samples& raw, size_t begin) {
  size_t end = std::min(begin + format::kPageSamples, raw.size());
  if (type == ValueType::kString) {
    size_t text = 0;
    for (size_t i = begin; i < end; ++i) {
      text += raw.strings[raw.values[i]].size();
      if (text > kPageTextBytes) end = i + 1;
    }
  }
  const int32_t partition = format::PartitionOf(raw.times[begin]);
  if (format::PartitionOf(raw.times[end - 1]) == partition) return end;
  const Timestamp next = format::PartitionStart(partition + 1);
  return std::lower_bound(raw.times.begin() + begin, raw.times.begin() + end, next) - raw.times.begin();
}

// As they stand behind the pages of a block.
std::string VersionColumnsOf(const std::vector<EncodedPagePtr>& pages) {
  std::string columns;
  for (const EncodedPagePtr& page : pages) columns.append(page->versions.column);
  return columns;
}

}  // namespace

EncodedPagePtr MakeEncodedPage(ValueType type, const SamplesView& samples, format::EncodeHint* hint,
                               const PageEncoding& encoding) {
  auto page = std::make_shared<EncodedPage>();
  format::EncodePage(type, samples, &page->bytes, hint, encoding.density);
  page->bytes.shrink_to_fit();
  page->versions = format::EncodeVersions(samples, encoding.density,
                                          [&](const Timestamp* times, size_t size, uint32_t* open) {
                                            HISTORIAN_CHECK(encoding.versions != nullptr);
                                            encoding.versions->OpenAt(times, size, open);
                                          });
  page->summary = Summarize(type, samples);
  return page;
}

absl::Status ReadVersions(uint32_t lowest, uint32_t highest, absl::string_view column,
                          const VersionTable& versions, Samples* samples) {
  samples->version = lowest;
  samples->versions.clear();
  if (lowest == highest && column.empty()) return absl::OkStatus();
  return format::DecodeVersions(
      lowest, highest, column, samples->times.data(), samples->size(),
      [&](const Timestamp* times, size_t size, uint32_t* open) { versions.OpenAt(times, size, open); },
      &samples->versions);
}

absl::Status DecodeEncodedPage(ValueType type, const EncodedPage& page, const VersionTable& versions,
                               Samples* samples) {
  Samples decoded;
  RETURN_IF_ERROR(format::DecodePage(type, page.bytes, &decoded));
  const format::PageVersions& of_page = page.versions;
  RETURN_IF_ERROR(ReadVersions(of_page.lowest, of_page.highest, of_page.column, versions, &decoded));
  if (samples->empty()) {
    *samples = std::move(decoded);
  } else {
    samples->Append(type, decoded.View());
  }
  return absl::OkStatus();
}

size_t PageRun::samples() const {
  size_t samples = raw.size();
  for (const EncodedPagePtr& page : pages) samples += page->summary.count;
  return samples;
}

void CutPages(ValueType type, bool all, const PageEncoding& encoding, format::EncodeHint* hint,
              Samples* samples, std::vector<EncodedPagePtr>* pages) {
  size_t begin = 0;
  while (begin < samples->size()) {
    const size_t end = PageEnd(type, *samples, begin);
    const bool full = end - begin >= format::kPageSamples || end < samples->size();
    if (!full && !all) break;
    pages->push_back(MakeEncodedPage(type, samples->View().Slice(begin, end - begin), hint, encoding));
    begin = end;
  }
  if (begin == 0) return;
  Samples left;
  if (begin < samples->size()) left.Append(type, samples->View(), begin, samples->size() - begin);
  *samples = std::move(left);
}

void PageRun::CutPages(ValueType type, bool all) {
  const size_t before = pages.size();
  historian::CutPages(type, all, {}, &hint, &raw, &pages);
  for (size_t i = before; i < pages.size(); ++i) page_bytes += pages[i]->MemoryBytes();
}

format::BlockHead HeadOf(ValueType type, const std::vector<EncodedPagePtr>& pages) {
  format::BlockHead head;
  head.type = type;
  uint32_t offset = 0;
  for (const EncodedPagePtr& page : pages) {
    const uint32_t size = static_cast<uint32_t>(page->bytes.size());
    head.pages.push_back({.offset = offset,
                          .size = size,
                          .checksum = Checksum(page->bytes),
                          .summary = page->summary,
                          .lowest_version = page->versions.lowest,
                          .highest_version = page->versions.highest,
                          .versions_size = static_cast<uint32_t>(page->versions.column.size())});
    offset += size;
  }
  if (const std::string columns = VersionColumnsOf(pages); !columns.empty())
    head.versions_checksum = Checksum(columns);
  return head;
}

std::string PayloadOf(const std::vector<EncodedPagePtr>& pages) {
  std::string payload;
  for (const EncodedPagePtr& page : pages) payload.append(page->bytes);
  payload.append(VersionColumnsOf(pages));
  return payload;
}

absl::StatusOr<std::vector<EncodedPagePtr>> PagesOf(const format::BlockHead& head,
                                                    absl::string_view payload) {
  std::vector<EncodedPagePtr> pages;
  for (size_t i = 0; i < head.pages.size(); ++i) {
    const format::PageInfo& info = head.pages[i];
    ASSIGN_OR_RETURN(const absl::string_view bytes, format::PageBytes(head, payload, i));
    ASSIGN_OR_RETURN(const absl::string_view column, format::VersionBytes(head, payload, i));
    auto page = std::make_shared<EncodedPage>();
    page->bytes = std::string(bytes);
    page->versions = {info.lowest_version, info.highest_version, std::string(column)};
    page->summary = info.summary;
    pages.push_back(std::move(page));
  }
  return pages;
}

}  // namespace historian
