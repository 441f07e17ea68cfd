#include "storage/sealed/superseded.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/record/v1/records.pb.h"
#include "storage/format/block.h"
#include "storage/format/key.h"
#include "storage/model/status_macros.h"

namespace historian {

void PlanSuperseded(TagId tag, ValueType type, uint64_t seal, const SupersededSamples& statements,
                    const PageEncoding& encoding, std::vector<SupersededBlock>* blocks) {
  Samples samples = statements.samples;
  std::vector<EncodedPagePtr> pages;
  format::EncodeHint hint;
  CutPages(type, /*all=*/true, encoding, &hint, &samples, &pages);
  std::vector<PlannedBlock> planned;
  PlanBlocks(tag, type, seal, std::move(pages), &planned);
  auto until = statements.until.begin();
  for (PlannedBlock& block : planned) {
    size_t count = 0;
    for (const EncodedPagePtr& page : block.pages) count += page->summary.count;
    blocks->push_back({std::move(block), {until, until + static_cast<ptrdiff_t>(count)}});
    until += static_cast<ptrdiff_t>(count);
  }
}

void PlanRepeats(TagId tag, uint64_t seal, Samples repeats, const PageEncoding& encoding,
                 std::vector<SupersededBlock>* blocks) {
  std::vector<EncodedPagePtr> pages;
  format::EncodeHint hint;
  CutPages(ValueType::kInt64, /*all=*/true, encoding, &hint, &repeats, &pages);
  std::vector<PlannedBlock> planned;
  PlanBlocks(tag, ValueType::kInt64, seal, std::move(pages), &planned);
  for (PlannedBlock& block : planned) blocks->push_back({.block = std::move(block), .repeats = true});
}

std::string SupersededRecordOf(const SupersededBlock& block) {
  record::v1::SupersededRecord record;
  format::EncodeBlockHead(HeadOf(block.block.type, block.block.pages), record.mutable_head());
  record.set_payload(PayloadOf(block.block.pages));
  record.set_repeats(block.repeats);
  for (size_t begin = 0; begin < block.until.size();) {
    size_t end = begin;
    while (end < block.until.size() && block.until[end] == block.until[begin]) ++end;
    record.add_until_samples(static_cast<uint32_t>(end - begin));
    record.add_until_version(block.until[begin]);
    begin = end;
  }
  return record.SerializeAsString();
}

absl::StatusOr<SupersededBlock> ReadSupersededRecord(absl::string_view value) {
  record::v1::SupersededRecord record;
  if (!record.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
    return absl::DataLossError("the record of superseded statements is not readable");
  }
  ASSIGN_OR_RETURN(const format::BlockHead head, format::DecodeBlockHead(record.head()));
  SupersededBlock block;
  block.block.type = head.type;
  ASSIGN_OR_RETURN(block.block.pages, PagesOf(head, record.payload()));
  block.repeats = record.repeats();
  const auto damaged = [] {
    return absl::DataLossError("the record of superseded statements contradicts its block");
  };
  if (block.repeats) {
    if (head.type != ValueType::kInt64 || record.until_samples_size() > 0) return damaged();
    return block;
  }
  if (record.until_samples_size() != record.until_version_size()) return damaged();
  for (int i = 0; i < record.until_samples_size(); ++i) {
    if (record.until_samples(i) > head.count() - block.until.size()) return damaged();
    block.until.resize(block.until.size() + record.until_samples(i), record.until_version(i));
  }
  if (record.until_samples_size() == 0) block.until.resize(head.count(), 0);
  if (block.until.size() != head.count()) return damaged();
  return block;
}

absl::StatusOr<Samples> SupersededAsOf(kv::Store& store, const VersionTable& versions, int32_t partition,
                                       TagId tag, ValueType type, Version as_of) {
  Samples seen;  // Not in order: one seal's behind the other's. No time is twice there.
  const std::string prefix = format::HeadPrefix(partition, tag);
  const std::unique_ptr<kv::Cursor> cursor =
      store.NewCursor(kv::Space::kSuperseded, format::BehindPrefix(prefix));
  const auto add = [&](absl::string_view value) -> absl::Status {
    ASSIGN_OR_RETURN(const SupersededBlock block, ReadSupersededRecord(value));
    if (block.repeats) return absl::OkStatus();
    if (block.block.type != type)
      return absl::DataLossError("superseded statements are of another type than their tag");
    size_t of_page = 0;
    for (const EncodedPagePtr& page : block.block.pages) {
      const auto until = block.until.begin() + static_cast<ptrdiff_t>(of_page);
      of_page += page->summary.count;
      if (page->versions.lowest > as_of) continue;
      if (std::all_of(until, until + static_cast<ptrdiff_t>(page->summary.count),
                      [as_of](uint32_t version) { return version <= as_of; })) {
        continue;
      }
      Samples samples;
      RETURN_IF_ERROR(DecodeEncodedPage(type, *page, versions, &samples));
      for (size_t i = 0; i < samples.size(); ++i) {
        if (samples.View().VersionAt(i) <= as_of && until[static_cast<ptrdiff_t>(i)] > as_of)
          seen.AddFrom(type, samples.View(), i);
      }
    }
    return absl::OkStatus();
  };
  for (cursor->Seek(prefix); cursor->Valid(); cursor->Next()) {
    RETURN_IF_ERROR(Annotate(add(cursor->value()),
                             absl::StrCat("superseded statements of tag ", tag, " in the week from ",
                                          FormatTimestamp(format::PartitionStart(partition)))));
  }
  RETURN_IF_ERROR(cursor->status());
  SortAndKeepLast(type, &seen);
  return seen;
}

}  // namespace historian
