#include "storage/upkeep/salvage.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "proto/record/v1/records.pb.h"
#include "storage/checksum/checksum.h"
#include "storage/format/archive_format.h"
#include "storage/format/block.h"
#include "storage/format/key.h"
#include "storage/format/record_keys.h"
#include "storage/format/rollup.h"
#include "storage/journal/journal.h"
#include "storage/model/status_macros.h"
#include "storage/sealed/steps.h"
#include "storage/sealed/superseded.h"
#include "storage/upkeep/stored_checks.h"
#include "storage/versions/version_mark.h"
#include "storage/write/frame_record.h"
#include "storage/write/producer_reset.h"

namespace historian {
namespace {

// Records written at once.
constexpr size_t kBatchRecords = 1000;
constexpr size_t kBatchBytes = size_t{4} << 20;
// Records given to the new journal before it is waited for.
constexpr uint64_t kJournalAtOnce = 256;

class Salvager {
 public:
  Salvager(kv::Store& from, kv::Store& to, const SalvageObserver& observer)
      : from_(from), to_(to), observer_(observer) {}

  absl::StatusOr<SalvageCounts> Run() {
    RETURN_IF_ERROR(Definitions());
    // Before the blocks, which may be of versions that only these know.
    RETURN_IF_ERROR(Records());
    RETURN_IF_ERROR(Blocks());
    RETURN_IF_ERROR(Rollups());
    RETURN_IF_ERROR(SupersededStatements());
    RETURN_IF_ERROR(JournalRecords());
    RETURN_IF_ERROR(Conclude());
    counts_.tags = types_.size();
    return counts_;
  }

 private:
  // What the blocks say of a tag whose tail may be lost.
  struct Ends {
    Timestamp oldest = kTimestampMax;
    Sample newest{.time = kTimestampMin - 1};
    bool of_week = false;
    uint64_t seal = 0;  // Of the block with the newest, and whether it is in a week.
    std::string text;
  };
  struct PartitionSum {
    uint64_t last_seal = 0, samples = 0, blocks = 0, bytes = 0, unsettled = 0;
  };

  absl::Status GoOn() const {
    return observer_.keep_going == nullptr ? absl::OkStatus() : observer_.keep_going();
  }
  void Progress() {
    if (observer_.on_progress != nullptr) observer_.on_progress(counts_);
  }
  void Lose(Damage damage, uint64_t samples = 0) {
    ++counts_.losses;
    counts_.samples_lost += samples;
    if (observer_.on_loss == nullptr) return;
    const auto name = names_.find(damage.tag);
    observer_.on_loss({std::move(damage), name == names_.end() ? "" : name->second, samples});
  }
  static Damage OfWeek(StoredPart part, int32_t partition, TagId tag, absl::string_view what) {
    return {part, tag, format::PartitionStart(partition), format::PartitionEnd(partition) - 1,
            std::string(what)};
  }
  // What a walk passed over. Errors but damage are handed on.
  absl::Status Passed(const kv::Cursor& cursor, StoredPart part, absl::string_view what) {
    const absl::Status status = cursor.status();
    if (!absl::IsDataLoss(status)) return status;
    Lose({.part = part, .what = absl::StrCat(what, ": ", status.message())});
    return absl::OkStatus();
  }

  // ---- Definitions

  absl::Status Put(absl::string_view key, absl::string_view value) {
    batch_.Put(key, value);
    batch_bytes_ += key.size() + value.size();
    ++counts_.records;
    return batch_.ops().size() >= kBatchRecords || batch_bytes_ >= kBatchBytes ? WriteBatch()
                                                                               : absl::OkStatus();
  }
  absl::Status WriteBatch() {
    batch_bytes_ = 0;
    return batch_.ops().empty() ? absl::OkStatus() : to_.Write(std::exchange(batch_, kv::Batch()));
  }

