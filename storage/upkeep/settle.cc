#include "storage/upkeep/settle.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/format/block.h"
#include "storage/format/page.h"
#include "storage/format/rollup.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"
#include "storage/read/partition_view.h"
#include "storage/sealed/block_writer.h"
#include "storage/sealed/head_walk.h"
#include "storage/sealed/planned_block.h"
#include "storage/sealed/superseded.h"
#include "storage/tail/tail.h"

namespace historian {
namespace {

// A slot is cut into as few equal pages as hold no more than this: an hour of seconds into three, not four.
constexpr size_t kPageSamplesMost = format::kPageSamples + format::kPageSamples / 4;
// A slot with more samples than this is cut into pages before it is complete.
constexpr size_t kSlotSamplesHeld = 64 * format::kPageSamples;

// What one tag has in the partition, from its heads alone.
struct Extent {
  uint64_t samples = 0;
  Timestamp first = 0;
  Timestamp last = 0;
};

// Rewrites the blocks of one tag.
class TagSettler {
 public:
  TagSettler(PageCache& no_cache, const VersionTable& versions, TagId tag, ValueType type, Keep keep,
             const Extent& extent, const KeepGoing& keep_going, Step::Place place, BlockWriter* writer)
      : versions_(versions),
        tag_(tag),
        type_(type),
        rollups_only_(keep == Keep::kRollups),
        pages_reader_(no_cache),
        keep_going_(keep_going),
        place_(place),
        writer_(*writer) {
    rollup_.type = type;
    for (const uint64_t slot_ns : format::kSlotNs) {
      const uint64_t slots = static_cast<uint64_t>(format::SlotOf(extent.last, slot_ns) -
                                                   format::SlotOf(extent.first, slot_ns)) +
                             1;
      // When nothing else will tell of the samples, days always do, and hours with more than one.
      const uint64_t worth = !rollups_only_                  ? format::kPageSamples
                             : slot_ns == format::kSlotNs[2] ? 0
                             : slot_ns == format::kSlotNs[1] ? 2
                                                             : format::kPageSamples;
      if (extent.samples / slots >= worth) rollup_.levels.push_back({slot_ns, {}});
    }
  }

  // Blocks in order of their first times.
  absl::Status Add(StoredHead head) {
    if (!overlapping_.empty() && head.head.first_time() > overlapping_last_) {
      RETURN_IF_ERROR(MergeOverlapping());
    }
    overlapping_last_ =
        overlapping_.empty() ? head.head.last_time() : std::max(overlapping_last_, head.head.last_time());
    overlapping_.push_back(std::move(head));
    return absl::OkStatus();
  }

  absl::Status Finish() {
    RETURN_IF_ERROR(MergeOverlapping());
    RETURN_IF_ERROR(EndSlot());
    RETURN_IF_ERROR(WriteBlocks(/*all=*/true));
    for (size_t k = 1; k < rollup_.levels.size(); ++k) RollUp(rollup_.levels[k - 1], &rollup_.levels[k]);
    if (!rollup_.levels.empty()) {
      std::string bytes;
      format::EncodeRollup(rollup_, &bytes);
      RETURN_IF_ERROR(writer_.AddRollup({place_.partition, tag_}, bytes));
    }
    return rollups_only_ ? absl::OkStatus() : WriteSuperseded();
  }

 private:
  absl::Status MergeOverlapping() {
    if (overlapping_.empty()) return absl::OkStatus();
    std::stable_sort(overlapping_.begin(), overlapping_.end(),
                     [](const StoredHead& a, const StoredHead& b) { return a.id.seal < b.id.seal; });
    const auto heads = std::make_shared<StoredHeads>();
    heads->heads = std::exchange(overlapping_, {});
    const PartitionView view(tag_, type_, place_.partition, heads, nullptr);
    Samples visible;
    for (size_t cluster = 0; cluster < view.clusters(); ++cluster) {
      if (keep_going_ != nullptr) RETURN_IF_ERROR(keep_going_());
      ASSIGN_OR_RETURN(const std::vector<PartitionView::Layer> layers,
                       view.ReadLayers(cluster, versions_, pages_reader_));
      if (layers.size() == 1) {
        RETURN_IF_ERROR(Append(layers.front().samples));
        continue;
      }
      visible.Clear();
      MergeLayers(layers, &visible);
      RETURN_IF_ERROR(Append(visible.View()));
    }
    return absl::OkStatus();
  }

