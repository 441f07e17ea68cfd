#include "storage/upkeep/settle.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <set>
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

// From how many samples in a slot on, on average, slots of this length are worth storing.
uint64_t SamplesWorth(uint64_t slot_ns, bool is_alone) {
  if (slot_ns == format::kMinuteSlotNs) return format::kPageSamples;
  if (slot_ns == format::kQuarterHourSlotNs) {
    // Whole days of every zone are made of them. As long as there are pages, these tell the same, and slots of a few pages
    // would take more than a percent of their room: only beside minutes they take next to nothing.
    return is_alone ? 0 : 15 * format::kPageSamples;
  }
  return is_alone ? 2 : format::kPageSamples;
}

// Sums up a tag's samples of a week in slots.
class RollupMaker {
 public:
  // is_alone: nothing else will tell of the samples.
  RollupMaker(ValueType type, const Extent& extent, bool is_alone) {
    rollup_.type = type;
    for (const uint64_t slot_ns : format::kSlotNs) {
      const uint64_t slots = static_cast<uint64_t>(format::SlotOf(extent.last, slot_ns) -
                                                   format::SlotOf(extent.first, slot_ns)) +
                             1;
      if (extent.samples / slots >= SamplesWorth(slot_ns, is_alone)) rollup_.levels.push_back({slot_ns, {}});
    }
  }
  explicit RollupMaker(ValueType type) { rollup_.type = type; }  // Makes none.

  bool empty() const { return rollup_.levels.empty(); }
  // Of the finest level. Requires !empty().
  uint64_t slot_ns() const { return rollup_.levels[0].slot_ns; }

  // In order of time, each within one of the finest slots.
  void Add(const Summary& summary, uint32_t highest_version) {
    if (!empty()) AddToLevel(summary, &rollup_.levels[0]);
    rollup_.highest_version = std::max(rollup_.highest_version, highest_version);
  }

  // Requires !empty().
  std::string Finish() {
    for (size_t k = 1; k < rollup_.levels.size(); ++k) {
      for (const Summary& summary : rollup_.levels[k - 1].slots) AddToLevel(summary, &rollup_.levels[k]);
    }
    std::string bytes;
    format::EncodeRollup(rollup_, &bytes);
    return bytes;
  }

 private:
  void AddToLevel(const Summary& summary, format::Rollup::Level* level) const {
    const auto slot = [level](const Summary& s) { return format::SlotOf(s.first.time, level->slot_ns); };
    if (level->slots.empty() || slot(level->slots.back()) != slot(summary)) {
      level->slots.push_back(summary);
    } else {
      Merge(rollup_.type, summary, &level->slots.back());
    }
  }

  format::Rollup rollup_;
};

// The rollup that stands for the samples, which are in no block any more.
std::string LoneRollup(ValueType type, const SamplesView& samples) {
  RollupMaker maker(type, {samples.size, samples.times[0], samples.times[samples.size - 1]},
                    /*is_alone=*/true);
  for (size_t begin = 0, end; begin < samples.size; begin = end) {
    const int64_t slot = format::SlotOf(samples.times[begin], maker.slot_ns());
    uint32_t highest = 0;
    for (end = begin; end < samples.size && format::SlotOf(samples.times[end], maker.slot_ns()) == slot;
         ++end) {
      highest = std::max(highest, samples.VersionAt(end));
    }
    maker.Add(Summarize(type, samples.Slice(begin, end - begin)), highest);
  }
  return maker.Finish();
}

// Where what is settled goes. A week's fast tags stay in the week; its slow ones move to the long partition. What a long
// partition has is merged there; its weeks keep rollups and superseded statements.
class Outlets {
 public:
  Outlets(kv::Store& store, int32_t partition, uint64_t seal,
          absl::FunctionRef<uint64_t(uint64_t count)> take_seals)
      : store_(store),
        place_{partition, seal},
        take_seals_(take_seals),
        stay_(store, seal),
        move_(store, seal),
        layers_(store, seal) {}

  absl::Status Begin() { return stay_.Replace(place_.partition); }

  const Step::Place& place() const { return place_; }
  bool is_long() const { return format::IsLongPartition(place_.partition); }

