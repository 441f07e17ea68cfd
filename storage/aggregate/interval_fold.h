// File: storage/aggregate/interval_fold.h
//
// Folds an ordered stream of samples and summaries into consecutive intervals.
//
//   edges      e0        e1        e2        e3         intervals [e0,e1) [e1,e2) [e2,e3)
//   samples  a    b  c       d   e                f     a and f are the neighbours outside
//
// An interval's Summary covers the samples inside it. Its time-weighted figures cover the whole interval: the
// segments between samples, and the parts of segments that cross its edges (from b's predecessor, to c's
// successor), cut at the edge. Before the tag's first and after its newest sample there is no data.
// A sloped segment cut at an edge t has there the value a + (b - a) * ((t - ta) / (tb - ta)), in double.
#ifndef HISTORIAN_STORAGE_AGGREGATE_INTERVAL_FOLD_H_
#define HISTORIAN_STORAGE_AGGREGATE_INTERVAL_FOLD_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "storage/aggregate/summary.h"
#include "storage/model/tag.h"

namespace historian {

struct Interval {
  Timestamp start = 0;
  Timestamp end = 0;
  Summary samples;  // Of the samples inside. Its durations and areas are those between them only.

  // Over [start, end), edges included. The rest of the interval has no data.
  uint64_t good_ns = 0;
  uint64_t uncertain_ns = 0;
  uint64_t bad_ns = 0;
  ExactSum area;  // Of the Good time, in value x nanoseconds, stepped or sloped as asked.

  uint64_t no_data_ns() const { return Elapsed(start, end) - good_ns - uncertain_ns - bad_ns; }
};

class IntervalFold {
 public:
  // Requires at least two edges, strictly ascending; they must outlive the fold.
  IntervalFold(ValueType type, Interpolation interpolation, absl::Span<const Timestamp> edges, uint32_t parts);

  // Feed in time order, once each: the newest sample before the first edge if there is one, everything
  // inside, and the first sample at or after the last edge if there is one. Samples farther outside are
  // ignored but for that purpose.
  void Add(const SamplesView& samples);

  // Whether a run from `first` to `last` lies in one interval, so that its summary may stand for it.
  bool FitsOneInterval(Timestamp first, Timestamp last) const;
  // Requires FitsOneInterval(summary.first.time, summary.last.time) and the asked parts in it.
  void AddSummary(const Summary& summary);

  // One Interval per pair of edges. Ends the fold.
  std::vector<Interval> Finish();
};

// The figures of an interval; nothing where there is none (no usable sample, no Good time).
//
//   average                Sum of usable values / their number: each sample counts alike.
//   time-weighted average  area / good_ns: each nanosecond counts alike (OPC TimeAverage2).
//   deviation              sqrt of the variance; sample: n - 1 in the divisor, 0 when n == 1; population: n.
//                          Computed from exact sums, so no cancellation (OPC 10000-13, 5.4.3.36-39).
//   good_share             good_ns / (end - start), 0 to 1.
std::optional<double> SumOf(const Interval& interval);
std::optional<double> AverageOf(const Interval& interval);
std::optional<double> TimeWeightedAverageOf(const Interval& interval);
std::optional<double> SampleDeviationOf(const Interval& interval);
std::optional<double> PopulationDeviationOf(const Interval& interval);
std::optional<double> RangeOf(ValueType type, const Interval& interval);
double GoodShareOf(const Interval& interval);

// The status of a value computed over the interval: Good when all of its time is Good (or it has usable samples and
// nothing else, for a tag without time before or after), BadNoData when it has neither samples nor time with
// data, Bad when none of them is usable, else UncertainDataSubNormal; with the Calculated bit.
Quality StatusOf(const Interval& interval);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_INTERVAL_FOLD_H_