  // Of several statements about one time the last is visible, in the version in which that was first said; those before
  // it are superseded, and what repeats the one before it is remembered as a repeat.
  void MergeLayers(const std::vector<PartitionView::Layer>& layers, Samples* visible) {
    struct Statement {
      Timestamp time;
      size_t layer;
      size_t i;
    };
    std::vector<Statement> statements;
    for (size_t layer = 0; layer < layers.size(); ++layer) {
      const SamplesView& samples = layers[layer].samples;
      for (size_t i = 0; i < samples.size; ++i) statements.push_back({samples.times[i], layer, i});
    }
    std::stable_sort(statements.begin(), statements.end(),
                     [](const Statement& a, const Statement& b) { return a.time < b.time; });
    const auto of = [&](const Statement& s) -> const SamplesView& { return layers[s.layer].samples; };
    size_t said = 0;  // The statement that was the first to say what is said now.
    for (size_t k = 0; k < statements.size(); ++k) {
      if (k == 0 || statements[k].time != statements[k - 1].time) {
        said = k;
      } else if (const Statement& a = statements[said], &b = statements[k];
                 SameSample(type_, of(a), a.i, of(b), b.i)) {
        Samples& repeats = repeats_[layers[b.layer].seal];
        repeats.Add(b.time, of(b).VersionAt(b.i));
      } else {
        superseded_[layers[a.layer].seal].Add(type_, of(a), a.i, of(b).VersionAt(b.i));
        said = k;
      }
      if (k + 1 == statements.size() || statements[k + 1].time != statements[k].time) {
        visible->AddFrom(type_, of(statements[said]), statements[said].i);
      }
    }
  }

  uint64_t slot_ns() const {
    return rollup_.levels.empty() ? format::kPartitionNanos : rollup_.levels[0].slot_ns;
  }

  // In order of time.
  absl::Status Append(const SamplesView& samples) {
    for (size_t begin = 0; begin < samples.size;) {
      const int64_t slot = format::SlotOf(samples.times[begin], slot_ns());
      if (!pending_.empty() && slot != format::SlotOf(pending_.times.front(), slot_ns())) {
        RETURN_IF_ERROR(EndSlot());
      }
      const Timestamp slot_end = (slot + 1) * static_cast<Timestamp>(slot_ns());
      const Timestamp* const times = samples.times;
      const size_t end = std::lower_bound(times + begin, times + samples.size, slot_end) - times;
      pending_.Append(type_, samples, begin, end - begin);
      begin = end;
      if (rollup_.levels.empty() || pending_.size() >= kSlotSamplesHeld) CutFullPages();
      RETURN_IF_ERROR(WriteBlocks(/*all=*/false));
    }
    return absl::OkStatus();
  }

  PageEncoding dense() const { return {format::Density::kDense, &versions_}; }

  void CutFullPages() {
    std::vector<EncodedPagePtr> pages;
    format::EncodeHint hint;
    CutPages(type_, /*all=*/false, dense(), &hint, &pending_, &pages);
    for (EncodedPagePtr& page : pages) TakePage(std::move(page));
  }

  // What is pending becomes pages of about equal size.
  absl::Status EndSlot() {
    if (type_ == ValueType::kString) CutFullPages();  // The text in a page is bounded too.
    const size_t pages = (pending_.size() + kPageSamplesMost - 1) / kPageSamplesMost;
    for (size_t k = 0; k < pages; ++k) {
      const size_t begin = pending_.size() * k / pages, end = pending_.size() * (k + 1) / pages;
      TakePage(MakeEncodedPage(type_, pending_.View().Slice(begin, end - begin), nullptr, dense()));
    }
    pending_.Clear();
    return WriteBlocks(/*all=*/false);
  }

  void TakePage(EncodedPagePtr page) {
    if (!rollup_.levels.empty()) AddToLevel(page->summary, &rollup_.levels[0]);
    rollup_.highest_version = std::max(rollup_.highest_version, page->versions.highest);
    pages_.push_back(std::move(page));
  }

