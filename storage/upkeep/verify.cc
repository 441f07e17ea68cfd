#include "storage/upkeep/verify.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "proto/record/v1/records.pb.h"
#include "storage/format/block.h"
#include "storage/format/key.h"
#include "storage/format/page.h"
#include "storage/format/record_keys.h"
#include "storage/format/rollup.h"
#include "storage/journal/journal.h"
#include "storage/kv/store.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"
#include "storage/sealed/partitions.h"
#include "storage/sealed/steps.h"
#include "storage/sealed/superseded.h"
#include "storage/tags/tag_registry.h"
#include "storage/tail/page_run.h"
#include "storage/upkeep/stored_checks.h"
#include "storage/versions/kept_definitions.h"
#include "storage/versions/version_mark.h"
#include "storage/write/frame_record.h"
#include "storage/write/producer_reset.h"

namespace historian {
namespace {

constexpr absl::Duration kProgressPeriod = absl::Seconds(1);
// How long the pace makes it sleep before it looks whether to go on.
constexpr absl::Duration kNapMax = absl::Milliseconds(50);
// How often a tag's week is read anew because it changed meanwhile. Settling takes seconds at least.
constexpr int kRereadsMax = 3;

absl::Status Damaged(absl::string_view what) { return absl::DataLossError(what); }

class Verifier {
 public:
  Verifier(const VerifySources& sources, const VerifyOptions& options, const VerifyObserver& observer)
      : store_(sources.store),
        tags_(sources.tags),
        versions_(sources.versions),
        partitions_(sources.partitions),
        journal_(sources.journal),
        options_(options),
        observer_(observer),
        wanted_(options.tags),
        begin_(MonotonicTime::Now()),
        next_progress_(begin_ + kProgressPeriod) {
    std::sort(wanted_.begin(), wanted_.end());
  }

  absl::StatusOr<VerifyCounts> Run() {
    if (wanted_.empty()) {
      RETURN_IF_ERROR(VerifyJournal());
      RETURN_IF_ERROR(VerifyRecords(kv::Space::kMeta));
      RETURN_IF_ERROR(VerifyRecords(kv::Space::kCheckpoint));
    }
    RETURN_IF_ERROR(VerifyBlocks());
    RETURN_IF_ERROR(VerifyLoneRollups());
    RETURN_IF_ERROR(VerifySuperseded());
    return counts_;
  }

 private:
  // ---- Pace and findings

  // Counts bytes that were read, and waits when that is more than the pace allows.
  absl::Status Took(uint64_t bytes) {
    counts_.bytes += bytes;
    for (;;) {
      if (observer_.keep_going != nullptr) RETURN_IF_ERROR(observer_.keep_going());
      const MonotonicTime now = MonotonicTime::Now();
      if (now >= next_progress_) {
        next_progress_ = now + kProgressPeriod;
        if (observer_.on_progress != nullptr) observer_.on_progress(counts_);
      }
      if (options_.bytes_per_second == 0) return absl::OkStatus();
      const MonotonicTime due = begin_ + absl::Seconds(static_cast<double>(counts_.bytes) /
                                                       static_cast<double>(options_.bytes_per_second));
      if (now >= due) return absl::OkStatus();
      absl::SleepFor(std::min(due - now, kNapMax));
    }
  }

  void Report(Damage damage) {
    ++counts_.damages;
    if (observer_.on_damage != nullptr) observer_.on_damage(damage);
  }
  void ReportAll(std::vector<Damage> damages) {
    for (Damage& damage : damages) Report(std::move(damage));
  }

  bool IsWanted(TagId tag) const {
    return wanted_.empty() || std::binary_search(wanted_.begin(), wanted_.end(), tag);
  }
  std::optional<ValueType> TypeOf(TagId id) const {
    const std::shared_ptr<const Tag> tag = tags_.Find(id);
    return tag == nullptr ? std::nullopt : std::optional<ValueType>(tag->type);
  }

  // ---- Journal and records

