#include "storage/read/tag_reader.h"

#include <algorithm>
#include <numeric>
#include <type_traits>
#include <utility>

#include "storage/aggregate/at_time.h"
#include "storage/format/key.h"
#include "storage/model/status_macros.h"

namespace historian {
namespace {

// A partition of so few intervals is folded as a whole also when only some are asked for: the others are
// mostly asked for by the next piece of a long range.
constexpr uint64_t kIntervalsWorthAll = 64;

Sample SampleAt(ValueType type, const SamplesView& samples, size_t i) {
  return {samples.times[i], type == ValueType::kString ? 0 : samples.values[i], samples.QualityAt(i)};
}

}  // namespace

absl::StatusOr<std::shared_ptr<const PartitionView>> TagReader::View(int32_t partition) {
  if (view_ != nullptr && view_partition_ == partition) return view_;
  if (keep_going_ != nullptr) RETURN_IF_ERROR(keep_going_());
  const bool expired = sources_.HasAllExpired(partition);
  std::shared_ptr<const TagHeads> heads;
  if (!expired) {
    ASSIGN_OR_RETURN(heads, heads_.Get(partition, sources_.tag));
    if (!heads->stored->damage.ok()) head_damage_ = heads->stored->damage;
  }
  const bool has_tail = !expired && TailReaches(partition);
  if (heads != nullptr && !has_tail) {
    view_ = heads->view;
  } else {
    view_ = std::make_shared<const PartitionView>(
        sources_.tag, sources_.type, partition,
        heads == nullptr ? std::make_shared<const StoredHeads>() : heads->stored,
        has_tail ? sources_.tail : nullptr);
  }
  view_partition_ = partition;
  return view_;
}

absl::Status TagReader::Forward(Position* position, int32_t partition) {
  *position = Position();
  if (sources_.oldest > sources_.newest) return absl::OkStatus();
  const int32_t last = format::PartitionOf(sources_.newest);
  for (partition = std::max(partition, format::PartitionOf(sources_.oldest)); partition <= last;
       ++partition) {
    if (sources_.HasExpired(partition)) continue;
    ASSIGN_OR_RETURN(std::shared_ptr<const PartitionView> view, View(partition));
    if (view->clusters() == 0) continue;
    position->partition_ = partition;
    position->view_ = std::move(view);
    position->cluster_ = 0;
    break;
  }
  return absl::OkStatus();
}

absl::Status TagReader::Backward(Position* position, int32_t partition) {
  *position = Position();
  if (sources_.oldest > sources_.newest) return absl::OkStatus();
  const int32_t first = format::PartitionOf(sources_.oldest);
  for (partition = std::min(partition, format::PartitionOf(sources_.newest)); partition >= first;
       --partition) {
    if (sources_.HasExpired(partition)) continue;
    ASSIGN_OR_RETURN(std::shared_ptr<const PartitionView> view, View(partition));
    if (view->clusters() == 0) continue;
    position->partition_ = partition;
    position->cluster_ = view->clusters() - 1;
    position->view_ = std::move(view);
    break;
  }
  return absl::OkStatus();
}

absl::StatusOr<TagReader::Position> TagReader::Seek(Timestamp t) {
  Position position;
  RETURN_IF_ERROR(Forward(&position, format::PartitionOf(t)));
  while (position.valid() && position.last_time() < t) {
    position.cluster_ = position.view_->FirstEndingAtOrAfter(t);
    if (position.cluster_ == position.view_->clusters()) {
      RETURN_IF_ERROR(Forward(&position, position.partition_ + 1));
    }
  }
  return position;
}

absl::StatusOr<TagReader::Position> TagReader::SeekBefore(Timestamp t) {
  ASSIGN_OR_RETURN(Position position, Seek(t));
  if (position.valid() && position.first_time() < t) return position;
  if (position.valid()) {
    RETURN_IF_ERROR(Prev(&position));
  } else {
    RETURN_IF_ERROR(Backward(&position, format::PartitionOf(t)));
  }
  return position;
}

absl::Status TagReader::Next(Position* position) {
  if (++position->cluster_ < position->view_->clusters()) return absl::OkStatus();
  return Forward(position, position->partition_ + 1);
}

absl::Status TagReader::Prev(Position* position) {
  if (position->cluster_-- > 0) return absl::OkStatus();
  return Backward(position, position->partition_ - 1);
}

absl::Status TagReader::Read(const Position& position, std::shared_ptr<const Samples>* samples) {
  if (keep_going_ != nullptr) RETURN_IF_ERROR(keep_going_());
  return position.view_->Read(position.cluster_, pages_, samples);
}

bool TagReader::TailReaches(int32_t partition) const {
  return sources_.tail != nullptr &&
         sources_.tail->Reaches(format::PartitionStart(partition), format::PartitionStart(partition + 1) - 1);
}

uint64_t TagReader::SettledSeal(int32_t partition) const {
  const PartitionState state = partitions_.Get(partition);
  return state.dirty() || TailReaches(partition) ? 0 : state.settled;
}

absl::StatusOr<std::shared_ptr<const format::Rollup>> TagReader::RollupOf(int32_t partition) {
  const std::shared_ptr<const format::Rollup> none;
  if (sources_.HasAllExpired(partition)) return none;
  if (sources_.HasExpired(partition)) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const PartitionView> view, View(partition));
    if (view->clusters() == 0) return heads_.Rollup(partition, sources_.tag);  // All there is.
  }
  if (SettledSeal(partition) == 0) return none;
  return heads_.Rollup(partition, sources_.tag);
}

