#include "storage/read/fold_reader.h"

#include <algorithm>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "storage/aggregate/even_intervals.h"
#include "storage/format/block.h"
#include "storage/format/key.h"
#include "storage/format/rollup.h"
#include "storage/model/status_macros.h"
#include "storage/read/cluster_cursor.h"
#include "storage/read/figure_cache.h"
#include "storage/read/read_view.h"

namespace historian {
namespace {

// A partition of so few intervals is folded as a whole also when only some are asked for: the others are
// mostly asked for by the next piece of a long range.
constexpr uint64_t kIntervalsWorthAll = 64;

absl::Status CheckEdges(absl::Span<const Timestamp> edges) {
  if (edges.size() >= 2 && edges.front() >= kTimestampMin && edges.back() <= kTimestampMax + 1 &&
      IsStrictlyAscending(edges.data(), edges.size())) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "intervals need two or more ascending edges within 1900-01-01 to 2200-01-01");
}

// How figures are asked for that can be cached: those of even intervals.
struct Cacheable {
  EvenIntervals intervals;
  Timestamp end = 0;  // Where the intervals asked for leave the even ones: the last may be shorter.
  const FoldConfig& config;
  const FigureMaker& maker;
};

std::optional<Cacheable> CacheableOf(absl::Span<const Timestamp> edges, const FoldConfig& config,
                                     const FigureMaker& maker) {
  if (!IntervalFold::CanCache(config, maker.parts)) return std::nullopt;
  const std::optional<EvenIntervals> intervals = EvenIntervals::Of(edges);
  if (!intervals.has_value()) return std::nullopt;
  const Timestamp last = edges[edges.size() - 2];
  const bool last_is_whole = Elapsed(last, edges.back()) == intervals->step;
  return Cacheable{*intervals, last_is_whole ? kTimestampMax + 1 : last, config, maker};
}

// Whether the figures of a run of samples may be cached, which these summaries follow each other in.
template <typename Summaries>
bool CanCache(const Summaries& summaries, const FoldConfig& config) {
  if (summaries.empty()) return true;
  const auto all_certain = [&] {
    return std::all_of(summaries.begin(), summaries.end(), [](const Summary& s) { return s.uncertain == 0; });
  };
  return FigureRunBuilder::CanCache(summaries.front().first, summaries.back().last) &&
         (config.treat_uncertain_as_bad || all_certain());
}

FigureCache::Key KeyOf(const ReadView& view, const Cacheable& cacheable, const format::BlockId& block,
                       uint32_t page) {
  return {block,
          page,
          IntervalFold::PartsFor(view.type, cacheable.config.interpolation, cacheable.maker.parts),
          cacheable.intervals,
          cacheable.maker.id,
          page == FigureCache::kWholePartition ? view.as_of : kVersionNow};
}

// The samples that a slot of a rollup tells, in order of time, some perhaps twice.
std::vector<Sample> KnownOf(const Summary& slot) {
  // An earlier build stored no usable samples.
  if (slot.good == 0 || (slot.parts & kQualities) == 0) return {slot.first, slot.last};
  return {slot.first, slot.first_usable, slot.last_usable, slot.last};
}

// The seal number under which the partition was settled; 0 when it was not, or something newer lies there.
uint64_t SettledSeal(const ReadView& view, int32_t partition) {
  const PartitionState state = view.partitions.Get(partition);
  return state.dirty() || view.TailReaches(partition) ? 0 : state.settled;
}

// A part of a range that lies within one partition.
struct Piece {
  int32_t partition = 0;
  Timestamp from = 0;
  Timestamp to = 0;  // One past.
};

// Calls visit(piece) for each partition in which [start, end) may have samples, in order of time, until one
// returns an error.
template <typename Visit>
absl::Status ForEachPiece(const ReadView& view, Timestamp start, Timestamp end, Visit visit) {
  if (view.empty()) return absl::OkStatus();
  const Timestamp from = std::max(start, view.oldest), to = std::min(end, view.newest + 1);
  for (int32_t p = format::PartitionOf(from); from < to && p <= format::PartitionOf(to - 1); ++p) {
    RETURN_IF_ERROR(
        visit(Piece{p, std::max(from, format::PartitionStart(p)), std::min(to, format::PartitionEnd(p))}));
  }
  return absl::OkStatus();
}

// Under which the figures of all of the partition are cached once the piece was folded. Nothing when they are
// not cached as a whole.
std::optional<FigureCache::Key> WholePartitionKey(const ReadView& view, const Piece& piece,
                                                  const Cacheable& cacheable) {
  const Timestamp start = format::PartitionStart(piece.partition);
  const Timestamp end = format::PartitionEnd(piece.partition);
  const bool whole = piece.from <= std::max(start, view.oldest) && piece.to > std::min(end - 1, view.newest);
  const bool few = cacheable.intervals.step >= format::kPartitionNanos / kIntervalsWorthAll;
  if ((!whole && !few) || end > cacheable.end || view.HasExpired(piece.partition)) return std::nullopt;
  const uint64_t settled = SettledSeal(view, piece.partition);
  if (settled == 0) return std::nullopt;
  return KeyOf(view, cacheable, {piece.partition, view.tag, 0, settled}, FigureCache::kWholePartition);
}

// One fold over a range, by a cursor of its own.
class RangeFold final : private FoldSource {
 public:
  // With `cacheable`, figures of pages, blocks and partitions are copied from the cache to the table.
  RangeFold(const ReadView& view, const Cacheable* cacheable, FigureTable to, const FoldConfig& config,
            absl::Span<const Timestamp> edges, uint32_t parts, IntervalSink sink)
      : view_(view),
        cacheable_(cacheable),
        to_(to),
        config_(config),
        edges_(edges),
        all_fold_(view.type, config, edges, parts, std::move(sink), this),
        fold_(&all_fold_),
        cursor_(view) {}