  absl::Status Definitions() {
    const std::unique_ptr<kv::Cursor> cursor = from_.NewCursor(kv::Space::kMeta);
    for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
      RETURN_IF_ERROR(GoOn());
      const absl::string_view key = cursor->key(), value = cursor->value();
      bool readable = IsReadableRecord(kv::Space::kMeta, key, value);
      if (readable && key.substr(0, kTagKeyPrefix.size()) == kTagKeyPrefix) {
        record::v1::TagRecord tag;
        tag.ParseFromArray(value.data(), static_cast<int>(value.size()));
        readable = tag.id() != 0 && IsKnownValueType(tag.type());
        if (readable) {
          types_[tag.id()] = static_cast<ValueType>(tag.type());
          names_[tag.id()] = tag.name();
        }
      }
      if (!readable) {
        const bool is_tag = key.substr(0, kTagKeyPrefix.size()) == kTagKeyPrefix && key.size() == 8;
        Lose({.part = StoredPart::kRecord,
              .tag = is_tag ? IdOfKey(key, kTagKeyPrefix) : 0,
              .what = "a definition is not readable"});
        continue;
      }
      if (key == kArchiveKey) {
        archive_.ParseFromArray(value.data(), static_cast<int>(value.size()));
        continue;
      }
      RETURN_IF_ERROR(Put(key, value));
    }
    RETURN_IF_ERROR(Passed(*cursor, StoredPart::kRecord, "definitions are lost"));
    return WriteBatch();
  }

  // The tag of samples whose definition is lost gets one; false when it is of another type than they are.
  absl::StatusOr<bool> HasTag(TagId id, ValueType type) {
    if (id == 0) return false;
    const auto found = types_.find(id);
    if (found != types_.end()) return found->second == type;
    record::v1::TagRecord tag;
    tag.set_id(id);
    tag.set_name(absl::StrCat("salvaged/tag ", id));
    tag.set_type(static_cast<uint32_t>(type));
    tag.set_interpolation(static_cast<uint32_t>(DefaultInterpolation(type)));
    tag.set_description("its definition was lost");
    types_[id] = type;
    names_[id] = tag.name();
    Lose({.part = StoredPart::kRecord, .tag = id, .what = "the definition of the tag is lost"});
    RETURN_IF_ERROR(Put(TagKey(id), tag.SerializeAsString()));
    return true;
  }

  // ---- Records of the last seals

  absl::Status Records() {
    const absl::StatusOr<Checkpoint> checkpoint = ReadCheckpoint(from_);
    if (checkpoint.ok()) {
      journal_position_ = checkpoint->journal_position;
      next_seal_ = checkpoint->next_seal;
    } else if (!absl::IsDataLoss(checkpoint.status())) {
      return checkpoint.status();
    }
    const std::unique_ptr<kv::Cursor> cursor = from_.NewCursor(kv::Space::kCheckpoint);
    for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
      RETURN_IF_ERROR(GoOn());
      const absl::string_view key = cursor->key(), value = cursor->value();
      if (key == kCheckpointKey) continue;
      const auto is = [&key](absl::string_view prefix) {
        return key.size() == prefix.size() + 4 && key.substr(0, prefix.size()) == prefix;
      };
      if (is(kTailKeyPrefix)) {
        RETURN_IF_ERROR(TailOf(IdOfKey(key, kTailKeyPrefix), value));
      } else if (!IsReadableRecord(kv::Space::kCheckpoint, key, value)) {
        partitions_are_known_ &= !is(kPartitionKeyPrefix);
        Lose({.part = StoredPart::kRecord, .what = "a record is not readable"});
      } else if (is(kPartitionKeyPrefix)) {
        record::v1::PartitionRecord partition;
        partition.ParseFromArray(value.data(), static_cast<int>(value.size()));
        settled_[PartitionOfKey(key)] = partition.settled();
      } else {
        checkpoint_.emplace(key, value);
      }
    }
    partitions_are_known_ &= cursor->status().ok();
    versions_are_known_ = cursor->status().ok();
    return Passed(*cursor, StoredPart::kRecord,
                  "records of the last seals are lost, open samples of some tags among them");
  }
  static int32_t PartitionOfKey(absl::string_view key) {
    return static_cast<int32_t>(IdOfKey(key, kPartitionKeyPrefix) ^ 0x8000'0000u);
  }

  absl::Status TailOf(TagId tag, absl::string_view bytes) {
    record::v1::TailRecord record;
    if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      Lose({.part = StoredPart::kTail, .tag = tag, .what = "the record of open samples is not readable"});
      return absl::OkStatus();
    }
    record::v1::TailRecord kept = record;
    kept.clear_runs();
    for (int i = 0; i < record.runs_size(); ++i) {
      const absl::StatusOr<format::BlockHead> head = format::DecodeBlockHead(record.runs(i).head());
      std::optional<Block> block;
      if (head.ok()) {
        ASSIGN_OR_RETURN(const bool has_tag, HasTag(tag, head->type));
        if (has_tag) block = WholePagesOf(StoredPart::kTail, tag, *head, record.runs(i).payload());
      } else {
        Lose({.part = StoredPart::kTail, .tag = tag, .what = std::string(head.status().message())});
      }
      if (block.has_value()) {
        record::v1::TailRecord::Run& run = *kept.add_runs();
        format::EncodeBlockHead(block->head, run.mutable_head());
        run.set_payload(block->payload);
      } else if (i == 0) {
        kept.set_has_in_order(false);
      }
    }
    if (types_.count(tag) == 0) {
      Lose({.part = StoredPart::kTail,
            .tag = tag,
            .what = "there is no definition of the tag, and no open sample"});
      return absl::OkStatus();
    }
    has_tail_.insert(tag);
    checkpoint_.emplace(TailKey(tag), kept.SerializeAsString());
    return absl::OkStatus();
  }