  absl::Status Add(const PlannedBlock& block) {
    return block.id.partition == place_.partition ? stay_.Add(block) : move_.Add(block);
  }
  // Blocks that move, of the statements of one seal: they stay apart from those of a tag's layers with lower numbers,
  // which count from 0 and are older.
  void AddLayer(uint64_t layer, std::vector<PlannedBlock> blocks) {
    layers_count_ = std::max(layers_count_, layer + 1);
    for (PlannedBlock& block : blocks) {
      block.id.seal = layer;
      layer_blocks_.push_back(std::move(block));
    }
  }
  absl::Status AddRollup(int32_t week, TagId tag, absl::string_view bytes) {
    return OfWeek(week).AddRollup({week, tag}, bytes);
  }
  absl::Status AddSuperseded(const SupersededBlock& block) {
    return OfWeek(block.block.id.partition).AddSuperseded(block);
  }

  absl::StatusOr<Step> Finish() {
    if (layers_count_ > 0) {
      const uint64_t first = take_seals_(layers_count_);
      for (PlannedBlock& block : layer_blocks_) block.id.seal += first;
    }
    RETURN_IF_ERROR(layers_.AddAll(std::move(layer_blocks_)));
    Step step{.blocks = stay_.Finish(), .rewritten = place_};
    const auto add = [&step](WrittenBlocks more) {
      std::move(more.runs.begin(), more.runs.end(), std::back_inserter(step.blocks.runs));
      for (const auto& [partition, added] : more.added) step.blocks.added[partition] += added;
    };
    add(move_.Finish());
    add(layers_.Finish());
    for (auto& [week, writer] : weeks_) add(writer.Finish());
    return step;
  }

 private:
  BlockWriter& OfWeek(int32_t week) {
    if (week == place_.partition) return stay_;
    return weeks_.try_emplace(week, store_, place_.seal).first->second;
  }

  kv::Store& store_;
  const Step::Place place_;
  const absl::FunctionRef<uint64_t(uint64_t count)> take_seals_;
  BlockWriter stay_;
  BlockWriter move_;
  BlockWriter layers_;
  std::vector<PlannedBlock> layer_blocks_;  // Numbered by layers.
  uint64_t layers_count_ = 0;
  std::map<int32_t, BlockWriter> weeks_;  // Of a long partition.
};

// Whether what the tag has in the week stays there.
enum class Goes {
  kStays,
  kStaysBesideLong,  // The long partition has something of it in this week, so no rollup tells all.
  kMoves,
  kMovesBesideLong,  // Older statements are there: which later one was the first to replace one, is not known here.
};