  absl::Status Run() {
    // A backward interval ends with its late edge.
    const Timestamp start = edges_.front() + config_.backward, end = edges_.back() + config_.backward;
    ASSIGN_OR_RETURN(const std::optional<Sample> before, NeighbourBefore(start));
    AddNeighbour(before);
    RETURN_IF_ERROR(ForEachPiece(view_, start, end, [&](const Piece& piece) -> absl::Status {
      RETURN_IF_ERROR(view_.GoOn());
      return FoldPartition(piece);
    }));
    ASSIGN_OR_RETURN(const std::optional<Sample> behind, NeighbourAtOrAfter(end));
    AddNeighbour(behind);
    RETURN_IF_ERROR(cursor_.head_damage());
    fold_->Finish();
    return source_status_;
  }

  // What is stored of the interval between the edges, and the samples that its figures depend on.
  absl::StatusOr<Evidence> Gather(const EvidenceRequest& request);

 private:
  // FoldSource. An error is kept for Run.
  std::optional<Sample> Before(Timestamp t, Kind kind) override {
    return Kept(NeighbourBefore(std::min(t, kTimestampMax + 1), kind));
  }
  std::optional<Sample> AtOrAfter(Timestamp t, Kind kind) override {
    return t > kTimestampMax ? std::nullopt : Kept(NeighbourAtOrAfter(t, kind));
  }
  std::optional<Sample> Kept(absl::StatusOr<std::optional<Sample>> found) {
    if (found.ok()) return *found;
    source_status_.Update(found.status());
    return std::nullopt;
  }

  void AddNeighbour(const std::optional<Sample>& sample) {
    if (sample.has_value()) fold_->Add({&sample->time, &sample->value, &sample->quality, nullptr, 1});
  }

  // The rollup that stands for all of the partition; null when there is none or something newer lies there.
  absl::StatusOr<std::shared_ptr<const format::Rollup>> RollupOf(int32_t partition);

  // By the shortest way.
  absl::Status FoldPartition(const Piece& piece);
  // Fold the piece into the fold, or into a builder of figures.
  template <typename Sink>
  absl::Status FoldSlots(const format::Rollup& rollup, size_t level, const Piece& piece, Sink* sink);
  template <typename Sink>
  absl::Status FoldClusters(const Piece& piece, Sink* sink);
  // Adds the figures of the block, or else the page, that begins at the cluster, if they are worth caching;
  // returns how many clusters that was.
  absl::StatusOr<size_t> FoldCached(const PartitionView& in, size_t cluster, Timestamp to);
  // What to say when all that is left is a rollup of which the version asked for saw only a part.
  absl::Status StatedLater(const format::Rollup& rollup, int32_t partition) const;
  // What to say when an interval cuts a slot of which nothing else is left.
  absl::Status OnlyRollups(uint64_t slot_ns, int32_t partition) const;
  // What to say when such a slot does not tell what is asked for.
  absl::Status NotInRollups(int32_t partition) const;

  // The tag's nearest samples of a kind, which may be known only as the ends of runs that a rollup sums up.
  absl::StatusOr<std::optional<Sample>> NeighbourBefore(Timestamp t, Kind kind = Kind::kAny);
  absl::StatusOr<std::optional<Sample>> NeighbourAtOrAfter(Timestamp t, Kind kind = Kind::kAny);
  // The same in one partition of which raw samples have expired: of those that are known still.
  absl::StatusOr<std::optional<Sample>> LastKnownBefore(int32_t partition, Timestamp t, Kind kind);
  absl::StatusOr<std::optional<Sample>> FirstKnownAtOrAfter(int32_t partition, Timestamp t, Kind kind);