absl::StatusOr<size_t> TagReader::FoldKept(const PartitionView& view, size_t cluster, Timestamp to,
                                           const Kept& kept, IntervalFold* fold) {
  const PartitionView::BlockPage page = view.block_page(cluster);
  if (page.block == nullptr) return 0;
  const format::BlockHead& head = page.block->head;
  size_t count = view.whole_block(cluster);
  if (count > 0 && (head.last_time() >= to || head.last_time() >= kept.end)) count = 0;
  FigureCache::Key key = KeyOf(kept, page.block->id, FigureCache::kWholeBlock);
  if (count == 0) {
    count = 1;
    key.page = static_cast<uint32_t>(page.index);
  }
  const Summary& first = head.pages[page.index].summary;
  const Summary& last = head.pages[page.index + count - 1].summary;
  uint64_t size = 0;
  for (size_t i = 0; i < count; ++i) size += head.pages[page.index + i].summary.count;
  if (!FigureCache::IsWorthwhile(kept.intervals, size, first.first.time, last.last.time)) return 0;
  ASSIGN_OR_RETURN(const std::shared_ptr<const FigureRun> run,
                   figures_.Get(key, [&]() -> absl::StatusOr<FigureRun> {
                     FigureRunBuilder builder(sources_.type, kept.interpolation, kept.intervals,
                                              fold->parts(), kept.maker, first.first.time, last.last.time);
                     std::shared_ptr<const Samples> samples;
                     for (size_t i = 0; i < count; ++i) {
                       const Summary& summary = head.pages[page.index + i].summary;
                       if (builder.FitsOneInterval(summary.first.time, summary.last.time)) {
                         builder.AddSummary(summary);
                         continue;
                       }
                       RETURN_IF_ERROR(view.Read(cluster + i, pages_, &samples));
                       builder.Add(samples->View());
                     }
                     return builder.Finish();
                   }));
  fold->AddFigures(*run, first.first.time, last.last.time + 1, kept.to);
  return count;
}