  absl::Status VerifyJournal() {
    absl::StatusOr<Checkpoint> checkpoint = ReadCheckpoint(store_);
    if (!checkpoint.ok()) {
      Report({.part = StoredPart::kRecord, .what = std::string(checkpoint.status().message())});
      return absl::OkStatus();
    }
    const auto record = [this](uint64_t position, absl::string_view bytes) -> absl::Status {
      ++counts_.records;
      RETURN_IF_ERROR(Took(bytes.size()));
      const absl::Status status = IsVersionMark(bytes)     ? DecodeVersionMark(bytes).status()
                                  : IsProducerReset(bytes) ? DecodeProducerReset(bytes).status()
                                                           : DecodeFrameRecord(bytes).status();
      if (!status.ok()) {
        Report({.part = StoredPart::kJournal, .what = absl::StrCat("at ", position, ": ", status.message())});
      }
      return absl::OkStatus();
    };
    JournalReplay report;
    RETURN_IF_ERROR(journal_.Check(checkpoint->journal_position, record, &report));
    for (const JournalReplay::Damage& damage : report.damage) {
      Report({.part = StoredPart::kJournal,
              .what = absl::StrCat(damage.to - damage.from, " bytes at ", damage.from, " are damaged")});
    }
    return absl::OkStatus();
  }

  absl::Status VerifyRecords(kv::Space space) {
    const std::unique_ptr<kv::Cursor> cursor = store_.NewCursor(space);
    for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
      ++counts_.records;
      const absl::string_view key = cursor->key();
      RETURN_IF_ERROR(Took(key.size() + cursor->value().size()));
      if (space == kv::Space::kCheckpoint && key.substr(0, 1) == kTailKeyPrefix && key.size() == 5) {
        VerifyTail(IdOfKey(key, kTailKeyPrefix), cursor->value());
      } else if (!IsReadableRecord(space, key, cursor->value())) {
        Report({.part = StoredPart::kRecord, .what = absl::StrCat("record ", Name(key), " is not readable")});
      }
    }
    if (!cursor->status().ok()) {
      Report({.part = StoredPart::kRecord,
              .what = absl::StrCat("records cannot be read: ", cursor->status().message())});
    }
    return absl::OkStatus();
  }

  // A record's key for people: its text, then the number that keys end with.
  static std::string Name(absl::string_view key) {
    if (IsKeptKey(key)) {
      return absl::StrCat(Name(DefinitionOfKeptKey(key)), " from before change ", ChangeOfKeptKey(key));
    }
    for (const absl::string_view prefix : {kTagKeyPrefix, kPartitionKeyPrefix}) {
      if (key.substr(0, prefix.size()) == prefix && key.size() == prefix.size() + 4)
        return absl::StrCat("'", prefix, "' ", IdOfKey(key, prefix));
    }
    return absl::StrCat("'", key, "'");
  }

  void VerifyTail(TagId tag, absl::string_view bytes) {
    const auto report = [this, tag](absl::string_view what) {
      Report({.part = StoredPart::kTail, .tag = tag, .what = std::string(what)});
    };
    record::v1::TailRecord record;
    if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
      return report("the record of open samples is not readable");
    const std::optional<ValueType> type = TypeOf(tag);
    if (!type.has_value()) return report("there are open samples, but no record of the tag");
    for (const record::v1::TailRecord::Run& run : record.runs()) {
      const absl::StatusOr<format::BlockHead> head = format::DecodeBlockHead(run.head());
      if (!head.ok()) {
        report(head.status().message());
      } else if (head->type != *type) {
        report("open samples are of another type than their tag");
      } else {
        std::vector<Damage> damages;
        CheckPages(StoredPart::kTail, tag, *head, run.payload(), &damages, nullptr);
        ReportAll(std::move(damages));
      }
    }
  }

  // ---- Blocks