// Rewrites the blocks of one tag.
class TagSettler {
 public:
  TagSettler(PageCache& no_cache, const VersionTable& versions, TagId tag, ValueType type, Goes goes,
             absl::FunctionRef<Keep(TagId, int32_t)> keep, const Extent& extent, const KeepGoing& keep_going,
             kv::Store& store, Outlets* outlets)
      : versions_(versions),
        tag_(tag),
        type_(type),
        goes_(goes),
        keep_(keep),
        rollups_only_(goes == Goes::kStays && !outlets->is_long() &&
                      KeepOf(outlets->place().partition) == Keep::kRollups),
        pages_reader_(no_cache),
        keep_going_(keep_going),
        store_(store),
        out_(*outlets),
        rollup_(goes == Goes::kStays && !out_.is_long() ? RollupMaker(type, extent, rollups_only_)
                                                        : RollupMaker(type)) {}

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
    RETURN_IF_ERROR(EndExpired());
    if (!rollup_.empty()) RETURN_IF_ERROR(out_.AddRollup(partition(), tag_, rollup_.Finish()));
    WriteLayers();
    return rollups_only_ ? absl::OkStatus() : WriteSuperseded();
  }

 private:
  int32_t partition() const { return out_.place().partition; }
  bool moves() const { return goes_ == Goes::kMoves || goes_ == Goes::kMovesBesideLong; }
  PartitionLength length() const {
    return moves() || out_.is_long() ? PartitionLength::kLong : PartitionLength::kWeek;
  }
  Keep KeepOf(int32_t week) const { return keep_(tag_, week); }

  absl::Status MergeOverlapping() {
    if (overlapping_.empty()) return absl::OkStatus();
    std::stable_sort(overlapping_.begin(), overlapping_.end(),
                     [](const StoredHead& a, const StoredHead& b) { return a.id.seal < b.id.seal; });
    const auto heads = std::make_shared<StoredHeads>();
    heads->heads = std::exchange(overlapping_, {});
    const PartitionView view(tag_, type_, partition(), heads, nullptr);
    Samples visible;
    for (size_t cluster = 0; cluster < view.clusters(); ++cluster) {
      if (keep_going_ != nullptr) RETURN_IF_ERROR(keep_going_());
      ASSIGN_OR_RETURN(const std::vector<PartitionView::Layer> layers,
                       view.ReadLayers(cluster, versions_, pages_reader_));
      if (layers.size() == 1) {
        RETURN_IF_ERROR(Append(layers.front().samples));
        continue;
      }
      if (goes_ == Goes::kMovesBesideLong) {
        for (const PartitionView::Layer& layer : layers) layers_[layer.seal].Append(type_, layer.samples);
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
    if (!rollup_.empty()) return rollup_.slot_ns();
    return length() == PartitionLength::kWeek ? format::kPartitionNanos
                                              : format::kPartitionNanos * format::kLongPartitionWeeks;
  }

  // In order of time. What has expired of a long partition's weeks is left out.
  absl::Status Append(const SamplesView& samples) {
    if (!out_.is_long()) return AppendKept(samples);
    for (size_t begin = 0; begin < samples.size;) {
      const int32_t week = format::PartitionOf(samples.times[begin]);
      const Timestamp* const times = samples.times;
      const size_t end =
          std::lower_bound(times + begin, times + samples.size, format::PartitionEnd(week)) - times;
      const SamplesView of_week = samples.Slice(begin, end - begin);
      begin = end;
      if (expired_week_ != week) RETURN_IF_ERROR(EndExpired());
      const Keep keep = KeepOf(week);
      if (keep == Keep::kAll) {
        // No page reaches over what has expired, so that nothing more of it seems to be gone for nothing.
        if (!pending_.empty() && HasExpiredBetween(format::PartitionOf(pending_.times.back()), week)) {
          RETURN_IF_ERROR(EndSlot());
        }
        RETURN_IF_ERROR(AppendKept(of_week));
      }
      if (keep == Keep::kRollups) expired_.Append(type_, of_week);
      expired_week_ = week;
    }
    return absl::OkStatus();
  }

  bool HasExpiredBetween(int32_t before, int32_t behind) const {
    for (int32_t week = before + 1; week < behind; ++week) {
      if (KeepOf(week) != Keep::kAll) return true;
    }
    return false;
  }

  // Their rollup takes the place of a week's samples that have expired.
  absl::Status EndExpired() {
    if (expired_.empty()) return absl::OkStatus();
    // With a rollup they were left before: samples that were on their way at that time come too late.
    ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                     store_.Get(kv::Space::kRollups, format::RollupKey({expired_week_, tag_})));
    if (!stored.has_value()) {
      RETURN_IF_ERROR(out_.AddRollup(expired_week_, tag_, LoneRollup(type_, expired_.View())));
    }
    expired_.Clear();
    return absl::OkStatus();
  }

  // In order of time.
  absl::Status AppendKept(const SamplesView& samples) {
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
      if (length() == PartitionLength::kLong && type_ != ValueType::kString) {
        if (pending_.size() >= kSlotSamplesHeld) RETURN_IF_ERROR(EndSlot());
      } else if (rollup_.empty() || pending_.size() >= kSlotSamplesHeld) {
        CutFullPages();
      }
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

  // The samples as pages of about equal size.
  std::vector<EncodedPagePtr> EqualPages(const Samples& samples) const {
    std::vector<EncodedPagePtr> pages;
    const size_t count = (samples.size() + kPageSamplesMost - 1) / kPageSamplesMost;
    for (size_t k = 0; k < count; ++k) {
      const size_t begin = samples.size() * k / count, end = samples.size() * (k + 1) / count;
      pages.push_back(MakeEncodedPage(type_, samples.View().Slice(begin, end - begin), nullptr, dense()));
    }
    return pages;
  }

  // What is pending becomes pages.
  absl::Status EndSlot() {
    if (type_ == ValueType::kString) CutFullPages();  // The text in a page is bounded too.
    for (EncodedPagePtr& page : EqualPages(pending_)) TakePage(std::move(page));
    pending_.Clear();
    return WriteBlocks(/*all=*/false);
  }

  void TakePage(EncodedPagePtr page) {
    rollup_.Add(page->summary, page->versions.highest);
    pages_.push_back(std::move(page));
  }

  // Full blocks, or all that there is.
  absl::Status WriteBlocks(bool all) {
    if (rollups_only_) pages_.clear();  // Their summaries are in the rollup.
    if (!all && pages_.size() < format::kBlockPagesMax) return absl::OkStatus();
    std::vector<PlannedBlock> blocks;
    PlanBlocks(tag_, type_, out_.place().seal, std::exchange(pages_, {}), &blocks, length());
    if (!all && blocks.back().pages.size() < format::kBlockPagesMax) {
      pages_ = std::move(blocks.back().pages);
      blocks.pop_back();
    }
    for (const PlannedBlock& block : blocks) RETURN_IF_ERROR(out_.Add(block));
    return absl::OkStatus();
  }

  void WriteLayers() {
    uint64_t layer = 0;
    for (auto& [sealed, samples] : layers_) {
      std::vector<EncodedPagePtr> pages;
      format::EncodeHint hint;
      if (type_ == ValueType::kString) CutPages(type_, /*all=*/true, dense(), &hint, &samples, &pages);
      for (EncodedPagePtr& page : EqualPages(samples)) pages.push_back(std::move(page));
      std::vector<PlannedBlock> blocks;
      PlanBlocks(tag_, type_, out_.place().seal, std::move(pages), &blocks, length());
      out_.AddLayer(layer++, std::move(blocks));
    }
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
    for (const SupersededBlock& block : blocks) {
      if (KeepOf(block.block.id.partition) == Keep::kAll) RETURN_IF_ERROR(out_.AddSuperseded(block));
    }
    return absl::OkStatus();
  }

  const VersionTable& versions_;
  const TagId tag_;
  const ValueType type_;
  const Goes goes_;
  const absl::FunctionRef<Keep(TagId, int32_t)> keep_;
  const bool rollups_only_;  // Of a week; of a long partition, see Append.
  PageFetcher pages_reader_;
  const KeepGoing& keep_going_;
  kv::Store& store_;
  Outlets& out_;

  std::vector<StoredHead> overlapping_;  // Not rewritten yet; each overlaps another.
  Timestamp overlapping_last_ = 0;
  Samples pending_;  // Of one slot of the finest level.
  std::vector<EncodedPagePtr> pages_;
  RollupMaker rollup_;
  Samples expired_;  // Of expired_week_.
  int32_t expired_week_ = 0;
  std::map<uint64_t, Samples> layers_;  // Statements about the same times, by the seals that stated them.
  // By the seals that stated them.
  std::map<uint64_t, SupersededSamples> superseded_;
  std::map<uint64_t, Samples> repeats_;  // With their versions as values.
};

// Walks the week's rollups, beside the heads.
class RollupWalk {
 public:
  RollupWalk(kv::Store& store, int32_t week)
      : cursor_(store.NewCursor(kv::Space::kRollups)), week_(week), end_(format::PartitionPrefix(week + 1)) {
    cursor_->Seek(format::PartitionPrefix(week));
  }

  // Copies the rollups of tags below `tag`, but for those of which nothing is kept.
  absl::Status CopyUntil(TagId tag, absl::FunctionRef<Keep(TagId, int32_t)> keep, Outlets* outlets) {
    for (; cursor_->Valid() && cursor_->key() < end_; cursor_->Next()) {
      ASSIGN_OR_RETURN(const format::RollupId id, format::ParseRollupKey(cursor_->key()));
      if (id.tag >= tag) return absl::OkStatus();
      if (keep(id.tag, week_) != Keep::kNothing) {
        RETURN_IF_ERROR(outlets->AddRollup(week_, id.tag, cursor_->value()));
      }
    }
    return cursor_->status();
  }

  // It stands at the rollup of the tag.
  bool at(TagId tag) const { return cursor_->Valid() && cursor_->key() == format::RollupKey({week_, tag}); }
  // Leaves out the tag's, if it stands there.
  void Pass(TagId tag) {
    if (at(tag)) cursor_->Next();
  }

 private:
  const std::unique_ptr<kv::Cursor> cursor_;
  const int32_t week_;
  const std::string end_;
};

// Walks the heads of the long partition, beside those of one of its weeks.
class LongWalk {
 public:
  LongWalk(kv::Store& store, int32_t week)
      : cursor_(store.NewCursor(kv::Space::kHeads,
                                format::PartitionPrefix(format::LongPartitionOfWeek(week) + 1))),
        week_(week) {
    cursor_->Seek(format::PartitionPrefix(format::LongPartitionOfWeek(week)));
  }

  // Whether the long partition may have something of the tag in the week, as a damaged head may. Tags ascend.
  absl::StatusOr<bool> Has(TagId tag) {
    bool has = false;
    for (; cursor_->Valid(); cursor_->Next()) {
      ASSIGN_OR_RETURN(const format::BlockId id, format::ParseHeadKey(cursor_->key()));
      if (id.tag > tag) break;
      if (id.tag < tag) continue;
      const absl::StatusOr<format::BlockHead> head = format::DecodeBlockHead(cursor_->value());
      has |= !head.ok() || std::any_of(head->pages.begin(), head->pages.end(), [this](const auto& page) {
        return format::PartitionOf(page.summary.first.time) <= week_ &&
               format::PartitionOf(page.summary.last.time) >= week_;
      });
    }
    RETURN_IF_ERROR(cursor_->status());
    return has;
  }

 private:
  const std::unique_ptr<kv::Cursor> cursor_;
  const int32_t week_;
};

// What a tag has in the partition, and by which seals.
struct TagBlocks {
  Extent extent;
  uint64_t blocks = 0;
  uint64_t first_seal = UINT64_MAX;

  void Add(const StoredHead& head) {
    extent.first = blocks == 0 ? head.head.first_time() : std::min(extent.first, head.head.first_time());
    extent.last = blocks == 0 ? head.head.last_time() : std::max(extent.last, head.head.last_time());
    extent.samples += head.head.count();
    first_seal = std::min(first_seal, head.id.seal);
    ++blocks;
  }
};

// For a tag of which raw samples are kept, or which has more in the long partition.
Goes GoesOf(const TagBlocks& tag, bool has_long, Keep keep, const SettleOrder& order) {
  const bool is_slow = tag.extent.samples <= order.slow_samples_max;
  // What was settled in the week before stays beside what the long partition has: statements that it had replaced are
  // superseded already.
  const bool was_settled_here = order.settled > 0 && tag.first_seal <= order.settled;
  // Of what has expired the long partition makes one rollup, of all of it.
  if (has_long && keep == Keep::kRollups) return Goes::kMovesBesideLong;
  if (has_long) return is_slow && !was_settled_here ? Goes::kMovesBesideLong : Goes::kStaysBesideLong;
  return is_slow && keep == Keep::kAll ? Goes::kMoves : Goes::kStays;
}

}  // namespace