template <typename Sink>
absl::Status TagReader::FoldClusters(int32_t partition, Timestamp from, Timestamp to, const Kept* kept,
                                     Sink* sink) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const PartitionView> view, View(partition));
  std::shared_ptr<const Samples> samples;
  for (size_t cluster = view->FirstEndingAtOrAfter(from);
       cluster < view->clusters() && view->first_time(cluster) < to; ++cluster) {
    const Timestamp first = view->first_time(cluster), last = view->last_time(cluster);
    const Summary* summary = view->summary(cluster);
    if (summary != nullptr && first >= from && last < to && sink->FitsOneInterval(first, last)) {
      sink->AddSummary(*summary);
      continue;
    }
    if (keep_going_ != nullptr) RETURN_IF_ERROR(keep_going_());
    if constexpr (std::is_same_v<Sink, IntervalFold>) {  // A builder makes what is kept.
      if (kept != nullptr && first >= from && last < to && last < kept->end) {
        ASSIGN_OR_RETURN(const size_t folded, FoldKept(*view, cluster, to, *kept, sink));
        if (folded > 0) {
          cluster += folded - 1;
          continue;
        }
      }
    }
    RETURN_IF_ERROR(view->Read(cluster, pages_, &samples));
    const std::vector<Timestamp>& times = samples->times;
    const auto begin = first >= from ? times.begin() : std::lower_bound(times.begin(), times.end(), from);
    const auto end = last < to ? times.end() : std::lower_bound(begin, times.end(), to);
    sink->Add(samples->View().Slice(begin - times.begin(), end - begin));
  }
  return absl::OkStatus();
}

absl::Status TagReader::OnlyRollups(uint64_t slot_ns, int32_t partition) const {
  return absl::FailedPreconditionError(absl::StrCat(
      "tag ", sources_.tag, " has only rollups of ", absl::FormatDuration(absl::Nanoseconds(slot_ns)),
      " from ", FormatTimestamp(format::PartitionStart(partition)), " to ",
      FormatTimestamp(format::PartitionStart(partition + 1)),
      ", its raw samples have expired: ask for intervals that begin and end on whole multiples of that "
      "(UTC)"));
}

template <typename Sink>
absl::Status TagReader::FoldSlots(const format::Rollup& rollup, size_t level, int32_t partition,
                                  Timestamp from, Timestamp to, const Kept* kept, Sink* sink) {
  const std::vector<Summary>& slots = rollup.levels[level].slots;
  auto slot = std::partition_point(slots.begin(), slots.end(),
                                   [from](const Summary& s) { return s.last.time < from; });
  for (; slot != slots.end() && slot->first.time < to; ++slot) {
    const Timestamp first = slot->first.time, last = slot->last.time;
    if (first >= from && last < to && sink->FitsOneInterval(first, last)) {
      sink->AddSummary(*slot);
      continue;
    }
    if (level == 0 && sources_.HasExpired(partition)) {
      ASSIGN_OR_RETURN(const std::shared_ptr<const PartitionView> view, View(partition));
      if (view->clusters() == 0) return OnlyRollups(rollup.levels[0].slot_ns, partition);
    }
    const Timestamp part_from = std::max(from, first), part_to = std::min(to, last + 1);
    RETURN_IF_ERROR(level > 0 ? FoldSlots(rollup, level - 1, partition, part_from, part_to, kept, sink)
                              : FoldClusters(partition, part_from, part_to, kept, sink));
  }
  return absl::OkStatus();
}

