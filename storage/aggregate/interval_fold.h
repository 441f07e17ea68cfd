// File: storage/aggregate/interval_fold.h
//
// Folds an ordered stream of samples and summaries into consecutive intervals.
//
//   edges      e0        e1        e2        e3         intervals [e0,e1) [e1,e2) [e2,e3)
//   samples  a    b  c       d   e                f     a and f are the neighbours outside
//
// An interval's Tally covers its members, the samples inside it. Its time is divided into the segments between samples; a
// segment that crosses an edge (from b's predecessor, to c's successor) is cut there. A sloped segment cut at an edge t has
// there the value of OnLine (at_time.h). A cut depends on the two samples and the edges alone, so the result is the same bit
// for bit whatever mixture of samples and summaries was fed.
//
// Data begin with the first sample. They end a unit of time after the newest one (DataExtent in direct_interval.h); samples
// of quality BadNoData at either end are not data. Words in the comments are those of direct_aggregates.h.
//
// Cost: a few additions per interval and summary; samples as Summarize; a gap a step per interval it spans.
// Threads: one fold, one thread.
#ifndef HISTORIAN_STORAGE_AGGREGATE_INTERVAL_FOLD_H_
#define HISTORIAN_STORAGE_AGGREGATE_INTERVAL_FOLD_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "storage/aggregate/figure_run.h"
#include "storage/aggregate/run_fold.h"
#include "storage/aggregate/summary.h"
#include "storage/model/tag.h"

namespace historian {

// Parts of an interval that summaries do not have. They go with SummaryParts.
inline constexpr uint32_t kBounds = 1 << 16;  // before and after.
// counted_before, counted_after, second_before, line_area. Not of strings.
inline constexpr uint32_t kLines = 1 << 17;
inline constexpr uint32_t kIntervalParts = kBounds | kLines;

// How samples are folded: the part of AggregateConfig (aggregates.h) that is not about statuses.
struct FoldConfig {
  FoldConfig() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): all else is the standard's.
  FoldConfig(Interpolation way) : interpolation(way) {}

  Interpolation interpolation = Interpolation::kStepped;
  bool treat_uncertain_as_bad = true;
  bool use_sloped_extrapolation = false;
  uint64_t resolution_ns = 1'000'000;  // The unit of time.
  // The members are those of (start, end] instead of [start, end), as in an interval in which time runs backward.
  bool backward = false;

  friend bool operator==(const FoldConfig&, const FoldConfig&) = default;
};

struct Interval {
  static constexpr Timestamp kNoEnd = std::numeric_limits<Timestamp>::max();

  Timestamp start = 0;
  Timestamp end = 0;
  Tally samples;  // Of the members.

  // Over [start, end), edges included, by the severity of the sample that a segment begins with. Where data end, the newest
  // sample is held for a unit. The rest of the interval has no data.
  uint64_t good_ns = 0;
  uint64_t uncertain_ns = 0;
  uint64_t bad_ns = 0;
  // As in Summary, with the segments that are cut.
  uint64_t unsure_ns = 0;
  uint64_t zero_ns = 0;
  // In value x nanoseconds, stepped or sloped as asked, of the segments that begin with a sample that does not count as Bad.
  // Zero for strings.
  ExactSum area;

  // Where the data end; kNoEnd if they go on at the interval's end.
  Timestamp data_end = kNoEnd;
  // kBounds: the nearest samples outside, whatever they are. Unset if data begin or end in between.
  std::optional<Sample> before;
  std::optional<Sample> after;

  // With TreatUncertainAsBad false: the Uncertain members with a finite value.
  struct Uncertain {
    uint64_t count = 0;
    Sample min;
    Sample max;
    bool min_repeats = false;
    bool max_repeats = false;
  };
  Uncertain uncertain;
  // Of the members that do not count as Bad: the first and the last of them (kQualities or kLines) and how many differ from
  // the one before, which may lie before the interval (kChanges); the tag's first one differs.
  std::optional<Sample> first_counted;
  std::optional<Sample> last_counted;
  uint64_t transitions = 0;