absl::StatusOr<Step> SettlePartition(kv::Store& store, const VersionTable& versions, const SettleOrder& order,
                                     const KeepGoing& keep_going) {
  const int32_t partition = order.partition;
  const bool is_long = format::IsLongPartition(partition);
  Outlets outlets(store, partition, order.seal, order.take_seals);
  PageCache no_cache(store, 0);  // Each page is read once.
  RETURN_IF_ERROR(outlets.Begin());
  // One walk ahead to know what a tag has in all, one behind to rewrite it; and rollups of tags of which
  // nothing else is left.
  HeadWalk ahead(store, partition, 0, order.seal), behind(store, partition, 0, order.seal);
  RollupWalk rollups(store, partition);
  std::optional<LongWalk> beside;
  if (!is_long) beside.emplace(store, partition);
  StoredHead next, head;
  ASSIGN_OR_RETURN(bool more, ahead.Next(&next));
  while (more) {
    const TagId tag = next.id.tag;
    TagBlocks of_tag;
    while (more && next.id.tag == tag) {
      of_tag.Add(next);
      ASSIGN_OR_RETURN(more, ahead.Next(&next));
    }
    const std::optional<ValueType> type = order.type_of(tag);
    if (!type.has_value()) return absl::DataLossError(absl::StrCat("tag ", tag, " has blocks but no record"));
    RETURN_IF_ERROR(rollups.CopyUntil(tag, order.keep, &outlets));
    Keep keep = is_long ? Keep::kAll : order.keep(tag, partition);
    if (keep == Keep::kRollups && of_tag.first_seal > order.settled && rollups.at(tag)) {
      // It was left with its rollups before: samples that were on their way at that time come too late.
      RETURN_IF_ERROR(rollups.CopyUntil(tag + 1, order.keep, &outlets));
      keep = Keep::kNothing;
    }
    rollups.Pass(tag);
    Goes goes = Goes::kStays;
    if (beside.has_value()) {
      ASSIGN_OR_RETURN(const bool has_long, beside->Has(tag));
      goes = GoesOf(of_tag, has_long, keep, order);
    }
    TagSettler settler(no_cache, versions, tag, *type, goes, order.keep, of_tag.extent, keep_going, store,
                       &outlets);
    for (uint64_t left = of_tag.blocks; left > 0; --left) {
      ASSIGN_OR_RETURN(const bool found, behind.Next(&head));
      HISTORIAN_CHECK(found && head.id.tag == tag);  // Both walks see the same moment or a later, larger one.
      if (keep != Keep::kNothing) RETURN_IF_ERROR(settler.Add(std::move(head)));
    }
    if (keep != Keep::kNothing) RETURN_IF_ERROR(settler.Finish());
  }
  RETURN_IF_ERROR(rollups.CopyUntil(UINT32_MAX, order.keep, &outlets));
  return outlets.Finish();
}