  // The versions of page i, which has these samples.
  absl::Status CheckVersions(const format::BlockHead& head, absl::string_view payload, size_t i,
                             Samples* samples) {
    const format::PageInfo& page = head.pages[i];
    if (page.highest_version > versions_.open()) {
      return Damaged(
          absl::StrCat("the page has a sample of version ", page.highest_version, ", which has not begun"));
    }
    ASSIGN_OR_RETURN(const absl::string_view column, format::VersionBytes(head, payload, i));
    RETURN_IF_ERROR(ReadVersions(page.lowest_version, page.highest_version, column, versions_, samples));
    if (samples->versions.empty()) return absl::OkStatus();
    const auto [lowest, highest] = std::minmax_element(samples->versions.begin(), samples->versions.end());
    if (*lowest != page.lowest_version || *highest != page.highest_version) {
      return Damaged("the head's lowest and highest version are not those of the page's samples");
    }
    return absl::OkStatus();
  }

  // Checks all pages; hands the recomputed summary of each good one to on_page (null: nobody).
  void CheckPages(StoredPart part, TagId tag, const format::BlockHead& head, absl::string_view payload,
                  std::vector<Damage>* damages, const std::function<void(const Summary&)>& on_page) {
    for (size_t i = 0; i < head.pages.size(); ++i) {
      const Summary& stated = head.pages[i].summary;
      ++counts_.pages;
      counts_.samples += stated.count;
      const absl::StatusOr<absl::string_view> page = format::PageBytes(head, payload, i);
      Summary computed;
      absl::Status status =
          page.ok() ? CheckPage(head.type, stated, *page, &samples_, &computed) : page.status();
      if (status.ok()) status = CheckVersions(head, payload, i, &samples_);
      if (!status.ok()) {
        damages->push_back({part, tag, stated.first.time, stated.last.time, std::string(status.message())});
      } else if (on_page != nullptr) {
        on_page(computed);
      }
    }
  }

  // What is wrong with a head beside its bytes; empty: nothing.
  std::string HeadFault(const format::BlockId& id, const format::BlockHead& head,
                        bool repeats = false) const {
    const std::optional<ValueType> type = TypeOf(id.tag);
    if (!type.has_value()) return "there is no record of the tag";
    if (*type != head.type && !repeats) return "it is of another type than its tag";
    if (head.first_time() != id.first_time) {
      return absl::StrCat("its first sample is at ", FormatTimestamp(head.first_time()),
                          ", not where its key says");
    }
    if (!format::IsInPartition(head.last_time(), id.partition)) {
      return format::IsLongPartition(id.partition) ? "it reaches out of its sixteen weeks"
                                                   : "it reaches out of its week";
    }
    return "";
  }

  // The summaries of the finest slots of a rollup, recomputed page by page.
  struct Recomputed {
    const format::Rollup* stated = nullptr;
    bool complete = true;  // No page was damaged.
    uint32_t highest_version = 0;
    std::vector<Summary> slots;
  };

  void AddPage(const Summary& summary, ValueType type, Recomputed* rollup) const {
    const uint64_t slot_ns = rollup->stated->levels.front().slot_ns;
    const auto slot = [slot_ns](const Summary& s) { return format::SlotOf(s.first.time, slot_ns); };
    if (rollup->slots.empty() || slot(rollup->slots.back()) != slot(summary)) {
      rollup->slots.push_back(summary);
    } else if (rollup->slots.back().last.time < summary.first.time) {
      Merge(type, summary, &rollup->slots.back());
    } else {
      rollup->complete = false;  // Pages that overlap where none may: reported where they are.
    }
  }