  // ---- Blocks

  struct Block {
    format::BlockHead head;
    std::string payload;
  };
  // The block without its damaged pages, which are reported; nothing when all are.
  std::optional<Block> WholePagesOf(StoredPart part, TagId tag, const format::BlockHead& head,
                                    absl::string_view payload) {
    Block block{.head = {.type = head.type}};
    std::string columns;
    bool versions_are_lost = false;
    for (size_t i = 0; i < head.pages.size(); ++i) {
      format::PageInfo page = head.pages[i];
      const absl::StatusOr<absl::string_view> bytes = format::PageBytes(head, payload, i);
      Summary computed;
      const absl::Status status =
          bytes.ok() ? CheckPage(head.type, page.summary, *bytes, &samples_, &computed) : bytes.status();
      if (!status.ok()) {
        Lose({part, tag, page.summary.first.time, page.summary.last.time, std::string(status.message())},
             page.summary.count);
        continue;
      }
      page.offset = static_cast<uint32_t>(block.payload.size());
      block.payload.append(bytes->data(), bytes->size());
      const absl::StatusOr<absl::string_view> column = format::VersionBytes(head, payload, i);
      if (column.ok()) {
        columns.append(column->data(), column->size());
      } else {
        // That the samples were stated is known, and when at the latest.
        versions_are_lost = true;
        page.lowest_version = page.highest_version;
        page.versions_size = 0;
      }
      highest_version_ = std::max<Version>(highest_version_, page.highest_version);
      block.head.pages.push_back(std::move(page));
    }
    if (block.head.pages.empty()) return std::nullopt;
    if (versions_are_lost) {
      Lose({part, tag, block.head.first_time(), block.head.last_time(),
            "the versions in which these samples were stated are lost, the samples are not"});
    }
    block.head.versions_checksum = columns.empty() ? 0 : Checksum(columns);
    block.payload += columns;
    return block;
  }