  // The parts of Gather: where it is stored; the members; the samples beside them, by their times.
  absl::Status GatherSources(const EvidenceRequest& request, Evidence* evidence);
  absl::Status GatherBlocks(const Piece& piece,
                            std::map<std::pair<Timestamp, uint64_t>, EvidenceBlock>* blocks);
  absl::Status GatherMembers(const EvidenceRequest& request, Evidence* evidence);
  absl::StatusOr<std::map<Timestamp, Sample>> NeighboursOf(const EvidenceRequest& request);

  const ReadView& view_;
  const Cacheable* const cacheable_;
  const FigureTable to_;
  const FoldConfig config_;
  const absl::Span<const Timestamp> edges_;
  absl::Status source_status_;
  IntervalFold all_fold_;
  IntervalFold* const fold_;
  ClusterCursor cursor_;
};

absl::StatusOr<std::shared_ptr<const format::Rollup>> RangeFold::RollupOf(int32_t partition) {
  const std::shared_ptr<const format::Rollup> none;
  if (view_.HasAllExpired(partition)) return none;
  if (view_.HasExpired(partition)) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const PartitionView> in, cursor_.In(partition));
    if (in->clusters() == 0) {  // All there is.
      ASSIGN_OR_RETURN(auto rollup, view_.caches.heads.Rollup(partition, view_.tag));
      if (rollup != nullptr && rollup->highest_version > view_.as_of) return StatedLater(*rollup, partition);
      return rollup;
    }
  }
  if (SettledSeal(view_, partition) == 0) return none;
  absl::StatusOr<std::shared_ptr<const format::Rollup>> found =
      view_.caches.heads.Rollup(partition, view_.tag);
  if (absl::IsDataLoss(found.status())) {
    if (view_.note_end != nullptr) view_.note_end(found.status());
    return none;  // The pages that it sums up say the same.
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<const format::Rollup> rollup, std::move(found));
  return rollup == nullptr || rollup->highest_version <= view_.as_of ? rollup : none;
}

absl::Status RangeFold::FoldPartition(const Piece& piece) {
  std::optional<FigureCache::Key> key;
  if (cacheable_ != nullptr) key = WholePartitionKey(view_, piece, *cacheable_);
  FigureCache& figures = view_.caches.figures;
  if (key.has_value()) {
    if (const std::shared_ptr<const FigureRun> run = figures.Find(*key); run != nullptr) {
      fold_->AddFigures(*run, piece.from, piece.to, to_);
      return absl::OkStatus();
    }
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<const format::Rollup> rollup, RollupOf(piece.partition));
  // Intervals shorter than all slots have nothing from them.
  const bool is_short = rollup != nullptr && cacheable_ != nullptr &&
                        cacheable_->intervals.step < rollup->levels[0].slot_ns &&
                        !view_.HasExpired(piece.partition);
  if (rollup == nullptr || is_short) return FoldClusters(piece, fold_);
  const size_t coarsest = rollup->levels.size() - 1;
  if (!key.has_value() || !CanCache(rollup->levels[coarsest].slots, config_)) {
    return FoldSlots(*rollup, coarsest, piece, fold_);
  }
  ASSIGN_OR_RETURN(
      const std::shared_ptr<const FigureRun> run, figures.Get(*key, [&]() -> absl::StatusOr<FigureRun> {
        const Piece all = {piece.partition, format::PartitionStart(piece.partition),
                           format::PartitionEnd(piece.partition)};
        // Each edge of an interval cuts a page, and there are about as many as blocks.
        cursor_.pages().WalkAhead(piece.partition, view_.tag, key->block.seal);
        const std::vector<Summary>& slots = rollup->levels[coarsest].slots;
        FigureRunBuilder builder(view_.type, cacheable_->config, cacheable_->intervals, fold_->parts(),
                                 cacheable_->maker, slots.empty() ? all.from : slots.front().first.time,
                                 slots.empty() ? all.from : slots.back().last.time);
        const absl::Status status = FoldSlots(*rollup, coarsest, all, &builder);
        cursor_.pages().Forget();
        RETURN_IF_ERROR(status);
        RETURN_IF_ERROR(
            cursor_.head_damage());  // Without the clusters of a damaged head this is not the run.
        return builder.Finish();
      }));
  fold_->AddFigures(*run, piece.from, piece.to, to_);
  return absl::OkStatus();
}