  void CompareRollup(TagId tag, const Recomputed& recomputed, std::vector<Damage>* damages) const {
    const format::Rollup& stated = *recomputed.stated;
    if (stated.highest_version != recomputed.highest_version) {
      damages->push_back({StoredPart::kRollup, tag, stated.levels.front().slots.front().first.time,
                          stated.levels.front().slots.back().last.time,
                          absl::StrCat("the rollup's highest version is ", stated.highest_version,
                                       ", its blocks' is ", recomputed.highest_version)});
    }
    std::vector<Summary> slots = recomputed.slots;
    for (size_t k = 0; k < stated.levels.size(); ++k) {
      const format::Rollup::Level& level = stated.levels[k];
      if (k > 0) {
        std::vector<Summary> coarser;
        const auto slot = [&level](const Summary& s) { return format::SlotOf(s.first.time, level.slot_ns); };
        for (const Summary& s : slots) {
          if (coarser.empty() || slot(coarser.back()) != slot(s)) {
            coarser.push_back(s);
          } else {
            Merge(stated.type, s, &coarser.back());
          }
        }
        slots = std::move(coarser);
      }
      const std::string of = absl::StrCat("of ", level.slot_ns / kNanosPerSecond, " s");
      if (slots.size() != level.slots.size()) {
        damages->push_back({StoredPart::kRollup, tag, level.slots.front().first.time,
                            level.slots.back().last.time,
                            absl::StrCat("the rollup has ", level.slots.size(), " slots ", of,
                                         ", its blocks have samples in ", slots.size())});
        continue;
      }
      for (size_t i = 0; i < slots.size(); ++i) {
        const absl::string_view field = FirstDifference(slots[i], level.slots[i]);
        if (field.empty()) continue;
        damages->push_back(
            {StoredPart::kRollup, tag, level.slots[i].first.time, level.slots[i].last.time,
             absl::StrCat("the ", field, " of the slot ", of, " is not that of the pages' samples")});
      }
    }
  }

  // One tag in one partition. What is found lands in *damages; true when it was replaced meanwhile, and what
  // was found means nothing. *before: the counts at its begin.
  absl::StatusOr<bool> VerifyTagOnce(const format::RollupId& id, VerifyCounts* before,
                                     std::vector<Damage>* damages) {
    *before = counts_;
    damages->clear();
    const std::string prefix = format::HeadPrefix(id.partition, id.tag);
    const uint64_t settled = partitions_.Get(id.partition).settled;
    const auto replaced = [&] { return partitions_.Get(id.partition).settled != settled; };

    const auto stored_rollup = store_.Get(kv::Space::kRollups, format::RollupKey(id));
    std::optional<format::Rollup> rollup;
    if (!stored_rollup.ok()) {
      damages->push_back(OfWeek(StoredPart::kRollup, id, stored_rollup.status().message()));
    } else if (stored_rollup->has_value()) {
      ++counts_.rollups;
      RETURN_IF_ERROR(Took((*stored_rollup)->size()));
      absl::StatusOr<format::Rollup> decoded = format::DecodeRollup(**stored_rollup);
      if (decoded.ok()) {
        rollup = *std::move(decoded);
      } else {
        damages->push_back(OfWeek(StoredPart::kRollup, id, decoded.status().message()));
      }
    }
    Recomputed recomputed{.stated = rollup.has_value() ? &*rollup : nullptr};
    bool has_settled = false;

    ++counts_.tags;
    const std::unique_ptr<kv::Cursor> cursor =
        store_.NewCursor(kv::Space::kHeads, format::BehindPrefix(prefix));
    for (cursor->Seek(prefix); cursor->Valid(); cursor->Next()) {
      ++counts_.blocks;
      RETURN_IF_ERROR(Took(cursor->value().size()));
      const absl::StatusOr<format::BlockId> block = format::ParseHeadKey(cursor->key());
      if (!block.ok()) {
        damages->push_back(OfWeek(StoredPart::kBlock, id, block.status().message()));
        continue;
      }
      const bool is_settled = settled != 0 && block->seal == settled;
      has_settled |= is_settled;
      const absl::StatusOr<format::BlockHead> head = format::DecodeBlockHead(cursor->value());
      if (!head.ok()) {
        damages->push_back({StoredPart::kBlock, id.tag, block->first_time,
                            format::PartitionEnd(id.partition) - 1, std::string(head.status().message())});
        recomputed.complete = false;
        continue;
      }
      if (std::string fault = HeadFault(*block, *head); !fault.empty()) {
        damages->push_back(
            {StoredPart::kBlock, id.tag, head->first_time(), head->last_time(), std::move(fault)});
        recomputed.complete = false;
        continue;
      }
      if (is_settled)
        recomputed.highest_version = std::max(recomputed.highest_version, head->highest_version());
      const auto payload = store_.Get(kv::Space::kPages, format::PagesKey(*block));
      const size_t damages_before = damages->size();
      if (!payload.ok() || !payload->has_value()) {
        damages->push_back(
            {StoredPart::kBlock, id.tag, head->first_time(), head->last_time(),
             payload.ok() ? "the block's pages are missing" : std::string(payload.status().message())});
      } else {
        RETURN_IF_ERROR(Took((*payload)->size()));
        CheckPages(StoredPart::kPage, id.tag, *head, **payload, damages, [&](const Summary& page) {
          if (is_settled && recomputed.stated != nullptr) AddPage(page, head->type, &recomputed);
        });
      }
      if (damages->size() > damages_before) {
        recomputed.complete = false;
        const auto now = store_.Get(kv::Space::kHeads, cursor->key());
        if (now.ok() && (!now->has_value() || **now != cursor->value())) return true;
      }
    }
    if (!cursor->status().ok()) {
      damages->push_back(
          OfWeek(StoredPart::kBlock, id, absl::StrCat("heads cannot be read: ", cursor->status().message())));
      recomputed.complete = false;
    }
    if (recomputed.stated != nullptr && has_settled && recomputed.complete) {
      CompareRollup(id.tag, recomputed, damages);
    }
    return replaced();
  }