absl::Status TagReader::FoldPartition(int32_t partition, Timestamp from, Timestamp to, const Kept* kept,
                                      IntervalFold* fold) {
  const Timestamp start = format::PartitionStart(partition), end = format::PartitionStart(partition + 1);
  const bool whole = from <= std::max(start, sources_.oldest) && to > std::min(end - 1, sources_.newest);
  const bool few = kept != nullptr && kept->intervals.step >= format::kPartitionNanos / kIntervalsWorthAll;
  const uint64_t settled =
      kept != nullptr && (whole || few) && end <= kept->end && !sources_.HasExpired(partition)
          ? SettledSeal(partition)
          : 0;
  std::optional<FigureCache::Key> key;
  if (settled != 0) {
    key = KeyOf(*kept, {partition, sources_.tag, 0, settled}, FigureCache::kWholePartition);
    if (const std::shared_ptr<const FigureRun> run = figures_.Find(*key); run != nullptr) {
      fold->AddFigures(*run, from, to, kept->to);
      return absl::OkStatus();
    }
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<const format::Rollup> rollup, RollupOf(partition));
  // Intervals shorter than all slots have nothing from them.
  const bool is_short = rollup != nullptr && kept != nullptr &&
                        kept->intervals.step < rollup->levels[0].slot_ns && !sources_.HasExpired(partition);
  if (rollup == nullptr || is_short) return FoldClusters(partition, from, to, kept, fold);
  const size_t coarsest = rollup->levels.size() - 1;
  if (!key.has_value()) return FoldSlots(*rollup, coarsest, partition, from, to, kept, fold);
  ASSIGN_OR_RETURN(
      const std::shared_ptr<const FigureRun> run, figures_.Get(*key, [&]() -> absl::StatusOr<FigureRun> {
        // Each edge of an interval cuts a page, and there are about as many as blocks.
        pages_.WalkAhead(partition, sources_.tag, settled);
        const std::vector<Summary>& slots = rollup->levels[coarsest].slots;
        FigureRunBuilder builder(sources_.type, kept->interpolation, kept->intervals, fold->parts(),
                                 kept->maker, slots.empty() ? start : slots.front().first.time,
                                 slots.empty() ? start : slots.back().last.time);
        const absl::Status status = FoldSlots(*rollup, coarsest, partition, start, end, nullptr, &builder);
        pages_.Forget();
        RETURN_IF_ERROR(status);
        RETURN_IF_ERROR(head_damage_);  // Without the clusters of a damaged head this is not the run.
        return builder.Finish();
      }));
  fold->AddFigures(*run, from, to, kept->to);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Sample>> TagReader::LastBeforeIn(int32_t partition, Timestamp t) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const format::Rollup> rollup, RollupOf(partition));
  if (rollup != nullptr) {
    const std::vector<Summary>& slots = rollup->levels.front().slots;
    const auto behind =
        std::partition_point(slots.begin(), slots.end(), [t](const Summary& s) { return s.first.time < t; });
    if (behind == slots.begin()) return std::optional<Sample>();
    const Summary& slot = *(behind - 1);
    return std::optional<Sample>(slot.last.time < t ? slot.last : slot.first);
  }
  Position position;
  ASSIGN_OR_RETURN(position.view_, View(partition));
  position.cluster_ = position.view_->FirstEndingAtOrAfter(t);
  if (position.cluster_ == position.view_->clusters() || position.first_time() >= t) {
    if (position.cluster_-- == 0) return std::optional<Sample>();
  }
  return LastBefore(position, t);
}

absl::StatusOr<std::optional<Sample>> TagReader::FirstAtOrAfterIn(int32_t partition, Timestamp t) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const format::Rollup> rollup, RollupOf(partition));
  if (rollup != nullptr) {
    const std::vector<Summary>& slots = rollup->levels.front().slots;
    const auto slot =
        std::partition_point(slots.begin(), slots.end(), [t](const Summary& s) { return s.last.time < t; });
    if (slot == slots.end()) return std::optional<Sample>();
    return std::optional<Sample>(slot->first.time < t ? slot->last : slot->first);
  }
  Position position;
  ASSIGN_OR_RETURN(position.view_, View(partition));
  position.cluster_ = position.view_->FirstEndingAtOrAfter(t);
  if (position.cluster_ == position.view_->clusters()) return std::optional<Sample>();
  return FirstAtOrAfter(position, t);
}

