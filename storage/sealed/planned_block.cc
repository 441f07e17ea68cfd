#include "storage/sealed/planned_block.h"

#include <utility>

#include "storage/kv/store.h"

namespace historian {

void PlanBlocks(TagId tag, ValueType type, uint64_t seal, std::vector<EncodedPagePtr> pages,
                std::vector<PlannedBlock>* blocks, PartitionLength length) {
  size_t bytes = 0;
  PlannedBlock* block = nullptr;
  for (EncodedPagePtr& page : pages) {
    const Timestamp first = page->summary.first.time;
    const int32_t partition =
        length == PartitionLength::kWeek ? format::PartitionOf(first) : format::LongPartitionOf(first);
    if (block == nullptr || block->pages.size() == format::kBlockPagesMax ||
        block->id.partition != partition || bytes + page->StoredBytes() > kv::kValueBytesMax) {
      block = &blocks->emplace_back();
      block->id = {partition, tag, first, seal};
      block->type = type;
      bytes = 0;
    }
    bytes += page->StoredBytes();
    block->pages.push_back(std::move(page));
  }
}

}  // namespace historian