  static Damage OfWeek(StoredPart part, const format::RollupId& id, absl::string_view what) {
    return {part, id.tag, format::PartitionStart(id.partition), format::PartitionEnd(id.partition) - 1,
            std::string(what)};
  }

  absl::Status VerifyTag(const format::RollupId& id) {
    std::vector<Damage> damages;
    for (int read = 0;; ++read) {
      VerifyCounts before;
      ASSIGN_OR_RETURN(const bool replaced, VerifyTagOnce(id, &before, &damages));
      if (!replaced || damages.empty() || read == kRereadsMax) break;
      const uint64_t bytes = counts_.bytes;
      counts_ = before;
      counts_.bytes = bytes;  // They were read, and the pace counts them.
    }
    ReportAll(std::move(damages));
    return absl::OkStatus();
  }

  // The next (partition, tag) that is wanted, at or behind this one.
  format::RollupId NextWanted(format::RollupId id) const {
    if (wanted_.empty()) return id;
    const auto found = std::lower_bound(wanted_.begin(), wanted_.end(), id.tag);
    if (found == wanted_.end()) return {id.partition + 1, wanted_.front()};
    return {id.partition, *found};
  }
  static format::RollupId After(const format::RollupId& id) {
    return id.tag == UINT32_MAX ? format::RollupId{id.partition + 1, 0}
                                : format::RollupId{id.partition, id.tag + 1};
  }

  // Blocks of the tags from `from` to before `to` (partition, tag) may be lost: which of them have any is not known.
  absl::Status ReportGap(const format::RollupId& from, const format::RollupId& to, const absl::Status& why) {
    const std::string what = absl::StrCat("blocks it may have cannot be read: ", why.message());
    for (format::RollupId id = NextWanted(from);
         std::tie(id.partition, id.tag) < std::tie(to.partition, to.tag); id = NextWanted(After(id))) {
      if (id.tag > tags_.last_id()) {
        id = {id.partition, UINT32_MAX};  // On to the next partition.
      } else if (TypeOf(id.tag).has_value()) {
        RETURN_IF_ERROR(Took(0));
        Report(OfWeek(StoredPart::kBlock, id, what));
      }
    }
    return absl::OkStatus();
  }

  absl::Status VerifyBlocks() {
    RETURN_IF_ERROR(VerifyBlocks(format::PartitionOf(options_.start), format::PartitionOf(options_.end - 1)));
    return VerifyBlocks(format::LongPartitionOf(options_.start), format::LongPartitionOf(options_.end - 1));
  }