  void NoteEnds(const format::BlockId& id, const Block& block) {
    Ends& ends = ends_[id.tag];
    ends.oldest = std::min(ends.oldest, block.head.first_time());
    const Sample& last = block.head.pages.back().summary.last;
    // What a week has is later than what its long partition has.
    const bool of_week = !format::IsLongPartition(id.partition);
    if (std::tie(last.time, of_week, id.seal) < std::tie(ends.newest.time, ends.of_week, ends.seal)) return;
    ends.newest = last;
    ends.of_week = of_week;
    ends.seal = id.seal;
    if (block.head.type == ValueType::kString && !samples_.empty()) {
      // The last page that was checked, as it was good.
      const SamplesView view = samples_.View();
      ends.text = view.times[view.size - 1] == last.time ? std::string(view.StringAt(view.size - 1)) : "";
    }
  }

  // One partition, atomically. The walk stands at its first head, and is left behind its last.
  absl::Status BlocksOf(int32_t partition, kv::Cursor& cursor) {
    struct Stored {
      format::BlockId id;
      std::string head;  // As written.
    };
    std::map<std::string, Stored> by_pages_key;  // Of the old block.
    const std::string end = format::PartitionPrefix(partition + 1);
    for (; cursor.Valid() && cursor.key() < end; cursor.Next()) {
      RETURN_IF_ERROR(GoOn());
      const absl::StatusOr<format::BlockId> id = format::ParseHeadKey(cursor.key());
      if (!id.ok()) {
        Lose({.part = StoredPart::kBlock, .what = std::string(id.status().message())});
        continue;
      }
      by_pages_key[format::PagesKey(*id)] = {*id, std::string(cursor.value())};
    }
    ASSIGN_OR_RETURN(std::unique_ptr<kv::RunBuilder> pages, to_.NewRun(kv::Space::kPages));
    std::map<std::string, std::string> heads;
    PartitionSum& sum = sums_[partition];
    const auto settled = settled_.find(partition);
    // Keys of pages keep their order when a block's first time rises to that of its first whole page.
    std::string last_key;
    for (const auto& [pages_key, stored] : by_pages_key) {
      RETURN_IF_ERROR(GoOn());
      format::BlockId id = stored.id;
      const absl::StatusOr<format::BlockHead> head = format::DecodeBlockHead(stored.head);
      if (!head.ok()) {
        if (!absl::IsDataLoss(head.status())) return head.status();
        damaged_.insert({partition, id.tag});
        Lose({StoredPart::kBlock, id.tag, id.first_time, format::PartitionEnd(partition) - 1,
              std::string(head.status().message())});
        continue;
      }
      ASSIGN_OR_RETURN(const bool has_tag, HasTag(id.tag, head->type));
      absl::StatusOr<std::optional<std::string>> payload = from_.Get(kv::Space::kPages, pages_key);
      if (!payload.ok() && !absl::IsDataLoss(payload.status())) return payload.status();
      std::optional<Block> block;
      if (!has_tag || !payload.ok() || !payload->has_value() || head->first_time() != id.first_time) {
        Lose({StoredPart::kBlock, id.tag, head->first_time(), head->last_time(),
              !payload.ok() ? std::string(payload.status().message())
              : !payload->has_value()
                  ? "the block's pages are missing"
                  : "it is of another type than its tag, or of another time than its key says"},
             head->count());
      } else {
        counts_.bytes += stored.head.size() + (*payload)->size();
        block = WholePagesOf(StoredPart::kPage, id.tag, *head, **payload);
      }
      if (!block.has_value()) {
        damaged_.insert({partition, id.tag});
        continue;
      }
      std::string head_bytes = stored.head;
      if (block->head.pages.size() != head->pages.size() || block->payload != **payload) {
        damaged_.insert({partition, id.tag});
        id.first_time = block->head.first_time();
        head_bytes.clear();
        format::EncodeBlockHead(block->head, &head_bytes);
      }
      NoteEnds(id, *block);
      next_seal_ = std::max(next_seal_, id.seal + 1);
      sum.last_seal = std::max(sum.last_seal, id.seal);
      sum.samples += block->head.count();
      if (settled == settled_.end() || id.seal > settled->second) sum.unsettled += block->head.count();
      ++sum.blocks;
      sum.bytes += head_bytes.size() + block->payload.size();
      ++counts_.blocks;
      counts_.samples += block->head.count();
      RETURN_IF_ERROR(pages->Add(format::PagesKey(id), block->payload));
      heads[format::HeadKey(id)] = std::move(head_bytes);
    }
    std::vector<std::unique_ptr<kv::RunBuilder>> runs;
    runs.push_back(std::move(pages));
    ASSIGN_OR_RETURN(std::unique_ptr<kv::RunBuilder> head_run, to_.NewRun(kv::Space::kHeads));
    for (const auto& [key, value] : heads) RETURN_IF_ERROR(head_run->Add(key, value));
    runs.push_back(std::move(head_run));
    RETURN_IF_ERROR(to_.Ingest(std::move(runs)));
    Progress();
    return absl::OkStatus();
  }

