#include "storage/tail/page_run.h"

#include <algorithm>
#include <utility>

#include "storage/checksum/checksum.h"
#include "storage/format/key.h"

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

}  // namespace

EncodedPagePtr MakeEncodedPage(ValueType type, const SamplesView& samples, format::EncodeHint* hint,
                               format::Density density) {
  auto page = std::make_shared<EncodedPage>();
  format::EncodePage(type, samples, &page->bytes, hint, density);
  page->bytes.shrink_to_fit();
  page->summary = Summarize(type, samples);
  return page;
}

size_t PageRun::samples() const {
  size_t samples = raw.size();
  for (const EncodedPagePtr& page : pages) samples += page->summary.count;
  return samples;
}

void CutPages(ValueType type, bool all, format::Density density, format::EncodeHint* hint, Samples* samples,
              std::vector<EncodedPagePtr>* pages) {
  size_t begin = 0;
  while (begin < samples->size()) {
    const size_t end = PageEnd(type, *samples, begin);
    const bool full = end - begin >= format::kPageSamples || end < samples->size();
    if (!full && !all) break;
    pages->push_back(MakeEncodedPage(type, samples->View().Slice(begin, end - begin), hint, density));
    begin = end;
  }
  if (begin == 0) return;
  Samples left;
  if (begin < samples->size()) left.Append(type, samples->View(), begin, samples->size() - begin);
  *samples = std::move(left);
}

void PageRun::CutPages(ValueType type, bool all) {
  const size_t before = pages.size();
  historian::CutPages(type, all, format::Density::kFast, &hint, &raw, &pages);
  for (size_t i = before; i < pages.size(); ++i) page_bytes += pages[i]->MemoryBytes();
}

format::BlockHead HeadOf(ValueType type, const std::vector<EncodedPagePtr>& pages) {
  format::BlockHead head;
  head.type = type;
  uint32_t offset = 0;
  for (const EncodedPagePtr& page : pages) {
    const uint32_t size = static_cast<uint32_t>(page->bytes.size());
    head.pages.push_back({offset, size, Checksum(page->bytes), page->summary});
    offset += size;
  }
  return head;
}

std::string PayloadOf(const std::vector<EncodedPagePtr>& pages) {
  std::string payload;
  for (const EncodedPagePtr& page : pages) payload.append(page->bytes);
  return payload;
}

}  // namespace historian