template <typename Sink>
absl::Status RangeFold::FoldSlots(const format::Rollup& rollup, size_t level, const Piece& piece,
                                  Sink* sink) {
  const std::vector<Summary>& slots = rollup.levels[level].slots;
  auto slot = std::partition_point(slots.begin(), slots.end(),
                                   [&piece](const Summary& s) { return s.last.time < piece.from; });
  for (; slot != slots.end() && slot->first.time < piece.to; ++slot) {
    const Timestamp first = slot->first.time, last = slot->last.time;
    const bool fits = first >= piece.from && last < piece.to && sink->FitsOneInterval(first, last);
    if (fits && sink->Suffices(*slot)) {
      sink->AddSummary(*slot);
      continue;
    }
    if (level == 0 && view_.HasExpired(piece.partition)) {
      ASSIGN_OR_RETURN(const std::shared_ptr<const PartitionView> in, cursor_.In(piece.partition));
      if (in->clusters() == 0) {
        if (!fits) return OnlyRollups(rollup.levels[0].slot_ns, piece.partition);
        if (!sink->Suffices(*slot, true)) return NotInRollups(piece.partition);
        sink->AddSummary(*slot);
        continue;
      }
    }
    const Piece part = {piece.partition, std::max(piece.from, first), std::min(piece.to, last + 1)};
    RETURN_IF_ERROR(level > 0 ? FoldSlots(rollup, level - 1, part, sink) : FoldClusters(part, sink));
  }
  return absl::OkStatus();
}

template <typename Sink>
absl::Status RangeFold::FoldClusters(const Piece& piece, Sink* sink) {
  const Timestamp from = piece.from, to = piece.to;
  ASSIGN_OR_RETURN(const std::shared_ptr<const PartitionView> in, cursor_.In(piece.partition));
  std::shared_ptr<const Samples> samples;
  for (size_t cluster = in->FirstEndingAtOrAfter(from);
       cluster < in->clusters() && in->first_time(cluster) < to; ++cluster) {
    const Timestamp first = in->first_time(cluster), last = in->last_time(cluster);
    const Summary* summary = in->summary(cluster);
    if (summary != nullptr && first >= from && last < to && sink->FitsOneInterval(first, last) &&
        sink->Suffices(*summary)) {
      sink->AddSummary(*summary);
      continue;
    }
    RETURN_IF_ERROR(view_.GoOn());
    if constexpr (std::is_same_v<Sink, IntervalFold>) {  // A builder makes what is cached.
      if (cacheable_ != nullptr && first >= from && last < to && last < cacheable_->end) {
        ASSIGN_OR_RETURN(const size_t folded, FoldCached(*in, cluster, to));
        if (folded > 0) {
          cluster += folded - 1;
          continue;
        }
      }
    }
    RETURN_IF_ERROR(in->Read(cluster, cursor_.pages(), &samples));
    const std::vector<Timestamp>& times = samples->times;
    const auto begin = first >= from ? times.begin() : std::lower_bound(times.begin(), times.end(), from);
    const auto end = last < to ? times.end() : std::lower_bound(begin, times.end(), to);
    sink->Add(samples->View().Slice(begin - times.begin(), end - begin));
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> RangeFold::FoldCached(const PartitionView& in, size_t cluster, Timestamp to) {
  const PartitionView::BlockPage page = in.block_page(cluster);
  if (page.block == nullptr) return 0;
  const format::BlockHead& head = page.block->head;
  size_t count = in.whole_block(cluster);
  if (count > 0 && (head.last_time() >= to || head.last_time() >= cacheable_->end)) count = 0;
  FigureCache::Key key = KeyOf(view_, *cacheable_, page.block->id, FigureCache::kWholeBlock);
  if (count == 0) {
    count = 1;
    key.page = static_cast<uint32_t>(page.block->first_page + page.index);
  }
  const Summary& first = head.pages[page.index].summary;
  const Summary& last = head.pages[page.index + count - 1].summary;
  uint64_t size = 0;
  bool certain = true;
  for (size_t i = 0; i < count; ++i) {
    size += head.pages[page.index + i].summary.count;
    certain = certain && head.pages[page.index + i].summary.uncertain == 0;
  }
  if (!FigureRunBuilder::CanCache(first.first, last.last) || !(certain || config_.treat_uncertain_as_bad)) {
    return 0;
  }
  if (!FigureCache::IsWorthwhile(cacheable_->intervals, size, first.first.time, last.last.time)) return 0;
  ASSIGN_OR_RETURN(
      const std::shared_ptr<const FigureRun> run,
      view_.caches.figures.Get(key, [&]() -> absl::StatusOr<FigureRun> {
        FigureRunBuilder builder(view_.type, cacheable_->config, cacheable_->intervals, fold_->parts(),
                                 cacheable_->maker, first.first.time, last.last.time);
        std::shared_ptr<const Samples> samples;
        for (size_t i = 0; i < count; ++i) {
          const Summary& summary = head.pages[page.index + i].summary;
          if (builder.FitsOneInterval(summary.first.time, summary.last.time) && builder.Suffices(summary)) {
            builder.AddSummary(summary);
            continue;
          }
          RETURN_IF_ERROR(in.Read(cluster + i, cursor_.pages(), &samples));
          builder.Add(samples->View());
        }
        return builder.Finish();
      }));
  fold_->AddFigures(*run, first.first.time, last.last.time + 1, to_);
  return count;
}

absl::Status RangeFold::StatedLater(const format::Rollup& rollup, int32_t partition) const {
  return absl::FailedPreconditionError(absl::StrCat(
      "tag ", view_.tag, " has only rollups from ", FormatTimestamp(format::PartitionStart(partition)),
      " to ", FormatTimestamp(format::PartitionEnd(partition)),
      ", its raw samples have expired: what it said can be read as of version ", rollup.highest_version,
      " and later ones"));
}

absl::Status RangeFold::OnlyRollups(uint64_t slot_ns, int32_t partition) const {
  return absl::FailedPreconditionError(absl::StrCat(
      "tag ", view_.tag, " has only rollups of ", absl::FormatDuration(absl::Nanoseconds(slot_ns)), " from ",
      FormatTimestamp(format::PartitionStart(partition)), " to ",
      FormatTimestamp(format::PartitionEnd(partition)),
      ", its raw samples have expired: ask for intervals that begin and end on whole multiples of that "
      "(UTC)"));
}

absl::Status RangeFold::NotInRollups(int32_t partition) const {
  return absl::FailedPreconditionError(absl::StrCat(
      "tag ", view_.tag, " has only rollups from ", FormatTimestamp(format::PartitionStart(partition)),
      " to ", FormatTimestamp(format::PartitionEnd(partition)),
      ", its raw samples have expired: samples there that are Bad or Uncertain would be needed one by one. "
      "Ask with "
      "TreatUncertainAsBad, and for aggregates with simple bounds"));
}

absl::StatusOr<std::optional<Sample>> RangeFold::LastKnownBefore(int32_t partition, Timestamp t, Kind kind) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const format::Rollup> rollup, RollupOf(partition));
  if (rollup == nullptr) {
    ASSIGN_OR_RETURN(std::optional<Sample> sample, cursor_.SampleBeforeIn(partition, t));
    while (sample.has_value() && !Is(kind, view_.type, *sample)) {
      ASSIGN_OR_RETURN(sample, cursor_.SampleBeforeIn(partition, sample->time));
    }
    return sample;
  }
  const std::vector<Summary>& slots = rollup->levels.front().slots;
  auto slot =
      std::partition_point(slots.begin(), slots.end(), [t](const Summary& s) { return s.first.time < t; });
  while (slot != slots.begin()) {
    --slot;
    const std::vector<Sample> known = KnownOf(*slot);
    for (auto sample = known.rbegin(); sample != known.rend(); ++sample) {
      if (sample->time < t && Is(kind, view_.type, *sample)) return std::optional<Sample>(*sample);
    }
  }
  return std::optional<Sample>();
}