  void AddToLevel(const Summary& summary, format::Rollup::Level* level) const {
    const auto slot = [level](const Summary& s) { return format::SlotOf(s.first.time, level->slot_ns); };
    if (level->slots.empty() || slot(level->slots.back()) != slot(summary)) {
      level->slots.push_back(summary);
    } else {
      Merge(type_, summary, &level->slots.back());
    }
  }
  void RollUp(const format::Rollup::Level& finer, format::Rollup::Level* level) const {
    for (const Summary& summary : finer.slots) AddToLevel(summary, level);
  }

  // Full blocks, or all that there is.
  absl::Status WriteBlocks(bool all) {
    if (rollups_only_) pages_.clear();  // Their summaries are in the rollup.
    if (!all && pages_.size() < format::kBlockPagesMax) return absl::OkStatus();
    std::vector<PlannedBlock> blocks;
    PlanBlocks(tag_, type_, place_.seal, std::exchange(pages_, {}), &blocks);
    if (!all && blocks.back().pages.size() < format::kBlockPagesMax) {
      pages_ = std::move(blocks.back().pages);
      blocks.pop_back();
    }
    for (const PlannedBlock& block : blocks) RETURN_IF_ERROR(writer_.Add(block));
    return absl::OkStatus();
  }

  absl::Status WriteSuperseded() {
    std::vector<SupersededBlock> blocks;
    for (const auto& [seal, statements] : superseded_) {
      PlanSuperseded(tag_, type_, seal, statements, dense(), &blocks);
    }
    for (auto& [seal, repeats] : repeats_) PlanRepeats(tag_, seal, std::move(repeats), dense(), &blocks);
    std::sort(blocks.begin(), blocks.end(), [](const SupersededBlock& a, const SupersededBlock& b) {
      return std::tie(a.block.id.first_time, a.block.id.seal) <
             std::tie(b.block.id.first_time, b.block.id.seal);
    });
    for (const SupersededBlock& block : blocks) RETURN_IF_ERROR(writer_.AddSuperseded(block));
    return absl::OkStatus();
  }

  const VersionTable& versions_;
  const TagId tag_;
  const ValueType type_;
  const bool rollups_only_;
  PageFetcher pages_reader_;
  const KeepGoing& keep_going_;
  const Step::Place place_;
  BlockWriter& writer_;

  std::vector<StoredHead> overlapping_;  // Not rewritten yet; each overlaps another.
  Timestamp overlapping_last_ = 0;
  Samples pending_;  // Of one slot of the finest level.
  std::vector<EncodedPagePtr> pages_;
  format::Rollup rollup_;
  // By the seals that stated them.
  std::map<uint64_t, SupersededSamples> superseded_;
  std::map<uint64_t, Samples> repeats_;  // With their versions as values.
};

// Walks the partition's rollups, beside the heads.
class RollupWalk {
 public:
  RollupWalk(kv::Store& store, int32_t partition)
      : cursor_(store.NewCursor(kv::Space::kRollups)),
        partition_(partition),
        end_(format::PartitionPrefix(partition + 1)) {
    cursor_->Seek(format::PartitionPrefix(partition));
  }

  // Copies the rollups of tags below `tag`, but for those of which nothing is kept.
  absl::Status CopyUntil(TagId tag, absl::FunctionRef<Keep(TagId)> keep, BlockWriter* writer) {
    for (; cursor_->Valid() && cursor_->key() < end_; cursor_->Next()) {
      ASSIGN_OR_RETURN(const format::RollupId id, format::ParseRollupKey(cursor_->key()));
      if (id.tag >= tag) return absl::OkStatus();
      if (keep(id.tag) != Keep::kNothing) RETURN_IF_ERROR(writer->AddRollup(id, cursor_->value()));
    }
    return cursor_->status();
  }

  // It stands at the rollup of the tag.
  bool at(TagId tag) const {
    return cursor_->Valid() && cursor_->key() == format::RollupKey({partition_, tag});
  }
  // Leaves out the tag's, if it stands there.
  void Pass(TagId tag) {
    if (at(tag)) cursor_->Next();
  }