  absl::Status Blocks() {
    const std::unique_ptr<kv::Cursor> cursor = from_.NewCursor(kv::Space::kHeads);
    cursor->SeekToFirst();
    while (cursor->Valid()) {
      const absl::StatusOr<format::BlockId> id = format::ParseHeadKey(cursor->key());
      if (id.ok()) {
        RETURN_IF_ERROR(BlocksOf(id->partition, *cursor));
      } else {
        Lose({.part = StoredPart::kBlock, .what = std::string(id.status().message())});
        cursor->Next();
      }
    }
    partitions_are_known_ &= cursor->status().ok();  // Else a rollup may say more than what is left.
    return Passed(*cursor, StoredPart::kBlock, "heads of blocks are lost, and the blocks with them");
  }

  // ---- What stands beside blocks

  // Copies what `is_good` finds so, as runs of one space.
  template <typename IsGood>
  absl::Status Copy(kv::Space space, StoredPart part, absl::string_view what, IsGood is_good) {
    ASSIGN_OR_RETURN(std::unique_ptr<kv::RunBuilder> run, to_.NewRun(space));
    const std::unique_ptr<kv::Cursor> cursor = from_.NewCursor(space);
    for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
      RETURN_IF_ERROR(GoOn());
      ASSIGN_OR_RETURN(const bool good, is_good(cursor->key(), cursor->value()));
      if (!good) continue;
      counts_.bytes += cursor->value().size();
      RETURN_IF_ERROR(run->Add(cursor->key(), cursor->value()));
    }
    RETURN_IF_ERROR(Passed(*cursor, part, what));
    std::vector<std::unique_ptr<kv::RunBuilder>> runs;
    runs.push_back(std::move(run));
    RETURN_IF_ERROR(to_.Ingest(std::move(runs)));
    Progress();
    return absl::OkStatus();
  }

  absl::Status Rollups() {
    // A rollup stands for all of a week's samples, also for those that are lost: then it would contradict what is left.
    return Copy(kv::Space::kRollups, StoredPart::kRollup,
                "rollups are lost; what they say is computed from samples",
                [this](absl::string_view key, absl::string_view value) -> absl::StatusOr<bool> {
                  const absl::StatusOr<format::RollupId> id = format::ParseRollupKey(key);
                  if (!id.ok()) return false;
                  const absl::StatusOr<format::Rollup> rollup = format::DecodeRollup(value);
                  if (!rollup.ok()) {
                    Lose(OfWeek(StoredPart::kRollup, id->partition, id->tag, rollup.status().message()));
                    return false;
                  }
                  const auto type = types_.find(id->tag);
                  return type != types_.end() && type->second == rollup->type &&
                         damaged_.count({id->partition, id->tag}) == 0;
                });
  }

  absl::Status SupersededStatements() {
    return Copy(
        kv::Space::kSuperseded, StoredPart::kSuperseded, "superseded statements are lost",
        [this](absl::string_view key, absl::string_view value) -> absl::StatusOr<bool> {
          const absl::StatusOr<format::BlockId> id = format::ParseHeadKey(key);
          const absl::StatusOr<SupersededBlock> block = ReadSupersededRecord(value);
          absl::Status status = id.ok() ? block.status() : id.status();
          if (status.ok()) {
            const std::vector<EncodedPagePtr>& pages = block->block.pages;
            for (size_t i = 0; i < pages.size() && status.ok(); ++i) {
              Summary computed;
              status = CheckPage(block->block.type, pages[i]->summary, pages[i]->bytes, &samples_, &computed);
            }
          }
          if (status.ok()) return types_.count(id->tag) > 0;
          Lose(id.ok() ? OfWeek(StoredPart::kSuperseded, id->partition, id->tag, status.message())
                       : Damage{.part = StoredPart::kSuperseded, .what = std::string(status.message())});
          return false;
        });
  }

  // ---- The journal

  absl::Status JournalRecords() {
    JournalReplay nothing, report;
    ASSIGN_OR_RETURN(const std::unique_ptr<Journal> journal,
                     Journal::Open(
                         to_, 0, [](uint64_t, absl::string_view) { return absl::OkStatus(); }, &nothing));
    absl::Status written;  // On the journal's thread until it has been waited for.
    uint64_t queued = 0;
    const auto wait = [&] {
      absl::Notification done;
      journal->AtBoundary([&done](uint64_t) { done.Notify(); });
      done.WaitForNotification();
      return written;
    };
    const auto copy = [&](uint64_t position, absl::string_view record) -> absl::Status {
      RETURN_IF_ERROR(GoOn());
      if (!IsVersionMark(record) && !IsProducerReset(record)) {
        const absl::StatusOr<FrameRecord> frame = DecodeFrameRecord(record);
        if (!frame.ok()) {
          Lose({.part = StoredPart::kJournal,
                .what = absl::StrCat("at ", position, ": ", frame.status().message())});
          return absl::OkStatus();
        }
        for (const FrameColumn& column : frame->frame.columns) {
          RETURN_IF_ERROR(HasTag(column.tag, column.type).status());
        }
        for (const FrameSnapshot& snapshot : frame->frame.snapshots) {
          for (const TagId tag : snapshot.tags) RETURN_IF_ERROR(HasTag(tag, snapshot.type).status());
        }
      }
      ++counts_.records;
      counts_.bytes += record.size();
      journal->Append(std::string(record), journal->epoch(),
                      [&written](absl::StatusOr<uint64_t> at) { written.Update(at.status()); });
      return ++queued % kJournalAtOnce == 0 ? wait() : absl::OkStatus();
    };
    {
      const absl::StatusOr<std::unique_ptr<Journal>> old =
          Journal::Open(from_, journal_position_, copy, &report);
      const absl::Status last = wait();
      if (absl::IsDataLoss(old.status())) {
        Lose({.part = StoredPart::kJournal, .what = std::string(old.status().message())});
      } else {
        RETURN_IF_ERROR(old.status());
      }
      RETURN_IF_ERROR(last);
    }
    for (const JournalReplay::Damage& damage : report.damage) {
      Lose({.part = StoredPart::kJournal,
            .what =
                absl::StrCat(damage.to - damage.from, " bytes at ", damage.from, " are damaged or missing")});
    }
    return absl::OkStatus();
  }

  // ---- The end

  absl::Status Conclude() {
    // Without a tail nothing would be found of the tag's blocks.
    for (const auto& [tag, ends] : ends_) {
      if (has_tail_.count(tag) > 0) continue;
      record::v1::TailRecord tail;
      tail.set_frontier(ends.newest.time);
      tail.set_has_latest(true);
      tail.set_latest_time(ends.newest.time);
      if (types_[tag] == ValueType::kString) {
        tail.set_latest_text(ends.text);
      } else {
        tail.set_latest_value(ends.newest.value);
      }
      tail.set_latest_quality(ends.newest.quality);
      tail.set_oldest_time(ends.oldest);
      checkpoint_.emplace(TailKey(tag), tail.SerializeAsString());
      Lose({.part = StoredPart::kTail,
            .tag = tag,
            .what = "samples that were open at the last seal are lost, if there were any"});
    }
    for (const auto& [partition, sum] : sums_) {
      record::v1::PartitionRecord record;
      const auto settled = settled_.find(partition);
      if (partitions_are_known_ && settled != settled_.end()) record.set_settled(settled->second);
      record.set_last_seal(std::max(sum.last_seal, record.settled()));
      record.set_samples(sum.samples);
      record.set_blocks(sum.blocks);
      record.set_bytes(sum.bytes);
      record.set_unsettled_samples(record.settled() == 0 ? sum.samples : sum.unsettled);
      next_seal_ = std::max(next_seal_, record.last_seal() + 1);
      checkpoint_.emplace(KeyWithId(kPartitionKeyPrefix, static_cast<uint32_t>(partition) ^ 0x8000'0000u),
                          record.SerializeAsString());
    }
    for (const auto& [partition, settled] : settled_) next_seal_ = std::max(next_seal_, settled + 1);
    // The open version must be above those of all samples, also when the record of the last one is lost.
    Timestamp closed_at = 0;
    Version closed = 0;
    for (const auto& [key, value] : checkpoint_) {
      if (key.substr(0, kVersionKeyPrefix.size()) != kVersionKeyPrefix) continue;
      const absl::StatusOr<ClosedVersion> record = ReadVersionRecord(value);
      if (!record.ok()) continue;
      closed = record->version;
      closed_at = record->time;
    }
    if (!versions_are_known_ && highest_version_ > closed) {
      checkpoint_.insert(VersionRecordOf({.version = highest_version_,
                                          .time = closed_at,
                                          .clock = closed_at,
                                          .cause = VersionCause::kSeal}));
    }
    record::v1::CheckpointRecord checkpoint;
    checkpoint.set_next_seal(std::max<uint64_t>(next_seal_, 1));
    checkpoint_.emplace(kCheckpointKey, checkpoint.SerializeAsString());
    ASSIGN_OR_RETURN(std::unique_ptr<kv::RunBuilder> run, to_.NewRun(kv::Space::kCheckpoint));
    for (const auto& [key, value] : checkpoint_) {
      counts_.bytes += value.size();
      RETURN_IF_ERROR(run->Add(key, value));
    }
    counts_.records += checkpoint_.size();
    std::vector<std::unique_ptr<kv::RunBuilder>> runs;
    runs.push_back(std::move(run));
    RETURN_IF_ERROR(to_.Ingest(std::move(runs)));
    // Last of all: without it this is no archive.
    if (archive_.version() == 0 || !versions_are_known_) {
      // What was seen as of a version that has closed is not sure any more.
      if (archive_.version() == 0) archive_.set_version(kArchiveFormat);
      archive_.clear_versions_from();
    }
    RETURN_IF_ERROR(Put(kArchiveKey, archive_.SerializeAsString()));
    return WriteBatch();
  }

  kv::Store& from_;
  kv::Store& to_;
  const SalvageObserver& observer_;
  SalvageCounts counts_;
  Samples samples_;  // Of the page at hand.

  kv::Batch batch_;
  size_t batch_bytes_ = 0;
  record::v1::ArchiveRecord archive_;
  absl::flat_hash_map<TagId, ValueType> types_;
  absl::flat_hash_map<TagId, std::string> names_;
  std::map<std::string, std::string> checkpoint_;  // Records for kCheckpoint.
  absl::flat_hash_set<TagId> has_tail_;
  std::optional<uint64_t> journal_position_;
  uint64_t next_seal_ = 1;
  Version highest_version_ = 0;  // Of samples.
  std::map<int32_t, uint64_t> settled_;
  std::map<int32_t, PartitionSum> sums_;
  absl::flat_hash_map<TagId, Ends> ends_;
  std::set<std::pair<int32_t, TagId>> damaged_;  // Something of their blocks is lost.
  bool partitions_are_known_ = true;
  bool versions_are_known_ = true;
};

}  // namespace

absl::StatusOr<SalvageCounts> Salvage(kv::Store& from, kv::Store& to, const SalvageObserver& observer) {
  return Salvager(from, to, observer).Run();
}

}  // namespace historian
