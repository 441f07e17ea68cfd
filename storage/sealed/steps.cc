#include "storage/sealed/steps.h"

#include <algorithm>
#include <map>
#include <memory>

#include "proto/record/v1/records.pb.h"
#include "storage/format/record_keys.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"
#include "storage/sealed/head_walk.h"

namespace historian {

absl::StatusOr<Checkpoint> ReadCheckpoint(kv::Store& store) {
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes, store.Get(kv::Space::kCheckpoint, kCheckpointKey));
  Checkpoint checkpoint;
  if (!bytes.has_value()) return checkpoint;
  record::v1::CheckpointRecord record;
  if (!record.ParseFromString(*bytes) || record.next_seal() == 0) {
    return absl::DataLossError("the checkpoint record is damaged");
  }
  checkpoint.journal_position = record.journal_position();
  checkpoint.next_seal = record.next_seal();
  return checkpoint;
}

absl::Status Steps::Load() {
  absl::MutexLock lock(&mu_);
  const absl::StatusOr<Checkpoint> checkpoint = ReadCheckpoint(store_);
  checkpoint_is_damaged_ = absl::IsDataLoss(checkpoint.status());
  if (checkpoint.ok()) {
    checkpoint_ = *checkpoint;
  } else if (!checkpoint_is_damaged_) {
    return checkpoint.status();
  }
  const absl::Status partitions = partitions_.Load(store_);
  if (!partitions.ok() && !absl::IsDataLoss(partitions)) return partitions;
  return checkpoint.ok() ? partitions : checkpoint.status();
}

std::optional<uint64_t> Steps::journal_position() const {
  absl::MutexLock lock(&mu_);
  if (checkpoint_is_damaged_) return std::nullopt;
  return checkpoint_.journal_position;
}

uint64_t Steps::TakeSeals(uint64_t count) {
  const uint64_t first = checkpoint_.next_seal;
  checkpoint_.next_seal += count;
  return first;
}

absl::StatusOr<std::vector<PartitionTable::Partition>> Steps::PartitionsAfter(Step* step) {
  std::map<int32_t, PartitionState> after;
  if (step->rewritten.has_value()) {
    const auto [partition, seal] = *step->rewritten;
    const PartitionState now = partitions_.Get(partition);
    PartitionState& state = after[partition];
    state.settled = state.last_seal = seal;
    state.garbage = true;
    if (now.last_seal > seal) {
      // What was sealed into it meanwhile stays, above what is settled.
      BlockWriter kept(store_, seal);
      HeadWalk walk(store_, partition, seal + 1, UINT64_MAX);
      StoredHead head;
      absl::string_view bytes;
      for (;;) {
        ASSIGN_OR_RETURN(const bool more, walk.Next(&head, &bytes));
        if (!more) break;
        RETURN_IF_ERROR(kept.KeepHead(head.id, bytes));
        state.samples += head.head.count();
        state.unsettled_samples += head.head.count();
        state.blocks += 1;
        state.bytes += head.head_bytes + head.head.payload_size();
      }
      state.last_seal = now.last_seal;
      // Behind the run that replaces all heads: runs of a space are taken in one after another.
      WrittenBlocks heads = kept.Finish();
      std::move(heads.runs.begin(), heads.runs.end(), std::back_inserter(step->blocks.runs));
    }
  }
  for (const auto& [partition, added] : step->blocks.added) {
    const auto [place, is_new] = after.try_emplace(partition);
    PartitionState& state = place->second;
    if (is_new) state = partitions_.Get(partition);
    state.last_seal = std::max(state.last_seal, added.last_seal);
    state.samples += added.samples;
    state.blocks += added.blocks;
    state.bytes += added.bytes;
    if (is_new) {
      state.unsettled_samples += added.samples;
      state.late_samples += added.late_samples;
      if (added.blocks > 0) ++state.seals;
    }
  }
  if (step->cleaned.has_value()) {
    const auto [partition, seal] = *step->cleaned;
    PartitionState& state = after[partition] = partitions_.Get(partition);
    HISTORIAN_CHECK(state.settled == seal);
    state.garbage = false;
  }
  return std::vector<PartitionTable::Partition>(after.begin(), after.end());
}

absl::StatusOr<std::vector<PartitionTable::Partition>> Steps::Commit(Step step) {
  ASSIGN_OR_RETURN(std::vector<PartitionTable::Partition> partitions, PartitionsAfter(&step));
  const uint64_t journal_position = step.journal_position.value_or(checkpoint_.journal_position);
  record::v1::CheckpointRecord checkpoint;
  checkpoint.set_journal_position(journal_position);
  checkpoint.set_next_seal(checkpoint_.next_seal);
  step.records.emplace_back(kCheckpointKey, checkpoint.SerializeAsString());
  for (const PartitionTable::Partition& partition : partitions) {
    step.records.push_back(PartitionTable::RecordOf(partition));
  }
  std::sort(step.records.begin(), step.records.end());
  ASSIGN_OR_RETURN(std::unique_ptr<kv::RunBuilder> records, store_.NewRun(kv::Space::kCheckpoint));
  for (const auto& [key, value] : step.records) RETURN_IF_ERROR(records->Add(key, value));
  step.blocks.runs.push_back(std::move(records));
  RETURN_IF_ERROR(store_.Ingest(std::move(step.blocks.runs)));
  checkpoint_.journal_position = journal_position;
  forget_(step);
  partitions_.Set(partitions);
  return partitions;
}

}  // namespace historian