 private:
  const std::unique_ptr<kv::Cursor> cursor_;
  const int32_t partition_;
  const std::string end_;
};

}  // namespace

absl::StatusOr<Step> SettlePartition(kv::Store& store, const VersionTable& versions, int32_t partition,
                                     uint64_t settled, uint64_t seal,
                                     absl::FunctionRef<std::optional<ValueType>(TagId)> type_of,
                                     absl::FunctionRef<Keep(TagId)> keep, const KeepGoing& keep_going) {
  const Step::Place place = {partition, seal};
  BlockWriter writer(store, seal);
  PageCache no_cache(store, 0);  // Each page is read once.
  RETURN_IF_ERROR(writer.Replace(partition));
  // One walk ahead to know what a tag has in all, one behind to rewrite it; and rollups of tags of which
  // nothing else is left.
  HeadWalk ahead(store, partition, 0, seal), behind(store, partition, 0, seal);
  RollupWalk rollups(store, partition);
  StoredHead next, head;
  ASSIGN_OR_RETURN(bool more, ahead.Next(&next));
  while (more) {
    const TagId tag = next.id.tag;
    Extent extent{0, next.head.first_time(), next.head.last_time()};
    uint64_t blocks = 0, first_seal = next.id.seal;
    while (more && next.id.tag == tag) {
      extent.samples += next.head.count();
      extent.last = std::max(extent.last, next.head.last_time());
      first_seal = std::min(first_seal, next.id.seal);
      ++blocks;
      ASSIGN_OR_RETURN(more, ahead.Next(&next));
    }
    const std::optional<ValueType> type = type_of(tag);
    if (!type.has_value()) return absl::DataLossError(absl::StrCat("tag ", tag, " has blocks but no record"));
    RETURN_IF_ERROR(rollups.CopyUntil(tag, keep, &writer));
    Keep of_tag = keep(tag);
    if (of_tag == Keep::kRollups && first_seal > settled && rollups.at(tag)) {
      // It was left with its rollups before: samples that were on their way at that time come too late.
      RETURN_IF_ERROR(rollups.CopyUntil(tag + 1, keep, &writer));
      of_tag = Keep::kNothing;
    }
    rollups.Pass(tag);
    TagSettler settler(no_cache, versions, tag, *type, of_tag, extent, keep_going, place, &writer);
    for (; blocks > 0; --blocks) {
      ASSIGN_OR_RETURN(const bool found, behind.Next(&head));
      HISTORIAN_CHECK(found && head.id.tag == tag);  // Both walks see the same moment or a later, larger one.
      if (of_tag != Keep::kNothing) RETURN_IF_ERROR(settler.Add(std::move(head)));
    }
    if (of_tag != Keep::kNothing) RETURN_IF_ERROR(settler.Finish());
  }
  RETURN_IF_ERROR(rollups.CopyUntil(UINT32_MAX, keep, &writer));
  return Step{.blocks = writer.Finish(), .rewritten = place};
}

absl::StatusOr<Step> DropPartition(kv::Store& store, int32_t partition, uint64_t seal) {
  BlockWriter writer(store, seal);
  RETURN_IF_ERROR(writer.Drop(partition));
  return Step{.blocks = writer.Finish(), .rewritten = Step::Place{partition, seal}};
}

absl::Status DropSuperseded(kv::Store& store, int32_t partition, absl::FunctionRef<Keep(TagId)> keep) {
  const std::unique_ptr<kv::Cursor> cursor = store.NewCursor(kv::Space::kSuperseded);
  const std::string end = format::PartitionPrefix(partition + 1);
  for (cursor->Seek(format::PartitionPrefix(partition)); cursor->Valid() && cursor->key() < end;) {
    ASSIGN_OR_RETURN(const format::BlockId id, format::ParseHeadKey(cursor->key()));
    const std::string behind = format::HeadPrefix(partition, id.tag + 1);
    if (keep(id.tag) != Keep::kAll) {
      RETURN_IF_ERROR(
          store.DeleteRange(kv::Space::kSuperseded, format::HeadPrefix(partition, id.tag), behind));
    }
    cursor->Seek(behind);
  }
  return cursor->status();
}

}  // namespace historian