absl::StatusOr<std::optional<Sample>> TagReader::NeighbourBefore(Timestamp t) {
  ASSIGN_OR_RETURN(const std::optional<Sample> raw, SampleBefore(t));
  if (sources_.expired->Of(sources_.tag) == nullptr || sources_.oldest > sources_.newest) return raw;
  const int32_t first = format::PartitionOf(raw.has_value() ? raw->time : sources_.oldest);
  for (int32_t p = format::PartitionOf(std::min(t, sources_.newest)); p >= first; --p) {
    if (!sources_.HasExpired(p) || sources_.HasAllExpired(p)) continue;
    ASSIGN_OR_RETURN(const std::optional<Sample> end, LastBeforeIn(p, t));
    if (end.has_value()) return end;
  }
  return raw;
}

absl::StatusOr<std::optional<Sample>> TagReader::NeighbourAtOrAfter(Timestamp t) {
  ASSIGN_OR_RETURN(const std::optional<Sample> raw, SampleAtOrAfter(t));
  if (sources_.expired->Of(sources_.tag) == nullptr || sources_.oldest > sources_.newest) return raw;
  const int32_t last = format::PartitionOf(raw.has_value() ? raw->time : sources_.newest);
  for (int32_t p = format::PartitionOf(std::max(t, sources_.oldest)); p <= last; ++p) {
    if (!sources_.HasExpired(p) || sources_.HasAllExpired(p)) continue;
    ASSIGN_OR_RETURN(const std::optional<Sample> end, FirstAtOrAfterIn(p, t));
    if (end.has_value()) return end;
  }
  return raw;
}

absl::Status TagReader::Fold(absl::Span<const Timestamp> edges, Interpolation interpolation, uint32_t parts,
                             IntervalSink sink) {
  IntervalFold fold(sources_.type, interpolation, edges, parts, std::move(sink));
  return FoldAll(edges, nullptr, &fold);
}

absl::Status TagReader::Figures(absl::Span<const Timestamp> edges, Interpolation interpolation,
                                const FigureMaker& maker, FigureTable to) {
  IntervalFold fold(sources_.type, interpolation, edges, maker.parts,
                    [&](size_t i, const Interval& interval) { maker.make(interval, i, to); });
  const std::optional<Kept> kept = KeptOf(edges, interpolation, maker, to);
  return FoldAll(edges, kept.has_value() ? &*kept : nullptr, &fold);
}

bool TagReader::HasFigures(absl::Span<const Timestamp> edges, Interpolation interpolation,
                           const FigureMaker& maker) const {
  const std::optional<Kept> kept = KeptOf(edges, interpolation, maker, {});
  if (!kept.has_value() || sources_.oldest > sources_.newest) return false;
  const Timestamp from = std::max(edges.front(), sources_.oldest);
  const Timestamp to = std::min(edges.back(), sources_.newest + 1);
  for (int32_t p = format::PartitionOf(from); from < to && p <= format::PartitionOf(to - 1); ++p) {
    const bool whole = format::PartitionStart(p) >= from && format::PartitionStart(p + 1) <= to;
    const PartitionState state = partitions_.Get(p);
    if (!whole || state.blocks == 0) continue;
    const format::BlockId id = {p, sources_.tag, 0, state.settled};
    if (!figures_.Has(KeyOf(*kept, id, FigureCache::kWholePartition))) return false;
  }
  return true;
}

std::optional<TagReader::Kept> TagReader::KeptOf(absl::Span<const Timestamp> edges,
                                                 Interpolation interpolation, const FigureMaker& maker,
                                                 FigureTable to) {
  const std::optional<EvenIntervals> intervals = EvenIntervals::Of(edges);
  if (!intervals.has_value()) return std::nullopt;
  const Timestamp last = edges[edges.size() - 2];
  const bool last_is_whole = Elapsed(last, edges.back()) == intervals->step;
  return Kept{*intervals, last_is_whole ? kTimestampMax + 1 : last, interpolation, maker, to};
}