  // kLines: the nearest samples outside that do not count as Bad, and the second one before the end if data end without
  // another one (UseSlopedExtrapolation only).
  std::optional<Sample> counted_before;
  std::optional<Sample> counted_after;
  std::optional<Sample> second_before;
  // Under straight lines through these and the members in between; held for types that cannot slope. From the start, or
  // the first such sample, to the end.
  ExactSum line_area;

  uint64_t no_data_ns() const { return Elapsed(start, end) - good_ns - uncertain_ns - bad_ns; }

  // Makes it like a new one, at less cost. `details`: what only few aggregates need may be there.
  void Clear(bool details = true);
};

// Receives the intervals of a fold: that from edges[index] to edges[index + 1]. The reference is valid during
// the call only.
using IntervalSink = std::function<void(size_t index, const Interval& interval)>;
// Returns a sink that appends the intervals to *intervals, which must outlive it.
IntervalSink AppendTo(std::vector<Interval>* intervals);

// What a fold asks about samples that it is not fed with: seldom, where Bad ones lie at an edge or at either end of the
// data.
class FoldSource {
 public:
  enum class Kind : uint8_t {
    kAny,
    kUsable,
    kCounted,  // Usable, or Uncertain with a finite value.
    kData,     // Of another quality than BadNoData.
  };
  static bool Is(Kind kind, ValueType type, const Sample& sample);

  virtual ~FoldSource() = default;
  // The nearest sample of that kind before t, and at or after t. After an error, nothing; the source tells of it.
  virtual std::optional<Sample> Before(Timestamp t, Kind kind) = 0;
  virtual std::optional<Sample> AtOrAfter(Timestamp t, Kind kind) = 0;
};

class IntervalFold {
 public:
  // Requires at least two edges, strictly ascending; they must outlive the fold. `parts` (SummaryParts and IntervalParts)
  // says what to compute of each interval; of kAreas only the area for the interpolation is computed. Each interval goes to
  // the sink as soon as it is complete: in order, once, at the latest by Finish(). The source must outlive the fold. Without
  // one, all that is fed is data, and nothing is known of other samples.
  IntervalFold(ValueType type, const FoldConfig& config, absl::Span<const Timestamp> edges, uint32_t parts,
               IntervalSink sink, FoldSource* source = nullptr);

  // Must be fed in time order, each sample once: the newest sample before the first edge, if there is one,
  // all samples inside, and the first sample at or after the last edge, if there is one. Samples farther
  // outside are ignored. Backward: "before" and "at or before", "after" and "at or after" the other way round.
  void Add(const SamplesView& samples);
  // True if the samples from `first` to `last` lie in one interval.
  bool FitsOneInterval(Timestamp first, Timestamp last) const;
  // The same as Add of the samples that the summary is of. Requires that they lie in one interval, and that it suffices.
  void AddSummary(const Summary& summary);
  // Whether a summary says what this fold must know of its samples. `is_all`: no more can be known, so that without a count
  // of the extremes one is taken to be the only one.
  bool Suffices(const Summary& summary, bool is_all = false) const;
  // The same as Add of those samples of the run that lie in [from, to), with the figures of intervals that
  // are finished copied to the table. Requires that [from, to) begins and ends at edges or outside the run,
  // and that the run was made for these intervals, parts and this configuration.
  void AddFigures(const FigureRun& run, Timestamp from, Timestamp to, FigureTable table);

  // The parts that summaries must have.
  uint32_t parts() const { return parts_ & ~kIntervalParts; }
  static uint32_t PartsFor(ValueType type, Interpolation interpolation, uint32_t parts);
  // Whether the figures of intervals depend on their samples and the nearest on either side alone.
  static bool CanCache(const FoldConfig& config, uint32_t parts) {
    return (parts & (kLines | kChanges)) == 0 && !config.backward;
  }

  // Ends the fold.
  void Finish();

 private:
  using Kind = FoldSource::Kind;

