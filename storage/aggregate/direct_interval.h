// File: storage/aggregate/direct_interval.h
//
// What the aggregates of OPC UA Part 13 look at in an interval: its samples, its bounding values, its regions. The
// direct implementation: raw samples, a walk over all of them for every question, exact where numbers allow it.
//
// Source: OPC 10000-13 v1.05, clauses as cited; and the OPC Foundation's published examples
// (AggregateExamples.csv). Where they contradict each other the examples are followed, and it is said here.
// Threads: all of it is values and functions of them.
#ifndef HISTORIAN_STORAGE_AGGREGATE_DIRECT_INTERVAL_H_
#define HISTORIAN_STORAGE_AGGREGATE_DIRECT_INTERVAL_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "storage/aggregate/at_time.h"
#include "storage/aggregate/exact_sum.h"
#include "storage/model/aggregate.h"
#include "storage/model/aggregate_config.h"
#include "storage/model/quality.h"
#include "storage/model/samples.h"
#include "storage/model/timestamp.h"
#include "storage/model/value.h"

namespace historian {

// Where a tag has data: [start, end). Before it and after it the answer is Bad_NoData, with few exceptions.
//
// Data start with the first sample. They end one unit of time after the newest, which is what that sample counts for
// (5.4.2.4). Who knows that the newest value held longer may say so with a later `end` (3.1.9, last paragraph).
// Entries of quality Bad_NoData before the first other sample and after the last one are no data: they say that the
// archive has none. Between others they are Bad samples.
struct DataExtent {
  Timestamp start = 0;
  Timestamp end = 0;

  bool empty() const { return start == end; }
  friend bool operator==(const DataExtent&, const DataExtent&) = default;
};
DataExtent ExtentOf(const SamplesView& samples, uint64_t resolution_ns);

// How sure a sample, a bounding value or a region is.
enum class Sureness : uint8_t { kGood, kUncertain, kBad };

// A value at a time: a sample, or a bounding value.
struct PointInTime {
  Timestamp time = 0;
  bool has_value = false;
  // As the tag's type has it; for float32 and int64 tags a value on a line is rounded to that.
  ValueBits bits = 0;
  // The same not rounded; not of strings. Exact is false only on a line.
  double number = 0;
  bool exact = true;
  Quality quality = kBadNoData;
  bool is_sample = false;
  // True if the sample that it was taken from counts as Bad in this configuration.
  bool from_bad = false;

  // Of the quality; a point without a value is Bad.
  Sureness sureness() const {
    return !has_value ? Sureness::kBad : IsGood(quality) ? Sureness::kGood : Sureness::kUncertain;
  }
};

// A stretch of time between two points that follow each other.
struct Region {
  Timestamp start = 0;
  uint64_t ns = 0;
  Sureness sureness = Sureness::kBad;
  PointInTime first;  // The value that it starts with.
  PointInTime last;   // The value that it ends with: that of `first`, where it is held.
};

// The samples of one tag, seen with one configuration.
//
// A sample *counts as Bad* when it is Bad, when it is no finite number, or when it is Uncertain and
// TreatUncertainAsBad is set.
class DirectSamples {
 public:
  // All samples of the tag that there are, in order of time; they are borrowed. Requires a valid configuration.
  DirectSamples(ValueType type, const SamplesView& samples, const DataExtent& extent,
                const AggregateConfig& config);

  ValueType type() const { return type_; }
  const AggregateConfig& config() const { return config_; }
  const DataExtent& extent() const { return extent_; }
  bool stepped() const { return config_.stepped || !CanSlope(type_); }

  // Those inside the extent.
  size_t size() const { return samples_.size; }
  Timestamp TimeAt(size_t i) const { return samples_.times[i]; }
  Quality QualityAt(size_t i) const { return samples_.QualityAt(i); }
  // Good in itself, and a finite number.
  bool IsGoodAt(size_t i) const { return IsGood(QualityAt(i)) && IsFiniteAt(i); }
  bool CountsAsBadAt(size_t i) const;
  bool SameValue(size_t i, size_t j) const;
  // A sample as a point. Without a value if it is Bad in itself or no finite number.
  PointInTime PointAt(size_t i) const;

  // The simple bounding value at t (3.1.9): made from the samples on either side of t, whatever they are.
  //
  //   a sample lies at t              the sample; without a value, Bad_NoData, if it counts as Bad
  //   none before t, or t >= end      no value, Bad_NoData
  //   sloped; before counts as Bad    no value, Bad_NoData
  //   sloped; after counts as Bad,    the value before, Uncertain_DataSubNormal
  //     or there is none
  //   sloped                          on the line; Good if both are, else Uncertain_DataSubNormal
  //   stepped; before is Bad          no value, Bad_NoData
  //   stepped                         the value before; Good if that is, else Uncertain_DataSubNormal
  //
  // All but samples have the Interpolated bit. A stepped bound from an Uncertain sample has a value even if
  // TreatUncertainAsBad is set: 3.1.7 says otherwise, 3.1.9 and the examples (Historian4, 12:01:20) say so.
  PointInTime SimpleBound(Timestamp t) const;

