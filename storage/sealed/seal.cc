#include "storage/sealed/seal.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "proto/record/v1/records.pb.h"
#include "storage/format/block.h"
#include "storage/format/key.h"
#include "storage/format/page.h"
#include "storage/format/record_keys.h"
#include "storage/model/status_macros.h"
#include "storage/sealed/planned_block.h"
#include "storage/tail/tail_record.h"

namespace historian {
namespace {

// In the newest partition a block is cut when so many full pages are there: fewer make blocks whose heads and
// keys cost more than need be, more keep more in memory.
constexpr size_t kPagesWorthABlock = 8;
// So many late samples of a tag are worth blocks of their own.
constexpr size_t kLateWorthABlock = format::kPageSamples;

// Splits a frozen tail into blocks and what stays. Statements must become blocks in the order in which they
// were made, so late runs are sealed only when all that is in order is.
std::vector<TailRun> PlanTag(const FrozenTag& frozen, uint64_t first_seal, bool everything,
                             std::vector<PlannedBlock>* blocks) {
  const std::vector<TailRun>& runs = frozen.tail->runs;
  size_t late = 0;
  for (size_t i = 1; i < runs.size(); ++i) late += runs[i].samples();
  if (everything || late >= kLateWorthABlock) {
    for (size_t i = 0; i < runs.size(); ++i) {
      TailRun run = runs[i];
      run.CutPages(frozen.tail->type, true);
      PlanBlocks(frozen.tag, frozen.tail->type, first_seal + i, std::move(run.pages), blocks);
    }
    return {TailRun()};
  }
  std::vector<TailRun> left = runs;
  const std::vector<OpenPagePtr>& pages = runs[0].pages;
  const Timestamp newest = runs[0].empty() ? 0 : runs[0].last_time();
  size_t sealed = 0;
  while (sealed < pages.size() &&
         format::PartitionOf(pages[sealed]->summary.first.time) != format::PartitionOf(newest)) {
    ++sealed;
  }
  if (pages.size() - sealed >= kPagesWorthABlock) sealed = pages.size();
  if (sealed > 0) {
    PlanBlocks(frozen.tag, frozen.tail->type, first_seal, {pages.begin(), pages.begin() + sealed}, blocks);
    left[0] = TailRun();
    left[0].rest = runs[0].rest;
    for (size_t i = sealed; i < pages.size(); ++i) left[0].AddPage(pages[i]);
  }
  return left;
}

// The tail without what has expired altogether: the same runs, some of them perhaps empty.
std::shared_ptr<const FrozenTail> WithoutExpired(const FrozenTail& tail, const Expired& expired) {
  auto kept = std::make_shared<FrozenTail>();
  kept->type = tail.type;
  for (const TailRun& run : tail.runs) {
    TailRun& to = kept->runs.emplace_back();
    to.hint = run.hint;
    for (const OpenPagePtr& page : run.pages) {
      if (!expired.HasAll(format::PartitionOf(page->summary.first.time))) to.AddPage(page);
    }
    const SamplesView rest = run.rest.View();
    for (size_t i = 0; i < rest.size; ++i) {
      if (!expired.HasAll(format::PartitionOf(rest.times[i]))) to.rest.AddFrom(tail.type, rest, i);
    }
    kept->samples += to.samples();
    kept->memory_bytes += to.MemoryBytes();
  }
  return kept;
}

}  // namespace

std::pair<std::string, std::string> RecordOf(const Checkpoint& checkpoint) {
  record::v1::CheckpointRecord record;
  record.set_journal_position(checkpoint.journal_position);
  record.set_next_seal(checkpoint.next_seal);
  return {std::string(kCheckpointKey), record.SerializeAsString()};
}

absl::StatusOr<SealOutcome> WriteSeal(kv::Store& store, const Checkpoint& before,
                                      const PartitionTable& partitions, const ExpiredTable& expired,
                                      const std::vector<std::pair<std::string, uint64_t>>& producers,
                                      const std::vector<FrozenTag>& frozen, bool everything) {
  SealOutcome outcome;
  outcome.checkpoint = before;
  std::vector<PlannedBlock> blocks;
  size_t runs_max = 1;
  for (size_t i = 0; i < frozen.size(); ++i) {
    FrozenTag kept = frozen[i];
    if (const Expired* const of_tag = expired.Of(kept.tag); of_tag != nullptr) {
      kept.tail = WithoutExpired(*kept.tail, *of_tag);
    }
    outcome.left.push_back(PlanTag(kept, before.next_seal, everything, &blocks));
    runs_max = std::max(runs_max, frozen[i].tail->runs.size());
  }
  outcome.checkpoint.next_seal += runs_max;
  std::vector<size_t> order(blocks.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::vector<std::unique_ptr<kv::RunBuilder>> runs;

  // One run of pages for each partition, so that a partition can be dropped by dropping files.
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const format::BlockId &x = blocks[a].id, &y = blocks[b].id;
    return std::tie(x.partition, x.seal, x.tag, x.first_time) <
           std::tie(y.partition, y.seal, y.tag, y.first_time);
  });
  for (size_t k = 0; k < order.size(); ++k) {
    const PlannedBlock& block = blocks[order[k]];
    if (k == 0 || blocks[order[k - 1]].id.partition != block.id.partition) {
      ASSIGN_OR_RETURN(std::unique_ptr<kv::RunBuilder> run, store.NewRun(kv::Space::kPages));
      runs.push_back(std::move(run));
    }
    RETURN_IF_ERROR(runs.back()->Add(format::PagesKey(block.id), PayloadOf(block.pages)));
  }
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const format::BlockId &x = blocks[a].id, &y = blocks[b].id;
    return std::tie(x.partition, x.tag, x.first_time, x.seal) <
           std::tie(y.partition, y.tag, y.first_time, y.seal);
  });
  if (!blocks.empty()) {
    ASSIGN_OR_RETURN(std::unique_ptr<kv::RunBuilder> run, store.NewRun(kv::Space::kHeads));
    runs.push_back(std::move(run));
  }
  std::map<int32_t, PartitionState> changed_partitions;
  for (const size_t i : order) {
    const PlannedBlock& block = blocks[i];
    const format::BlockHead head = HeadOf(block.type, block.pages);
    std::string bytes;
    format::EncodeBlockHead(head, &bytes);
    RETURN_IF_ERROR(runs.back()->Add(format::HeadKey(block.id), bytes));
    outcome.result.samples += head.count();
    outcome.result.bytes += bytes.size() + head.payload_size();
    const auto [state, is_new] = changed_partitions.try_emplace(block.id.partition);
    if (is_new) state->second = partitions.Get(block.id.partition);
    state->second.last_seal = std::max(state->second.last_seal, block.id.seal);
    state->second.samples += head.count();
    state->second.unsettled_samples += head.count();
    // The first number of a seal is that of what is in order, the others are those of late runs.
    if (block.id.seal > before.next_seal) state->second.late_samples += head.count();
    state->second.blocks += 1;
    state->second.bytes += bytes.size() + head.payload_size();
    const std::pair<int32_t, TagId> key = {block.id.partition, block.id.tag};
    if (outcome.changed.empty() || outcome.changed.back() != key) outcome.changed.push_back(key);
  }
  outcome.result.blocks = blocks.size();
  outcome.partitions.assign(changed_partitions.begin(), changed_partitions.end());

  std::vector<std::pair<std::string, std::string>> records;
  records.push_back(RecordOf(outcome.checkpoint));
  for (const PartitionTable::Partition& partition : outcome.partitions) {
    records.push_back(PartitionTable::RecordOf(partition));
  }
  for (const auto& [name, sequence] : producers) {
    record::v1::ProducerRecord producer;
    producer.set_sequence(sequence);
    records.emplace_back(ProducerKey(name), producer.SerializeAsString());
  }
  for (size_t i = 0; i < frozen.size(); ++i) {
    records.emplace_back(TailKey(frozen[i].tag), TailRecordOf(frozen[i], outcome.left[i]));
  }
  std::sort(records.begin(), records.end());
  ASSIGN_OR_RETURN(std::unique_ptr<kv::RunBuilder> run, store.NewRun(kv::Space::kCheckpoint));
  for (const auto& [key, value] : records) RETURN_IF_ERROR(run->Add(key, value));
  runs.push_back(std::move(run));
  RETURN_IF_ERROR(store.Ingest(std::move(runs)));
  return outcome;
}

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

}  // namespace historian
