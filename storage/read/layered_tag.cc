#include "storage/read/layered_tag.h"

#include <string>
#include <utility>
#include <vector>

#include "storage/format/block.h"
#include "storage/format/key.h"
#include "storage/model/check.h"
#include "storage/sealed/planned_block.h"
#include "storage/tail/page_run.h"

namespace historian {

Samples LayeredTag::State(Timestamp start, Timestamp step, int count) {
  ++layer_;
  Samples samples;
  for (int i = 0; i < count; ++i) {
    const Timestamp t = start + i * step;
    const ValueBits value = BitsOfInt64(static_cast<int64_t>(layer_ * 1'000'000) + i);
    samples.Add(t, value);
    visible_[t] = value;
  }
  return samples;
}

void LayeredTag::AddBlocks(Timestamp start, Timestamp step, int count, int page_samples) {
  HISTORIAN_CHECK(tail_ == nullptr);
  const Samples samples = State(start, step, count);
  std::vector<EncodedPagePtr> pages;
  for (size_t begin = 0; begin < samples.size();) {
    const int32_t partition = format::PartitionOf(samples.times[begin]);
    size_t end = begin + 1;
    while (end < samples.size() && end < begin + page_samples &&
           format::PartitionOf(samples.times[end]) == partition) {
      ++end;
    }
    pages.push_back(MakeEncodedPage(kType, samples.View().Slice(begin, end - begin), nullptr));
    begin = end;
  }
  std::vector<PlannedBlock> blocks;
  PlanBlocks(tag_, kType, layer_, std::move(pages), &blocks);
  for (const PlannedBlock& block : blocks) {
    const format::BlockHead head = HeadOf(kType, block.pages);
    std::string bytes;
    format::EncodeBlockHead(head, &bytes);
    std::vector<std::unique_ptr<kv::RunBuilder>> runs;
    runs.push_back(*store_->NewRun(kv::Space::kPages));
    HISTORIAN_CHECK(runs.back()->Add(format::PagesKey(block.id), PayloadOf(block.pages)).ok());
    runs.push_back(*store_->NewRun(kv::Space::kHeads));
    HISTORIAN_CHECK(runs.back()->Add(format::HeadKey(block.id), bytes).ok());
    HISTORIAN_CHECK(store_->Ingest(std::move(runs)).ok());
    heads_[block.id.partition].heads.push_back({block.id, head, bytes.size()});
  }
}

void LayeredTag::AddToTail(Timestamp start, Timestamp step, int count) {
  if (tail_ == nullptr) tail_ = std::make_shared<TailView>();
  PageRun run;
  run.raw = State(start, step, count);
  run.CutPages(kType, /*all=*/false);
  tail_->runs.push_back(std::move(run));
}

std::shared_ptr<const StoredHeads> LayeredTag::heads(int32_t partition) const {
  const auto at = heads_.find(partition);
  return std::make_shared<const StoredHeads>(at == heads_.end() ? StoredHeads() : at->second);
}

}  // namespace historian