absl::StatusOr<std::optional<Sample>> RangeFold::FirstKnownAtOrAfter(int32_t partition, Timestamp t,
                                                                     Kind kind) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const format::Rollup> rollup, RollupOf(partition));
  if (rollup == nullptr) {
    ASSIGN_OR_RETURN(std::optional<Sample> sample, cursor_.SampleAtOrAfterIn(partition, t));
    while (sample.has_value() && !Is(kind, view_.type, *sample)) {
      ASSIGN_OR_RETURN(sample, cursor_.SampleAtOrAfterIn(partition, sample->time + 1));
    }
    return sample;
  }
  const std::vector<Summary>& slots = rollup->levels.front().slots;
  auto slot =
      std::partition_point(slots.begin(), slots.end(), [t](const Summary& s) { return s.last.time < t; });
  for (; slot != slots.end(); ++slot) {
    for (const Sample& sample : KnownOf(*slot)) {
      if (sample.time >= t && Is(kind, view_.type, sample)) return std::optional<Sample>(sample);
    }
  }
  return std::optional<Sample>();
}

absl::StatusOr<std::optional<Sample>> RangeFold::NeighbourBefore(Timestamp t, Kind kind) {
  ASSIGN_OR_RETURN(const std::optional<Sample> raw, cursor_.SampleBefore(t, kind));
  if (view_.expired->Of(view_.tag) == nullptr || view_.empty()) return raw;
  const int32_t first = format::PartitionOf(raw.has_value() ? raw->time : view_.oldest);
  for (int32_t p = format::PartitionOf(std::min(t, view_.newest)); p >= first; --p) {
    if (!view_.HasExpired(p) || view_.HasAllExpired(p)) continue;
    ASSIGN_OR_RETURN(const std::optional<Sample> known, LastKnownBefore(p, t, kind));
    if (known.has_value()) return known;
  }
  return raw;
}

