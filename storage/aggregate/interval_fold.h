// File: storage/aggregate/interval_fold.h
//
// Folds an ordered stream of samples and summaries into consecutive intervals.
//
//   edges      e0        e1        e2        e3         intervals [e0,e1) [e1,e2) [e2,e3)
//   samples  a    b  c       d   e                f     a and f are the neighbours outside
//
// An interval's Tally covers the samples inside it. Its time-weighted figures cover the whole interval: the
// segments between samples, and the parts of segments that cross its edges (from b's predecessor, to c's
// successor), cut at the edge. Before the tag's first and after its newest sample there is no data.
// A sloped segment cut at an edge t has there the value a + (b - a) * ((t - ta) / (tb - ta)), in double
// (OnLine in at_time.h). A cut depends on the two samples and the edges alone, so the result is the same bit
// for bit whatever mixture of samples and summaries was fed.
//
// Cost: a few additions per interval and summary; samples as Summarize; a gap a step per interval it spans.
// Threads: one fold, one thread.
#ifndef HISTORIAN_STORAGE_AGGREGATE_INTERVAL_FOLD_H_
#define HISTORIAN_STORAGE_AGGREGATE_INTERVAL_FOLD_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "storage/aggregate/figure_run.h"
#include "storage/aggregate/run_fold.h"
#include "storage/aggregate/summary.h"
#include "storage/model/tag.h"

namespace historian {

struct Interval {
  Timestamp start = 0;
  Timestamp end = 0;
  Tally samples;  // Of the samples inside.

  // Over [start, end), edges included. The rest of the interval has no data.
  uint64_t good_ns = 0;
  uint64_t uncertain_ns = 0;
  uint64_t bad_ns = 0;
  ExactSum area;  // Of the Good time, in value x nanoseconds, stepped or sloped as asked. Zero for strings.

  uint64_t no_data_ns() const { return Elapsed(start, end) - good_ns - uncertain_ns - bad_ns; }

  // Makes it like a new one, at less cost.
  void Clear();
};

// Receives the intervals of a fold: that from edges[index] to edges[index + 1]. The reference is valid during
// the call only.
using IntervalSink = std::function<void(size_t index, const Interval& interval)>;
// Returns a sink that appends the intervals to *intervals, which must outlive it.
IntervalSink AppendTo(std::vector<Interval>* intervals);

class IntervalFold {
 public:
  // Requires at least two edges, strictly ascending; they must outlive the fold. `parts` (SummaryParts) says
  // what to compute of each interval; of kAreas only the area for `interpolation` is computed. Each interval
  // goes to the sink as soon as it is complete: in order, once, at the latest by Finish().
  IntervalFold(ValueType type, Interpolation interpolation, absl::Span<const Timestamp> edges, uint32_t parts,
               IntervalSink sink);

  // Must be fed in time order, each sample once: the newest sample before the first edge, if there is one,
  // all samples inside, and the first sample at or after the last edge, if there is one. Samples farther
  // outside are ignored.
  void Add(const SamplesView& samples);

  // True if a run from `first` to `last` lies in one interval, so that its summary may stand for it.
  bool FitsOneInterval(Timestamp first, Timestamp last) const;
  // Requires FitsOneInterval(summary.first.time, summary.last.time), and that the summary has the requested
  // parts. A summary of no samples is ignored.
  void AddSummary(const Summary& summary);
  // Adds the part of a run that lies in [from, to). Requires that the run is of the intervals of this fold, all
  // of one length, and that `from` and `to` are edges unless the run lies between them. Finished intervals do
  // not go to the sink: their figures go to the table, in which a row is an interval's index.
  void AddFigures(const FigureRun& run, Timestamp from, Timestamp to, FigureTable table);

  // The parts that AddSummary needs of summaries: of this fold, and of a fold made with these arguments.
  uint32_t parts() const { return parts_; }
  static uint32_t PartsFor(ValueType type, Interpolation interpolation, uint32_t parts);

  // Ends the fold.
  void Finish();

 private:
  // Requires that t lies inside and not before what was fed.
  size_t IntervalOf(Timestamp t) const { return t < edges_[current_ + 1] ? current_ : LaterIntervalOf(t); }
  size_t LaterIntervalOf(Timestamp t) const;
  // Gives the intervals before i to the sink, and begins i.
  void Advance(size_t i);
  // Makes ready for a run in interval i that begins with `first`.
  void Enter(size_t i, const Sample& first);
  void SetLast(const Sample& last);
  // Copies the finished intervals in [from, to), which has some.
  void AddFinished(const FigureRun& run, Timestamp from, Timestamp to, FigureTable table);
  // Gives the segment from last_ to `next` to the intervals it lies in, cut at their edges.
  void AddSegment(const Sample& next);
  // The part of it that lies in the open interval, from `from` to `to`.
  void AddSegmentPart(const Sample& next, Timestamp from, Timestamp to);
  // The area of the part [from, to) of that segment, last_ being usable.
  void AddPart(const Sample& next, bool sloped, Timestamp from, Timestamp to, ExactSum* area) const;
  void AddArea(const Sample& sample, uint64_t ns, bool halved, ExactSum* area) const;

  const ValueType type_;
  const Interpolation interpolation_;
  const absl::Span<const Timestamp> edges_;
  const uint32_t parts_;
  const IntervalSink sink_;
  RunFold fold_;
  // The index of the open interval, which is not complete and has the newest sample; or past all.
  size_t current_ = 0;
  Interval open_;
  bool has_last_ = false;     // True once a sample was fed.
  bool last_usable_ = false;  // True if last_ is usable.
  bool past_ = false;         // A sample at or after the last edge was fed: nothing more matters.
  Sample last_;               // The newest sample that was fed.
  size_t run_size_ = 0;       // The size of the newest run in an interval. The next is often as long.
};

// The figures of an interval. Unset if the interval has no usable sample, or no Good time. Each needs its
// part of the fold: kSums; kSums and kSquares; kAreas; kExtremes. For strings only good_share is defined.
//
//   sum                    Of usable values, rounded once. Infinite when it exceeds a double.
//   average                Sum of usable values / their number: each sample counts alike. Rounded once.
//   time-weighted average  area / good_ns: each nanosecond counts alike (OPC TimeAverage2). Rounded once.
//   deviation              sqrt of the variance; sample: n - 1 in the divisor, 0 when n == 1; population: n.
//                          Computed from exact sums, so no cancellation (OPC 10000-13, 5.4.3.36-39).
//   range                  max - min.
//   good_share             good_ns / (end - start), 0 to 1. Time without data, such as that past the newest
//                          sample, is not Good.
std::optional<double> SumOf(const Interval& interval);
std::optional<double> AverageOf(const Interval& interval);
std::optional<double> TimeWeightedAverageOf(const Interval& interval);
std::optional<double> SampleDeviationOf(const Interval& interval);
std::optional<double> PopulationDeviationOf(const Interval& interval);
std::optional<double> RangeOf(ValueType type, const Interval& interval);
double GoodShareOf(const Interval& interval);

// The status of a value computed over the interval; the first that holds:
//
//   BadNoData               neither samples nor time with data: before the first sample, past the newest
//   Good                    all of its time is Good; or no time has data, and its one sample is usable (it is
//                           the tag's only one, or its newest)
//   Bad                     neither usable samples nor Good time
//   UncertainDataSubNormal  the rest: some of its time is not Good or, past the newest sample, has no data
//
// All but BadNoData have the Calculated bit.
Quality StatusOf(const Interval& interval);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_INTERVAL_FOLD_H_