FigureCache::Key TagReader::KeyOf(const Kept& kept, const format::BlockId& block, uint32_t page) const {
  return {block, page, IntervalFold::PartsFor(sources_.type, kept.interpolation, kept.maker.parts),
          kept.intervals, kept.maker.id};
}

absl::Status TagReader::FoldAll(absl::Span<const Timestamp> edges, const Kept* kept, IntervalFold* fold) {
  const Timestamp start = edges.front(), end = edges.back();
  const auto add_neighbour = [&](const std::optional<Sample>& sample) {
    if (sample.has_value()) fold->Add({&sample->time, &sample->value, &sample->quality, nullptr, 1});
  };
  ASSIGN_OR_RETURN(const std::optional<Sample> before, NeighbourBefore(start));
  add_neighbour(before);
  if (sources_.oldest <= sources_.newest) {
    const Timestamp from = std::max(start, sources_.oldest), to = std::min(end, sources_.newest + 1);
    for (int32_t p = format::PartitionOf(from); from < to && p <= format::PartitionOf(to - 1); ++p) {
      if (keep_going_ != nullptr) RETURN_IF_ERROR(keep_going_());
      const Timestamp part_from = std::max(from, format::PartitionStart(p));
      const Timestamp part_to = std::min(to, format::PartitionStart(p + 1));
      RETURN_IF_ERROR(FoldPartition(p, part_from, part_to, kept, fold));
    }
  }
  ASSIGN_OR_RETURN(const std::optional<Sample> behind, NeighbourAtOrAfter(end));
  add_neighbour(behind);
  RETURN_IF_ERROR(head_damage_);
  fold->Finish();
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Sample>> TagReader::LastBefore(const Position& position, Timestamp t) {
  if (const Summary* summary = position.summary(); summary != nullptr && position.last_time() < t) {
    return std::optional<Sample>(summary->last);
  }
  std::shared_ptr<const Samples> samples;
  RETURN_IF_ERROR(Read(position, &samples));
  const std::vector<Timestamp>& times = samples->times;
  const size_t at = std::lower_bound(times.begin(), times.end(), t) - times.begin();
  return std::optional<Sample>(SampleAt(sources_.type, samples->View(), at - 1));
}

absl::StatusOr<std::optional<Sample>> TagReader::FirstAtOrAfter(const Position& position, Timestamp t) {
  if (const Summary* summary = position.summary(); summary != nullptr && position.first_time() >= t) {
    return std::optional<Sample>(summary->first);
  }
  std::shared_ptr<const Samples> samples;
  RETURN_IF_ERROR(Read(position, &samples));
  const std::vector<Timestamp>& times = samples->times;
  const size_t at = std::lower_bound(times.begin(), times.end(), t) - times.begin();
  if (at < times.size()) return std::optional<Sample>(SampleAt(sources_.type, samples->View(), at));
  // A cluster that was cut may have no sample up to the cut; the next begins with one.
  Position next = position;
  RETURN_IF_ERROR(Next(&next));
  if (!next.valid()) return std::optional<Sample>();
  RETURN_IF_ERROR(Read(next, &samples));
  return std::optional<Sample>(SampleAt(sources_.type, samples->View(), 0));
}

absl::StatusOr<std::optional<Sample>> TagReader::SampleBefore(Timestamp t) {
  ASSIGN_OR_RETURN(const Position position, SeekBefore(t));
  if (!position.valid()) return std::optional<Sample>();
  return LastBefore(position, t);
}

absl::StatusOr<std::optional<Sample>> TagReader::SampleAtOrAfter(Timestamp t) {
  ASSIGN_OR_RETURN(const Position position, Seek(t));
  if (!position.valid()) return std::optional<Sample>();
  return FirstAtOrAfter(position, t);
}

absl::StatusOr<Samples> TagReader::AtTimes(absl::Span<const Timestamp> times, Interpolation interpolation,
                                           bool uncertain_as_bad) {
  const ValueType type = sources_.type;
  const auto counts = [&](const SamplesView& samples, size_t i) {
    return CountsAsBound(type, type == ValueType::kString ? 0 : samples.values[i], samples.QualityAt(i),
                         uncertain_as_bad);
  };
  std::vector<size_t> order(times.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return times[a] < times[b]; });

  // Answers in order of time, put into the caller's order at the end. The cluster around the time before
  // mostly serves the next one too.
  std::vector<ValueAtTime> values(times.size());
  std::vector<std::string> texts(type == ValueType::kString ? times.size() : 0);
  Position current;
  std::shared_ptr<const Samples> samples;
  const auto read = [&](const Position& position) -> absl::Status {
    if (current.valid() && current.view_ == position.view_ && current.cluster_ == position.cluster_) {
      return absl::OkStatus();
    }
    current = Position();
    RETURN_IF_ERROR(Read(position, &samples));
    current = position;
    return absl::OkStatus();
  };
  for (const size_t k : order) {
    const Timestamp t = times[k];
    Neighbours neighbours;
    std::string text;
    ASSIGN_OR_RETURN(const Position at, SeekBefore(t == kTimestampMax ? t : t + 1));
    // Backwards: the sample at t itself, then the nearest before it that counts.
    for (Position position = at; position.valid() && !neighbours.before.has_value();) {
      if (const Summary* summary = position.summary();
          summary != nullptr && summary->good + (uncertain_as_bad ? 0 : summary->uncertain) == 0 &&
          position.last_time() < t) {
        neighbours.skipped = true;
      } else {
        RETURN_IF_ERROR(read(position));
        const SamplesView view = samples->View();
        size_t i = std::upper_bound(view.times, view.times + view.size, t) - view.times;
        while (i-- > 0 && !neighbours.before.has_value()) {
          if (view.times[i] == t) {
            neighbours.exact = SampleAt(type, view, i);
            if (!counts(view, i)) {
              neighbours.skipped = true;
              continue;
            }
            if (type == ValueType::kString) text = std::string(view.StringAt(i));
            break;
          }
          if (counts(view, i)) {
            neighbours.before = SampleAt(type, view, i);
            if (type == ValueType::kString) text = std::string(view.StringAt(i));
          } else {
            neighbours.skipped = true;
          }
        }
        if (neighbours.exact.has_value() && !neighbours.skipped) break;  // The sample itself is the answer.
      }
      RETURN_IF_ERROR(Prev(&position));
    }
    const bool answered = neighbours.exact.has_value() && !neighbours.skipped;
    if (!answered) {
      ASSIGN_OR_RETURN(Position position, Seek(t == kTimestampMax ? t : t + 1));
      while (position.valid() && !neighbours.after.has_value()) {
        RETURN_IF_ERROR(read(position));
        const SamplesView view = samples->View();
        for (size_t i = std::upper_bound(view.times, view.times + view.size, t) - view.times;
             i < view.size && !neighbours.after.has_value(); ++i) {
          if (counts(view, i)) {
            neighbours.after = SampleAt(type, view, i);
          } else {
            neighbours.skipped = true;
          }
        }
        RETURN_IF_ERROR(Next(&position));
      }
    }
    values[k] = InterpolateAt(type, interpolation, t, neighbours, uncertain_as_bad);
    if (type == ValueType::kString) texts[k] = std::move(text);
  }
  RETURN_IF_ERROR(head_damage_);
  Samples result;
  for (size_t k = 0; k < times.size(); ++k) {
    if (type == ValueType::kString) {
      result.AddString(times[k], values[k].value.has_value() ? texts[k] : "", values[k].quality);
    } else {
      result.Add(times[k], values[k].value.value_or(0), values[k].quality);
    }
  }
  return result;
}

}  // namespace historian