absl::StatusOr<std::optional<Sample>> RangeFold::NeighbourAtOrAfter(Timestamp t, Kind kind) {
  ASSIGN_OR_RETURN(const std::optional<Sample> raw, cursor_.SampleAtOrAfter(t, kind));
  if (view_.expired->Of(view_.tag) == nullptr || view_.empty()) return raw;
  const int32_t last = format::PartitionOf(raw.has_value() ? raw->time : view_.newest);
  for (int32_t p = format::PartitionOf(std::max(t, view_.oldest)); p <= last; ++p) {
    if (!view_.HasExpired(p) || view_.HasAllExpired(p)) continue;
    ASSIGN_OR_RETURN(const std::optional<Sample> known, FirstKnownAtOrAfter(p, t, kind));
    if (known.has_value()) return known;
  }
  return raw;
}

// ---- What figures rest on

absl::Status RangeFold::GatherBlocks(const Piece& piece,
                                     std::map<std::pair<Timestamp, uint64_t>, EvidenceBlock>* blocks) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const TagHeads> heads,
                   view_.caches.heads.Get(piece.partition, view_.tag, cursor_.pages()));
  RETURN_IF_ERROR(heads->stored->damage);
  for (const StoredHead& stored : heads->stored->heads) {
    for (size_t i = 0; i < stored.head.pages.size(); ++i) {
      const format::PageInfo& page = stored.head.pages[i];
      if (page.summary.last.time < piece.from || page.summary.first.time >= piece.to) continue;
      const uint32_t number = static_cast<uint32_t>(stored.first_page + i);
      const auto [at, is_new] = blocks->try_emplace({stored.id.first_time, stored.id.seal});
      EvidenceBlock& block = at->second;
      if (is_new) {
        std::optional<format::BlockHead> whole;
        if (!stored.has_all_pages()) {
          ASSIGN_OR_RETURN(whole, format::DecodeBlockHead(stored.whole));
        }
        const format::BlockHead& head = whole.has_value() ? *whole : stored.head;
        block = {.id = stored.id,
                 .first_time = head.first_time(),
                 .last_time = head.last_time(),
                 .samples = head.count(),
                 .pages = static_cast<uint32_t>(head.pages.size()),
                 .bytes = stored.head_bytes + head.payload_size(),
                 .first_page_read = number,
                 .lowest_version = page.lowest_version,
                 .highest_version = page.highest_version};
      }
      // A page of a long partition may reach into two weeks.
      block.pages_read = std::max(block.pages_read, number + 1 - block.first_page_read);
      block.lowest_version = std::min(block.lowest_version, page.lowest_version);
      block.highest_version = std::max(block.highest_version, page.highest_version);
    }
  }
  return absl::OkStatus();
}

absl::Status RangeFold::GatherSources(const EvidenceRequest& request, Evidence* evidence) {
  std::map<std::pair<Timestamp, uint64_t>, EvidenceBlock> blocks;
  RETURN_IF_ERROR(ForEachPiece(view_, request.start, request.end, [&](const Piece& piece) -> absl::Status {
    RETURN_IF_ERROR(view_.GoOn());
    EvidencePartition in{.partition = piece.partition,
                         .raw_has_expired = view_.HasExpired(piece.partition),
                         .all_has_expired = view_.HasAllExpired(piece.partition),
                         .has_tail = view_.TailReaches(piece.partition)};
    evidence->raw_has_expired |= in.raw_has_expired;
    ASSIGN_OR_RETURN(const std::shared_ptr<const format::Rollup> rollup, RollupOf(piece.partition));
    if (rollup != nullptr) {
      in.has_rollup = true;
      in.finest_slot_ns = rollup->levels.front().slot_ns;
      in.rollup_version = rollup->highest_version;
    }
    const size_t blocks_before = blocks.size();
    if (!in.raw_has_expired) RETURN_IF_ERROR(GatherBlocks(piece, &blocks));
    const bool has_any = in.raw_has_expired || in.has_tail || in.has_rollup || blocks.size() > blocks_before;
    if (has_any && evidence->partitions.size() < kEvidencePartitionsMax) {
      evidence->partitions.push_back(in);
    } else if (has_any) {
      ++evidence->partitions_left_off;
    }
    while (blocks.size() > kEvidenceBlocksMax) {
      blocks.erase(std::prev(blocks.end()));
      ++evidence->blocks_left_off;
    }
    return absl::OkStatus();
  }));
  for (const auto& [key, block] : blocks) evidence->blocks.push_back(block);
  return absl::OkStatus();
}

