#include "storage/tail/page_run.h"

#include <algorithm>
#include <utility>

#include "storage/checksum/checksum.h"
#include "storage/format/key.h"

namespace historian {
namespace {

// End (exclusive index) of the samples of rest from `begin` that one page may hold: a page's worth, one
// partition.
size_t PageEnd(ValueType type, const Samples& rest, size_t begin) {
  size_t end = std::min(begin + format::kPageSamples, rest.size());
  if (type == ValueType::kString) {
    size_t text = 0;
    for (size_t i = begin; i < end; ++i) {
      text += rest.strings[rest.values[i]].size();
      if (text > kPageTextBytes) end = i + 1;
    }
  }
  const int32_t partition = format::PartitionOf(rest.times[begin]);
  if (format::PartitionOf(rest.times[end - 1]) == partition) return end;
  const Timestamp next = format::PartitionStart(partition + 1);
  return std::lower_bound(rest.times.begin() + begin, rest.times.begin() + end, next) - rest.times.begin();
}

}  // namespace

OpenPagePtr MakeOpenPage(ValueType type, const SamplesView& samples, format::EncodeHint* hint,
                         format::Density density) {
  auto page = std::make_shared<OpenPage>();
  format::EncodePage(type, samples, &page->bytes, hint, density);
  page->bytes.shrink_to_fit();
  page->summary = Summarize(type, samples);
  return page;
}

size_t TailRun::samples() const {
  size_t samples = rest.size();
  for (const OpenPagePtr& page : pages) samples += page->summary.count;
  return samples;
}

void TailRun::CutPages(ValueType type, bool all, format::Density density) {
  size_t begin = 0;
  while (begin < rest.size()) {
    const size_t end = PageEnd(type, rest, begin);
    const bool full = end - begin >= format::kPageSamples || end < rest.size();
    if (!full && !all) break;
    AddPage(MakeOpenPage(type, rest.View().Slice(begin, end - begin), &hint, density));
    begin = end;
  }
  if (begin == 0) return;
  Samples left;
  if (begin < rest.size()) left.Append(type, rest.View(), begin, rest.size() - begin);
  rest = std::move(left);
}


format::BlockHead HeadOf(ValueType type, const std::vector<OpenPagePtr>& pages) {
  format::BlockHead head;
  head.type = type;
  uint32_t offset = 0;
  for (const OpenPagePtr& page : pages) {
    const uint32_t size = static_cast<uint32_t>(page->bytes.size());
    head.pages.push_back({offset, size, Checksum(page->bytes), page->summary});
    offset += size;
  }
  return head;
}

std::string PayloadOf(const std::vector<OpenPagePtr>& pages) {
  std::string payload;
  for (const OpenPagePtr& page : pages) payload.append(page->bytes);
  return payload;
}

}  // namespace historian