  // Of weeks, or of long partitions.
  absl::Status VerifyBlocks(int32_t first, int32_t last) {
    // Behind the last partition that anything is known of there is nothing, damaged or not.
    std::vector<PartitionTable::Partition> known = partitions_.All();
    if (!known.empty()) {
      known.erase(std::remove_if(known.begin(), known.end(),
                                 [&](const auto& p) { return p.first < first || p.first > last; }),
                  known.end());
      if (known.empty()) return absl::OkStatus();
    }
    const format::RollupId end = {std::min(last, known.empty() ? last : known.back().first) + 1, 0};
    format::RollupId id = NextWanted({first, 0});
    if (!known.empty() && known.front().first > id.partition) id = NextWanted({known.front().first, 0});
    while (id.partition <= last) {
      // A cursor each: one for all would keep what is replaced meanwhile from being deleted.
      const std::unique_ptr<kv::Cursor> cursor = store_.NewCursor(kv::Space::kHeads);
      cursor->Seek(format::HeadPrefix(id.partition, id.tag));
      const absl::Status status = cursor->status();
      if (absl::IsUnavailable(status)) return status;
      if (!cursor->Valid() && status.ok()) break;
      if (!cursor->Valid() && known.empty()) {
        Report(
            {.part = StoredPart::kBlock, .what = absl::StrCat("blocks cannot be read: ", status.message())});
        break;
      }
      if (!cursor->Valid()) return ReportGap(id, end, status);
      const absl::StatusOr<format::BlockId> found = format::ParseHeadKey(cursor->key());
      if (!found.ok()) {
        Report({.part = StoredPart::kBlock, .what = std::string(found.status().message())});
        // Whatever it is, it lies before the next tag's keys.
        id = NextWanted(After(id));
        continue;
      }
      const format::RollupId wanted = NextWanted({found->partition, found->tag});
      if (!status.ok()) {
        const bool is_last = found->partition > last;
        RETURN_IF_ERROR(
            ReportGap(id, is_last ? end : format::RollupId{found->partition, found->tag}, status));
      }
      id = wanted;
      if (wanted.partition != found->partition || wanted.tag != found->tag) continue;
      if (id.partition > last) break;
      RETURN_IF_ERROR(VerifyTag(id));
      id = NextWanted(After(id));
    }
    return absl::OkStatus();
  }

  // Rollups of tags and weeks without blocks (only rollups were kept): there is nothing to compare them with.
  absl::Status VerifyLoneRollups() {
    const std::unique_ptr<kv::Cursor> cursor = store_.NewCursor(kv::Space::kRollups);
    const std::string end = format::PartitionPrefix(format::PartitionOf(options_.end - 1) + 1);
    for (cursor->Seek(format::PartitionPrefix(format::PartitionOf(options_.start)));
         cursor->Valid() && cursor->key() < end; cursor->Next()) {
      const absl::StatusOr<format::RollupId> id = format::ParseRollupKey(cursor->key());
      if (!id.ok()) {
        Report({.part = StoredPart::kRollup, .what = std::string(id.status().message())});
        continue;
      }
      if (!IsWanted(id->tag)) continue;
      const std::string prefix = format::HeadPrefix(id->partition, id->tag);
      const std::unique_ptr<kv::Cursor> heads =
          store_.NewCursor(kv::Space::kHeads, format::BehindPrefix(prefix));
      heads->Seek(prefix);
      if (heads->Valid()) continue;
      ++counts_.rollups;
      RETURN_IF_ERROR(Took(cursor->value().size()));
      const absl::StatusOr<format::Rollup> rollup = format::DecodeRollup(cursor->value());
      const std::optional<ValueType> type = TypeOf(id->tag);
      if (!rollup.ok()) {
        Report(OfWeek(StoredPart::kRollup, *id, rollup.status().message()));
      } else if (!type.has_value() || *type != rollup->type) {
        Report(OfWeek(
            StoredPart::kRollup, *id,
            type.has_value() ? "it is of another type than its tag" : "there is no record of the tag"));
      }
    }
    if (!cursor->status().ok()) {
      Report({.part = StoredPart::kRollup,
              .what = absl::StrCat("rollups cannot be read: ", cursor->status().message())});
    }
    return absl::OkStatus();
  }