absl::Status RangeFold::GatherMembers(const EvidenceRequest& request, Evidence* evidence) {
  // What summaries tell is counted first, so that too many are not read at all.
  const auto is_whole = [&](const ClusterCursor::Position& at) {
    return at.summary() != nullptr && at.first_time() >= request.start && at.last_time() < request.end;
  };
  ASSIGN_OR_RETURN(ClusterCursor::Position at, cursor_.Seek(request.start));
  uint64_t known = 0;
  for (; at.valid() && at.first_time() < request.end && known <= request.members_max;) {
    RETURN_IF_ERROR(view_.GoOn());
    if (is_whole(at)) known += at.summary()->count;
    RETURN_IF_ERROR(cursor_.Next(&at));
  }
  evidence->too_many = known > request.members_max;
  if (evidence->too_many) return absl::OkStatus();
  Samples& members = evidence->samples;
  std::shared_ptr<const Samples> cluster;
  ASSIGN_OR_RETURN(at, cursor_.Seek(request.start));
  for (; at.valid() && at.first_time() < request.end;) {
    RETURN_IF_ERROR(view_.GoOn());
    RETURN_IF_ERROR(cursor_.Read(at, &cluster));
    const std::vector<Timestamp>& times = cluster->times;
    const auto begin = std::lower_bound(times.begin(), times.end(), request.start);
    const auto end = std::lower_bound(begin, times.end(), request.end);
    const size_t count = end - begin;
    // Where only a part of its samples are kept, this is too high.
    const uint64_t text_bytes = cluster->strings.TextBytes();
    if (members.size() + count > request.members_max ||
        (request.take != nullptr && !request.take(count, text_bytes))) {
      members.Clear();
      evidence->too_many = true;
      return absl::OkStatus();
    }
    members.Append(view_.type, cluster->View(), begin - times.begin(), count);
    RETURN_IF_ERROR(cursor_.Next(&at));
  }
  evidence->has_members = true;
  return absl::OkStatus();
}

absl::StatusOr<std::map<Timestamp, Sample>> RangeFold::NeighboursOf(const EvidenceRequest& request) {
  std::map<Timestamp, Sample> neighbours;
  const auto add = [&](const std::optional<Sample>& sample) {
    const bool is_member = sample.has_value() && sample->time >= request.start && sample->time < request.end;
    if (sample.has_value() && !is_member) neighbours.emplace(sample->time, *sample);
  };
  const Kind counted = request.config.treat_uncertain_as_bad ? Kind::kUsable : Kind::kCounted;
  ASSIGN_OR_RETURN(const std::optional<Sample> first, NeighbourAtOrAfter(kTimestampMin, Kind::kData));
  ASSIGN_OR_RETURN(const std::optional<Sample> newest, NeighbourBefore(kTimestampMax + 1, Kind::kData));
  if (newest.has_value() && newest->time < kTimestampMax) {
    // What is no data behind the newest says that its value does not hold.
    ASSIGN_OR_RETURN(const std::optional<Sample> behind, NeighbourAtOrAfter(newest->time + 1));
    add(behind);
  }
  add(first);
  add(newest);
  ASSIGN_OR_RETURN(const std::optional<Sample> before, NeighbourBefore(request.start));
  add(before);
  ASSIGN_OR_RETURN(std::optional<Sample> last, NeighbourBefore(request.start, counted));
  add(last);
  if (last.has_value() && last->time > kTimestampMin) {
    ASSIGN_OR_RETURN(const std::optional<Sample> second, NeighbourBefore(last->time, counted));
    add(second);
  }
  if (request.end <= kTimestampMax) {
    ASSIGN_OR_RETURN(const std::optional<Sample> after, NeighbourAtOrAfter(request.end));
    add(after);
    ASSIGN_OR_RETURN(const std::optional<Sample> next, NeighbourAtOrAfter(request.end, counted));
    add(next);
  }
  return neighbours;
}

