#include "storage/sealed/seal.h"

#include <algorithm>

#include "storage/format/block.h"
#include "storage/format/key.h"
#include "storage/format/page.h"
#include "storage/format/record_keys.h"
#include "storage/model/status_macros.h"
#include "storage/sealed/planned_block.h"
#include "storage/tail/tail_record.h"

namespace historian {
namespace {

// In the newest partition a block is cut when this many full pages are there: fewer make blocks whose heads and
// keys cost more than need be, more keep more in memory.
constexpr size_t kPagesWorthABlock = 8;
// This many late samples of a tag are worth blocks of their own.
constexpr size_t kLateWorthABlock = format::kPageSamples;

// Splits a frozen tail into blocks and what stays. Statements must become blocks in the order in which they
// were made, so late runs are sealed only when all that is in order is.
std::vector<PageRun> PlanTag(const FrozenTag& frozen, uint64_t first_seal, bool everything,
                             std::vector<PlannedBlock>* blocks) {
  const std::vector<PageRun>& runs = frozen.tail->runs;
  size_t late = 0;
  for (size_t i = 1; i < runs.size(); ++i) late += runs[i].samples();
  if (everything || late >= kLateWorthABlock) {
    for (size_t i = 0; i < runs.size(); ++i) {
      PageRun run = runs[i];
      run.CutPages(frozen.tail->type, true);
      PlanBlocks(frozen.tag, frozen.tail->type, first_seal + i, std::move(run.pages), blocks);
    }
    return {PageRun()};
  }
  std::vector<PageRun> left = runs;
  const std::vector<EncodedPagePtr>& pages = runs[0].pages;
  const Timestamp newest = runs[0].empty() ? 0 : runs[0].last_time();
  size_t sealed = 0;
  while (sealed < pages.size() &&
         format::PartitionOf(pages[sealed]->summary.first.time) != format::PartitionOf(newest)) {
    ++sealed;
  }
  if (pages.size() - sealed >= kPagesWorthABlock) sealed = pages.size();
  if (sealed > 0) {
    PlanBlocks(frozen.tag, frozen.tail->type, first_seal, {pages.begin(), pages.begin() + sealed}, blocks);
    left[0] = PageRun();
    left[0].raw = runs[0].raw;
    for (size_t i = sealed; i < pages.size(); ++i) left[0].AddPage(pages[i]);
  }
  return left;
}

// The tail without what has expired altogether: the same runs, some of them perhaps empty.
std::shared_ptr<const FrozenTail> WithoutExpired(const FrozenTail& tail, const Expired& expired) {
  auto kept = std::make_shared<FrozenTail>();
  kept->type = tail.type;
  for (const PageRun& run : tail.runs) {
    PageRun& to = kept->runs.emplace_back();
    to.hint = run.hint;
    for (const EncodedPagePtr& page : run.pages) {
      if (!expired.HasAll(format::PartitionOf(page->summary.first.time))) to.AddPage(page);
    }
    const SamplesView rest = run.raw.View();
    for (size_t i = 0; i < rest.size; ++i) {
      if (!expired.HasAll(format::PartitionOf(rest.times[i]))) to.raw.AddFrom(tail.type, rest, i);
    }
    kept->samples += to.samples();
    kept->memory_bytes += to.MemoryBytes();
  }
  return kept;
}

}  // namespace

absl::StatusOr<SealOutcome> Seal(kv::Store& store, Steps& steps, const SealInput& input) {
  // Statements become blocks in the order in which they were made: the first number is that of what is in
  // order, the others are those of late runs.
  size_t runs_max = 1;
  for (const FrozenTag& frozen : input.frozen) runs_max = std::max(runs_max, frozen.tail->runs.size());
  const uint64_t first_seal = steps.TakeSeals(runs_max);

  SealOutcome outcome;
  std::vector<PlannedBlock> blocks;
  for (const FrozenTag& frozen : input.frozen) {
    FrozenTag kept = frozen;
    if (const Expired* const of_tag = input.expired->Of(kept.tag); of_tag != nullptr) {
      kept.tail = WithoutExpired(*kept.tail, *of_tag);
    }
    outcome.left.push_back(PlanTag(kept, first_seal, input.everything, &blocks));
  }
  BlockWriter writer(store, first_seal);
  RETURN_IF_ERROR(writer.AddAll(std::move(blocks)));
  Step step{.blocks = writer.Finish(), .journal_position = input.journal_position};
  for (const auto& [partition, added] : step.blocks.added) {
    outcome.result.samples += added.samples;
    outcome.result.blocks += added.blocks;
    outcome.result.bytes += added.bytes;
  }
  step.records = input.versions;
  for (const auto& [name, record] : input.producers) step.records.emplace_back(ProducerKey(name), record);
  for (size_t i = 0; i < input.frozen.size(); ++i) {
    step.records.emplace_back(TailKey(input.frozen[i].tag), TailRecordOf(input.frozen[i], outcome.left[i]));
  }
  ASSIGN_OR_RETURN(outcome.partitions, steps.Commit(std::move(step)));
  return outcome;
}

}  // namespace historian
