// File: storage/sealed/planned_block.h
//
// Pages put together as a block, ready to be stored.
#ifndef HISTORIAN_STORAGE_SEALED_PLANNED_BLOCK_H_
#define HISTORIAN_STORAGE_SEALED_PLANNED_BLOCK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "storage/format/key.h"
#include "storage/model/tag.h"
#include "storage/tail/page_run.h"

namespace historian {

struct PlannedBlock {
  format::BlockId id;
  ValueType type = ValueType::kFloat64;
  std::vector<EncodedPagePtr> pages;
};

enum class PartitionLength { kWeek, kLong };

// Cuts pages, in order of time, into blocks of one partition and at most kBlockPagesMax pages and a payload
// that the store takes; appends them. No page reaches out of its partition of that length.
void PlanBlocks(TagId tag, ValueType type, uint64_t seal, std::vector<EncodedPagePtr> pages,
                std::vector<PlannedBlock>* blocks, PartitionLength length = PartitionLength::kWeek);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_SEALED_PLANNED_BLOCK_H_