absl::StatusOr<Evidence> RangeFold::Gather(const EvidenceRequest& request) {
  Evidence evidence;
  RETURN_IF_ERROR(GatherSources(request, &evidence));
  if (!evidence.raw_has_expired) RETURN_IF_ERROR(GatherMembers(request, &evidence));
  if (evidence.has_members) {
    ASSIGN_OR_RETURN(const auto neighbours, NeighboursOf(request));
    Samples all;
    const auto add = [&](const Sample& sample) {
      if (view_.type == ValueType::kString) {
        all.AddString(sample.time, "", sample.quality);  // Neighbours come without their texts.
      } else {
        all.Add(sample.time, sample.value, sample.quality);
      }
    };
    const auto behind = neighbours.lower_bound(request.start);
    for (auto it = neighbours.begin(); it != behind; ++it) add(it->second);
    all.Append(view_.type, evidence.samples.View());
    for (auto it = behind; it != neighbours.end(); ++it) add(it->second);
    evidence.samples = std::move(all);
  }
  RETURN_IF_ERROR(cursor_.head_damage());
  return evidence;
}

// ---- The reader

class ViewFoldReader final : public FoldReader {
 public:
  explicit ViewFoldReader(ReadView view) : view_(std::move(view)) {}

  absl::Status Fold(absl::Span<const Timestamp> edges, const FoldConfig& config, uint32_t parts,
                    IntervalSink sink) const override {
    RETURN_IF_ERROR(CheckEdges(edges));
    return view_.Ended(RangeFold(view_, nullptr, {}, config, edges, parts, std::move(sink)).Run());
  }

  absl::Status Figures(absl::Span<const Timestamp> edges, const FoldConfig& config, const FigureMaker& maker,
                       FigureTable to) const override {
    RETURN_IF_ERROR(CheckEdges(edges));
    const std::optional<Cacheable> cacheable = CacheableOf(edges, config, maker);
    return view_.Ended(RangeFold(view_, cacheable.has_value() ? &*cacheable : nullptr, to, config, edges,
                                 maker.parts,
                                 [&](size_t i, const Interval& interval) { maker.make(interval, i, to); })
                           .Run());
  }

  uint64_t NanosToFold(absl::Span<const Timestamp> edges, const FoldConfig& config,
                       const FigureMaker& maker) const override {
    if (!CheckEdges(edges).ok()) return 0;
    const std::optional<Cacheable> cacheable = CacheableOf(edges, config, maker);
    uint64_t nanos = 0;
    const absl::Status visited = ForEachPiece(view_, edges.front(), edges.back(), [&](const Piece& piece) {
      if (!IsCheap(piece, cacheable)) nanos += Elapsed(piece.from, piece.to);
      return absl::OkStatus();
    });
    HISTORIAN_CHECK(visited.ok());
    return nanos;
  }

  absl::StatusOr<std::optional<Timestamp>> NewestTime() const override {
    if (view_.empty()) return std::optional<Timestamp>();
    if (view_.as_of == kVersionNow) return std::optional<Timestamp>(view_.newest);
    ASSIGN_OR_RETURN(const std::optional<Sample> newest, SampleBefore(kTimestampMax + 1));
    return newest.has_value() ? std::optional<Timestamp>(newest->time) : std::nullopt;
  }

  absl::StatusOr<Evidence> Gather(const EvidenceRequest& request) const override {
    const Timestamp edges[] = {request.start, request.end};
    RETURN_IF_ERROR(CheckEdges(edges));
    RangeFold fold(view_, nullptr, {}, request.config, edges, 0, [](size_t, const Interval&) {});
    return view_.Ended(fold.Gather(request));
  }

  absl::StatusOr<std::optional<Sample>> SampleBefore(Timestamp t) const override {
    return view_.Ended(ClusterCursor(view_).SampleBefore(std::clamp(t, kTimestampMin, kTimestampMax + 1)));
  }
  absl::StatusOr<std::optional<Sample>> SampleAtOrAfter(Timestamp t) const override {
    return view_.Ended(ClusterCursor(view_).SampleAtOrAfter(std::clamp(t, kTimestampMin, kTimestampMax + 1)));
  }

 private:
  bool IsCheap(const Piece& piece, const std::optional<Cacheable>& cacheable) const {
    const auto has_blocks = [this](int32_t partition) { return view_.partitions.Get(partition).blocks > 0; };
    if (!has_blocks(piece.partition) && !has_blocks(format::LongPartitionOfWeek(piece.partition)))
      return true;
    if (view_.HasAllExpired(piece.partition)) return true;
    if (!cacheable.has_value()) return false;
    if (const auto key = WholePartitionKey(view_, piece, *cacheable); key.has_value()) {
      return view_.caches.figures.Has(*key);
    }
    const bool is_whole = piece.from == format::PartitionStart(piece.partition) &&
                          piece.to == format::PartitionEnd(piece.partition);
    return !is_whole;
  }

  const ReadView view_;
};

}  // namespace

std::unique_ptr<FoldReader> NewFoldReader(ReadView view) {
  return std::make_unique<ViewFoldReader>(std::move(view));
}

}  // namespace historian