  absl::Status VerifySuperseded() {
    const std::unique_ptr<kv::Cursor> cursor = store_.NewCursor(kv::Space::kSuperseded);
    const std::string end = format::PartitionPrefix(format::PartitionOf(options_.end - 1) + 1);
    for (cursor->Seek(format::PartitionPrefix(format::PartitionOf(options_.start)));
         cursor->Valid() && cursor->key() < end; cursor->Next()) {
      const absl::StatusOr<format::BlockId> id = format::ParseHeadKey(cursor->key());
      if (id.ok() && !IsWanted(id->tag)) continue;
      RETURN_IF_ERROR(Took(cursor->value().size()));
      const auto report = [&](absl::string_view what) {
        Report({.part = StoredPart::kSuperseded,
                .tag = id.ok() ? id->tag : 0,
                .first_time = id.ok() ? id->first_time : 0,
                .last_time = id.ok() ? format::PartitionEnd(id->partition) - 1 : 0,
                .what = std::string(what)});
      };
      if (!id.ok()) {
        report(id.status().message());
        continue;
      }
      const absl::StatusOr<SupersededBlock> block = ReadSupersededRecord(cursor->value());
      if (!block.ok()) {
        report(block.status().message());
        continue;
      }
      const format::BlockHead head = HeadOf(block->block.type, block->block.pages);
      if (const std::string fault = HeadFault(*id, head, block->repeats); !fault.empty()) {
        report(fault);
      } else {
        std::vector<Damage> damages;
        CheckPages(StoredPart::kSuperseded, id->tag, head, PayloadOf(block->block.pages), &damages, nullptr);
        ReportAll(std::move(damages));
      }
    }
    if (!cursor->status().ok()) {
      Report({.part = StoredPart::kSuperseded,
              .what = absl::StrCat("superseded samples cannot be read: ", cursor->status().message())});
    }
    return absl::OkStatus();
  }

  kv::Store& store_;
  const TagRegistry& tags_;
  const VersionTable& versions_;
  const PartitionTable& partitions_;
  Journal& journal_;
  const VerifyOptions& options_;
  const VerifyObserver& observer_;
  std::vector<TagId> wanted_;  // Ascending; empty: all.
  const MonotonicTime begin_;
  MonotonicTime next_progress_;
  VerifyCounts counts_;
  Samples samples_;  // Of the page at hand.
};

}  // namespace

std::string DescribeDamage(const Damage& damage) {
  const auto where = [&]() -> absl::string_view {
    switch (damage.part) {
      case StoredPart::kJournal:
        return "journal: ";
      case StoredPart::kRecord:
        return "records: ";
      case StoredPart::kRollup:
        return damage.tag == 0 ? "rollups: " : "";
      case StoredPart::kSuperseded:
        return damage.tag == 0 ? "superseded samples: " : "";
      case StoredPart::kBlock:
      case StoredPart::kPage:
      case StoredPart::kTail:
        return damage.tag == 0 ? "blocks: " : "";
    }
    return "";
  };
  std::string text(where());
  if (damage.tag != 0) absl::StrAppend(&text, "tag ", damage.tag);
  if (damage.tag != 0 && (damage.first_time != 0 || damage.last_time != 0)) {
    absl::StrAppend(&text, ", from ", FormatTimestamp(damage.first_time), " to ",
                    FormatTimestamp(damage.last_time));
  }
  return absl::StrCat(text, damage.tag == 0 ? "" : ": ", damage.what);
}

absl::StatusOr<VerifyCounts> Verify(const VerifySources& sources, const VerifyOptions& options,
                                    const VerifyObserver& observer) {
  if (options.start >= options.end) {
    return absl::InvalidArgumentError(absl::StrCat("the range ends (", FormatTimestamp(options.end),
                                                   ") before it starts (", FormatTimestamp(options.start),
                                                   ")"));
  }
  return Verifier(sources, options, observer).Run();
}

}  // namespace historian
