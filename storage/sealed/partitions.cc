#include "storage/sealed/partitions.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "proto/record/v1/records.pb.h"
#include "storage/format/block.h"
#include "storage/format/key.h"
#include "storage/format/record_keys.h"
#include "storage/model/status_macros.h"
#include "storage/platform/heap_bytes.h"

namespace historian {
namespace {

// Sign bits are flipped, as in block keys.
std::string PartitionKey(int32_t partition) {
  return absl::StrCat(kPartitionKeyPrefix, format::PartitionPrefix(partition));
}
int32_t PartitionOfKey(absl::string_view key) {
  return static_cast<int32_t>(IdOfKey(key, kPartitionKeyPrefix) ^ 0x8000'0000u);
}

absl::StatusOr<PartitionState> ReadRecord(int32_t partition, absl::string_view bytes) {
  record::v1::PartitionRecord record;
  if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError(absl::StrCat("the record of the partition from ",
                                            FormatTimestamp(format::PartitionStart(partition)),
                                            " is damaged"));
  }
  PartitionState state;
  state.settled = record.settled();
  state.garbage = record.garbage();
  state.last_seal = record.last_seal();
  state.samples = record.samples();
  state.blocks = record.blocks();
  state.bytes = record.bytes();
  state.unsettled_samples = record.unsettled_samples();
  state.late_samples = record.late_samples();
  state.seals = record.seals();
  return state;
}

}  // namespace

std::pair<std::string, std::string> PartitionTable::RecordOf(const Partition& partition) {
  const PartitionState& state = partition.second;
  record::v1::PartitionRecord record;
  record.set_settled(state.settled);
  record.set_garbage(state.garbage);
  record.set_last_seal(state.last_seal);
  record.set_samples(state.samples);
  record.set_blocks(state.blocks);
  record.set_bytes(state.bytes);
  record.set_unsettled_samples(state.unsettled_samples);
  record.set_late_samples(state.late_samples);
  record.set_seals(state.seals);
  return {PartitionKey(partition.first), record.SerializeAsString()};
}

absl::Status PartitionTable::Load(kv::Store& store) {
  absl::MutexLock lock(&mu_);
  states_.clear();
  absl::Status damage;
  const std::unique_ptr<kv::Cursor> records = store.NewCursor(kv::Space::kCheckpoint);
  for (records->Seek(kPartitionKeyPrefix); records->Valid(); records->Next()) {
    if (records->key().substr(0, 1) != kPartitionKeyPrefix || records->key().size() != 5) break;
    const int32_t partition = PartitionOfKey(records->key());
    const absl::StatusOr<PartitionState> state = ReadRecord(partition, records->value());
    damage.Update(state.status());
    if (state.ok()) states_[partition] = *state;
  }
  damage.Update(records->status());
  if (!damage.ok() && !absl::IsDataLoss(damage)) return damage;
  if (!states_.empty() && damage.ok()) return absl::OkStatus();
  states_.clear();

  const std::unique_ptr<kv::Cursor> heads = store.NewCursor(kv::Space::kHeads);
  for (heads->SeekToFirst(); heads->Valid(); heads->Next()) {
    const absl::StatusOr<format::BlockId> id = format::ParseHeadKey(heads->key());
    const absl::StatusOr<format::BlockHead> head = format::DecodeBlockHead(heads->value());
    if (!id.ok() || !head.ok()) continue;  // Readers will say so.
    PartitionState& state = states_[id->partition];
    state.last_seal = std::max(state.last_seal, id->seal);
    state.samples += head->count();
    state.unsettled_samples += head->count();
    state.blocks += 1;
    state.bytes += heads->value().size() + head->payload_size();
  }
  damage.Update(heads->status());
  return damage;
}

PartitionState PartitionTable::Get(int32_t partition) const {
  absl::MutexLock lock(&mu_);
  const auto found = states_.find(partition);
  return found == states_.end() ? PartitionState() : found->second;
}

std::vector<PartitionTable::Partition> PartitionTable::All() const {
  absl::MutexLock lock(&mu_);
  return {states_.begin(), states_.end()};
}

void PartitionTable::Set(const std::vector<Partition>& partitions) {
  absl::MutexLock lock(&mu_);
  for (const auto& [partition, state] : partitions) states_[partition] = state;
}

size_t PartitionTable::MemoryBytes() const {
  absl::MutexLock lock(&mu_);
  return states_.size() * MapEntryBytes<decltype(states_)>();
}

PartitionState PartitionTable::Totals() const {
  PartitionState totals;
  absl::MutexLock lock(&mu_);
  for (const auto& [partition, state] : states_) {
    totals.samples += state.samples;
    totals.blocks += state.blocks;
    totals.bytes += state.bytes;
    totals.unsettled_samples += state.unsettled_samples;
    totals.late_samples += state.late_samples;
  }
  return totals;
}

}  // namespace historian