  bool Counts(const Sample& sample) const;
  bool NeedsCounted() const { return (parts_ & (kQualities | kLines)) != 0; }
  Kind CountedKind() const { return config_.treat_uncertain_as_bad ? Kind::kUsable : Kind::kCounted; }
  bool Slopes() const { return config_.interpolation == Interpolation::kSloped; }
  // Times of members, so that those of a backward interval end at its late edge.
  Timestamp MemberTime(Timestamp t) const { return t - config_.backward; }
  // Requires that t, a member's time, lies inside and not before what was fed.
  size_t IntervalOf(Timestamp t) const { return t < edges_[current_ + 1] ? current_ : LaterIntervalOf(t); }
  size_t LaterIntervalOf(Timestamp t) const;

  // Drops what is no data from either end of a run.
  SamplesView WithinData(SamplesView samples);
  void FindDataEnd();

  // Gives the intervals before i to the sink, and begins i. `next` is the sample that follows what was fed, if it is known.
  void Advance(size_t i, const Sample* next);
  // Completes the open interval.
  void Close(const Sample* next);
  void Open();
  // Makes ready for a run in interval i that begins with `first`.
  void Enter(size_t i, const Sample& first);
  void SetLast(const Sample& last);
  // Adds the members of a run in the open interval that were folded.
  void AddRun(const SamplesView& run);
  // Adds what Uncertain samples of the run say, which fold_ takes for Bad.
  void AddUncertain(const SamplesView& run);
  void AddUncertainMember(const Sample& sample);
  // The next members that count, as their first and last ones and how often they change in between.
  // `line_area` is the one between them.
  void AddCounted(const Sample& first, const Sample& last, uint64_t changes, const ExactSum& line_area);
  void AddCountedOneByOne(const SamplesView& run);
  // Whether it differs from the newest sample before it that counts.
  bool IsTransition(const Sample& sample) const;
  // The first sample that counts at or after the one that follows.
  std::optional<Sample> NextCounted(const Sample* next);
  // The line to the next sample that counts, as far as it lies in the open interval and before `to`.
  void AddLineTo(const std::optional<Sample>& next, Timestamp to);
  // Copies the finished intervals in [from, to), which has some.
  void AddFinished(const FigureRun& run, Timestamp from, Timestamp to, FigureTable table);
  // Gives the segment from last_ to `next` to the intervals it lies in, cut at their edges. `is_sample`: else it is where
  // data end.
  void AddSegment(const Sample& next, bool is_sample);
  // The part of it that lies in the open interval, from `from` to `to`.
  void AddSegmentPart(const Sample& next, Timestamp from, Timestamp to);
  // The area of the part [from, to) of the segment from a to b, halves at either end; held if not sloped.
  void AddPart(const Sample& a, const Sample& b, bool sloped, Timestamp from, Timestamp to,
               ExactSum* area) const;
  void AddArea(const Sample& sample, uint64_t ns, bool halved, ExactSum* area) const;

  const ValueType type_;
  const FoldConfig config_;
  const absl::Span<const Timestamp> edges_;
  const uint32_t parts_;
  const bool wants_area_;
  const IntervalSink sink_;
  FoldSource* const source_;
  RunFold fold_;
  // The index of the open interval, which is not complete and has the newest sample; or past all.
  size_t current_ = 0;
  Interval open_;
  bool has_last_ = false;     // True once a sample was fed.
  bool last_usable_ = false;  // True if last_ is usable.
  bool last_counts_ = false;  // True if it does not count as Bad.
  bool past_ = false;         // A sample at or after the last edge was fed: nothing more matters.
  Sample last_;               // The newest sample that was fed.
  size_t run_size_ = 0;       // The size of the newest run in an interval. The next is often as long.
  std::optional<Sample> last_counted_;  // The newest that does not count as Bad (NeedsCounted).
  std::optional<Sample> next_counted_;  // What the source found last, and whether it was asked.
  bool asked_next_counted_ = false;
  Timestamp data_end_ = Interval::kNoEnd;
  ExactSum line_of_run_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_INTERVAL_FOLD_H_