  // The interpolated bounding value at t (3.1.8): made from the nearest samples that do not count as Bad.
  //
  //   such a sample lies at t         the sample
  //   none before t                   no value, Bad_NoData
  //   sloped, one after t             on the line; Good if both are and nothing was skipped between them
  //   sloped, none after t            extrapolated: on the line through the last two with UseSlopedExtrapolation, if
  //                                   there are two, else held. Always Uncertain_DataSubNormal
  //   stepped                         the value before; Good if that is, nothing was skipped up to t, t included, and
  //                                   t < end
  //
  // What is not Good is Uncertain_DataSubNormal. All but samples have the Interpolated bit.
  PointInTime InterpolatedBound(Timestamp t, bool stepped) const;

 private:
  bool IsFiniteAt(size_t i) const;
  // With a value, whatever the sample's quality.
  PointInTime Held(size_t i, Timestamp t, bool good) const;
  // On the line through i and j, between them or past j.
  PointInTime OnLineThrough(size_t i, size_t j, Timestamp t, bool good) const;
  // The first sample at or after t.
  size_t AtOrAfter(Timestamp t) const;

  const ValueType type_;
  const AggregateConfig config_;
  const DataExtent extent_;
  const SamplesView samples_;
};

// An interval from `start` to `end`; time may run backward (5.4.2.2). The start belongs to it, the end does not: it
// is [start, end) or, backward, (end, start].
class DirectInterval {
 public:
  // Requires start != end. The samples are borrowed.
  DirectInterval(const DirectSamples* samples, Timestamp start, Timestamp end);

  const DirectSamples& samples() const { return *samples_; }
  Timestamp start() const { return start_; }
  Timestamp end() const { return end_; }
  bool backward() const { return end_ < start_; }
  // The edges in order of time.
  Timestamp early() const { return backward() ? end_ : start_; }
  Timestamp late() const { return backward() ? start_ : end_; }
  // The edge next to the interval's end that still belongs to it (3.1.3). In an interval shorter than a unit of time:
  // the start.
  Timestamp EffectiveEndTime() const;

  // No part of it lies in the extent.
  bool OutsideData() const;
  // It contains the start of the data, or their newest sample lies in it and not on its late edge (5.3.3.2): the
  // interval may say something else once there are more data.
  bool IsPartial() const;

  // The samples that belong to it, oldest first: indices [first, last).
  size_t first_member() const { return first_member_; }
  size_t last_member() const { return last_member_; }

  // What is measured of its time: from the early edge, data or not, to the late edge or the end of the data. Not
  // alike at both ends, as in the examples: time before the data is Bad, time after them is none. (Historian1:
  // PercentGood is 37.5 at 12:00:00 and 100 at 12:01:20.)
  uint64_t MeasuredNs() const;

  // The simple bound at the early edge, the samples strictly between the edges, the simple bound at the late edge.
  // Samples that count as Bad are points without a value.
  std::vector<PointInTime> PointsWithSimpleBounds() const;

  // The measured time, divided at the samples (5.4.3.2). A region is as sure as the point it starts with. Between
  // sloped values a Good region that ends in a point that is not Good is Uncertain (5.4.3.2.2), and it is held where
  // that point has no value. `stepped`: values are held, the end does not matter.
  std::vector<Region> RegionsWithSimpleBounds(bool stepped) const;

  // What Minimum2 and Maximum2 choose from: those points that have a value, only Good ones if TreatUncertainAsBad is set.
  // Without a stepped value at the late edge unless a sample there is a member.
  std::vector<PointInTime> CandidatesWithSimpleBounds() const;

  // What TimeAverage draws straight lines through: the interpolated bounds and the members that do not count as Bad. Without
  // a bound at the early edge if there is no such sample before it; empty if there is none at all.
  std::vector<PointInTime> PointsWithInterpolatedBounds() const;

  // The status of what is made of the members, or of the regions (5.4.3.2.1): Good, Bad or Uncertain_DataSubNormal, by
  // what share of them is Good or Bad. The rules are in direct_aggregates.h.
  Quality StatusByValues() const;
  Quality StatusByTime(const std::vector<Region>& regions) const;

 private:
  const DirectSamples* const samples_;
  const Timestamp start_;
  const Timestamp end_;
  size_t first_member_ = 0;
  size_t last_member_ = 0;
};

// The area of a region, in value x nanoseconds: its length times the mean of the values at its ends. Exact, given
// these values.
void AddAreaOf(ValueType type, const PointInTime& first, const PointInTime& last, uint64_t ns,
               ExactSum* area);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_DIRECT_INTERVAL_H_
