// File: storage/sealed/superseded.h
//
// Statements that are no longer in blocks, because a later one about the same time replaced them and their partition was
// settled. Each was visible from its own version until that of its successor, and a read as of one of those versions
// sees it still:
//
//   versions        5        6        7        8        9
//   said of 03:00   20.4              21.0     21.0              5: visible until 7; 7: in the block; 8: a repeat
//
// A *repeat* says what the statement before it said. No read sees it; that it was made is kept, as its time and version.
#ifndef HISTORIAN_STORAGE_SEALED_SUPERSEDED_H_
#define HISTORIAN_STORAGE_SEALED_SUPERSEDED_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/kv/store.h"
#include "storage/model/samples.h"
#include "storage/sealed/planned_block.h"
#include "storage/versions/version_table.h"

namespace historian {

// Times ascend strictly.
struct SupersededSamples {
  Samples samples;
  std::vector<uint32_t> until;  // As long as samples.

  void Add(ValueType type, const SamplesView& from, size_t i, uint32_t until_version) {
    samples.AddFrom(type, from, i);
    until.push_back(until_version);
  }
};

// A record's block.
struct SupersededBlock {
  PlannedBlock block;           // Of int64s, for repeats.
  std::vector<uint32_t> until;  // Of each of its samples; empty for repeats.
  bool repeats = false;
};

// Appends blocks of what was stated under the seal.
void PlanSuperseded(TagId tag, ValueType type, uint64_t seal, const SupersededSamples& statements,
                    const PageEncoding& encoding, std::vector<SupersededBlock>* blocks);
// `repeats` have their versions as values.
void PlanRepeats(TagId tag, uint64_t seal, Samples repeats, const PageEncoding& encoding,
                 std::vector<SupersededBlock>* blocks);

// The value of the block's record in kSuperseded, under its HeadKey.
std::string SupersededRecordOf(const SupersededBlock& block);
// Without the id, which the key has. Records from before versions were kept have `until` all 0. DataLoss: it is damaged.
absl::StatusOr<SupersededBlock> ReadSupersededRecord(absl::string_view value);

// Those of the tag's superseded statements in the partition that the version saw, times strictly ascending. DataLoss names
// the tag and the week.
absl::StatusOr<Samples> SupersededAsOf(kv::Store& store, const VersionTable& versions, int32_t partition,
                                       TagId tag, ValueType type, Version as_of);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_SEALED_SUPERSEDED_H_
