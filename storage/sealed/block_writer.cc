#include "storage/sealed/block_writer.h"

#include <algorithm>
#include <tuple>

#include "storage/format/block.h"
#include "storage/format/key.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"

namespace historian {
namespace {

// Payloads are written in files of this size, so that none must be held or dropped as a whole.
constexpr uint64_t kPagesRunBytes = uint64_t{64} << 20;

}  // namespace

Added& Added::operator+=(const Added& more) {
  last_seal = std::max(last_seal, more.last_seal);
  samples += more.samples;
  late_samples += more.late_samples;
  blocks += more.blocks;
  bytes += more.bytes;
  return *this;
}

absl::StatusOr<kv::RunBuilder*> BlockWriter::RunOf(kv::Space space) {
  std::unique_ptr<kv::RunBuilder>& run = runs_[space];
  if (run == nullptr) {
    ASSIGN_OR_RETURN(run, store_.NewRun(space));
  }
  return run.get();
}

absl::Status BlockWriter::Replace(int32_t partition) {
  return ReplaceIn(partition, {kv::Space::kHeads, kv::Space::kRollups});
}

absl::Status BlockWriter::Drop(int32_t partition) {
  return ReplaceIn(partition, {kv::Space::kHeads, kv::Space::kRollups, kv::Space::kSuperseded});
}

absl::Status BlockWriter::ReplaceIn(int32_t partition, std::initializer_list<kv::Space> spaces) {
  HISTORIAN_CHECK(runs_.empty());
  replaces_ = true;
  const std::string begin = format::PartitionPrefix(partition), end = format::PartitionPrefix(partition + 1);
  for (const kv::Space space : spaces) {
    const std::unique_ptr<kv::Cursor> cursor = store_.NewCursor(space);
    cursor->Seek(begin);
    RETURN_IF_ERROR(cursor->status());
    if (!cursor->Valid() || cursor->key() >= end) continue;  // A run is a file and a sync.
    ASSIGN_OR_RETURN(kv::RunBuilder* const run, RunOf(space));
    RETURN_IF_ERROR(run->Replace(begin, end));
  }
  return absl::OkStatus();
}

absl::Status BlockWriter::AddPayload(const PlannedBlock& block, kv::RunBuilder* run) {
  return run->Add(format::PagesKey(block.id), PayloadOf(block.pages));
}

absl::Status BlockWriter::AddHead(const PlannedBlock& block, kv::RunBuilder* run) {
  const format::BlockHead head = HeadOf(block.type, block.pages);
  std::string bytes;
  format::EncodeBlockHead(head, &bytes);
  RETURN_IF_ERROR(run->Add(format::HeadKey(block.id), bytes));
  Added& added = written_.added[block.id.partition];
  added.last_seal = std::max(added.last_seal, block.id.seal);
  added.samples += head.count();
  if (block.id.seal > in_order_seal_) added.late_samples += head.count();
  added.blocks += 1;
  added.bytes += bytes.size() + head.payload_size();
  if (replaces_) return absl::OkStatus();
  const std::pair<int32_t, TagId> changed = {block.id.partition, block.id.tag};
  if (written_.changed.empty() || written_.changed.back() != changed) written_.changed.push_back(changed);
  return absl::OkStatus();
}

absl::Status BlockWriter::AddAll(std::vector<PlannedBlock> blocks) {
  std::vector<const PlannedBlock*> order;
  order.reserve(blocks.size());
  for (const PlannedBlock& block : blocks) order.push_back(&block);
  std::sort(order.begin(), order.end(), [](const PlannedBlock* a, const PlannedBlock* b) {
    return std::tie(a->id.partition, a->id.seal, a->id.tag, a->id.first_time) <
           std::tie(b->id.partition, b->id.seal, b->id.tag, b->id.first_time);
  });
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && order[i - 1]->id.partition != order[i]->id.partition) {
      written_.runs.push_back(std::move(runs_[kv::Space::kPages]));
    }
    ASSIGN_OR_RETURN(kv::RunBuilder* const run, RunOf(kv::Space::kPages));
    RETURN_IF_ERROR(AddPayload(*order[i], run));
  }
  std::sort(order.begin(), order.end(), [](const PlannedBlock* a, const PlannedBlock* b) {
    return std::tie(a->id.partition, a->id.tag, a->id.first_time, a->id.seal) <
           std::tie(b->id.partition, b->id.tag, b->id.first_time, b->id.seal);
  });
  for (const PlannedBlock* const block : order) {
    ASSIGN_OR_RETURN(kv::RunBuilder* const run, RunOf(kv::Space::kHeads));
    RETURN_IF_ERROR(AddHead(*block, run));
  }
  return absl::OkStatus();
}

absl::Status BlockWriter::Add(const PlannedBlock& block) {
  if (std::unique_ptr<kv::RunBuilder>& run = runs_[kv::Space::kPages];
      run != nullptr && run->size_bytes() >= kPagesRunBytes) {
    written_.runs.push_back(std::move(run));
  }
  ASSIGN_OR_RETURN(kv::RunBuilder* const pages, RunOf(kv::Space::kPages));
  RETURN_IF_ERROR(AddPayload(block, pages));
  ASSIGN_OR_RETURN(kv::RunBuilder* const heads, RunOf(kv::Space::kHeads));
  return AddHead(block, heads);
}

absl::Status BlockWriter::AddRollup(const format::RollupId& id, absl::string_view bytes) {
  written_.added[id.partition].bytes += bytes.size();
  ASSIGN_OR_RETURN(kv::RunBuilder* const run, RunOf(kv::Space::kRollups));
  return run->Add(format::RollupKey(id), bytes);
}

absl::Status BlockWriter::AddSuperseded(const SupersededBlock& block) {
  ASSIGN_OR_RETURN(kv::RunBuilder* const run, RunOf(kv::Space::kSuperseded));
  return run->Add(format::HeadKey(block.block.id), SupersededRecordOf(block));
}

absl::Status BlockWriter::KeepHead(const format::BlockId& id, absl::string_view bytes) {
  ASSIGN_OR_RETURN(kv::RunBuilder* const run, RunOf(kv::Space::kHeads));
  return run->Add(format::HeadKey(id), bytes);
}

WrittenBlocks BlockWriter::Finish() {
  for (auto& [space, run] : runs_) {
    if (run != nullptr) written_.runs.push_back(std::move(run));
  }
  return std::move(written_);
}

}  // namespace historian