absl::StatusOr<std::vector<int32_t>> WeeksToSettleFirst(kv::Store& store, int32_t long_partition,
                                                        absl::FunctionRef<Keep(TagId, int32_t week)> keep,
                                                        const KeepGoing& keep_going) {
  std::set<int32_t> weeks;
  HeadWalk walk(store, long_partition, 0, UINT64_MAX);
  StoredHead head;
  for (;;) {
    ASSIGN_OR_RETURN(const bool more, walk.Next(&head));
    if (!more) return std::vector<int32_t>(weeks.begin(), weeks.end());
    RETURN_IF_ERROR(GoOn(keep_going));
    const TagId tag = head.id.tag;
    for (int32_t week = format::PartitionOf(head.head.first_time());
         week <= format::PartitionOf(head.head.last_time()); ++week) {
      if (weeks.contains(week) || keep(tag, week) != Keep::kRollups) continue;
      const std::string prefix = format::HeadPrefix(week, tag);
      const std::unique_ptr<kv::Cursor> cursor =
          store.NewCursor(kv::Space::kHeads, format::BehindPrefix(prefix));
      cursor->Seek(prefix);
      if (cursor->Valid()) weeks.insert(week);
      RETURN_IF_ERROR(cursor->status());
    }
  }
}

absl::StatusOr<Step> DropPartition(kv::Store& store, int32_t partition, uint64_t seal) {
  BlockWriter writer(store, seal);
  RETURN_IF_ERROR(writer.Drop(partition));
  return Step{.blocks = writer.Finish(), .rewritten = Step::Place{partition, seal}};
}

absl::Status DropSuperseded(kv::Store& store, int32_t week, absl::FunctionRef<Keep(TagId, int32_t)> keep) {
  const std::unique_ptr<kv::Cursor> cursor = store.NewCursor(kv::Space::kSuperseded);
  const std::string end = format::PartitionPrefix(week + 1);
  for (cursor->Seek(format::PartitionPrefix(week)); cursor->Valid() && cursor->key() < end;) {
    ASSIGN_OR_RETURN(const format::BlockId id, format::ParseHeadKey(cursor->key()));
    const std::string behind = format::HeadPrefix(week, id.tag + 1);
    if (keep(id.tag, week) != Keep::kAll) {
      RETURN_IF_ERROR(store.DeleteRange(kv::Space::kSuperseded, format::HeadPrefix(week, id.tag), behind));
    }
    cursor->Seek(behind);
  }
  return cursor->status();
}

}  // namespace historian
