// File: storage/aggregate/direct_aggregates.h
//
// The 37 aggregates of OPC UA Part 13 as they are defined: one aggregate of one interval, from all raw samples of a
// tag. Slow and obvious; what is fast elsewhere is held to it, value, status and time, bit for bit.
//
// This page is the definition. Source: OPC 10000-13 v1.05, clauses as cited, and the OPC Foundation's published
// examples (AggregateExamples.csv). [E] marks where the examples say more than the text or something else; they are
// followed.
//
//
// Words
//
//   counts as Bad   of a sample: it is Bad, no finite number, or Uncertain while TreatUncertainAsBad is set (4.2.1.2)
//   Good            of a sample: Good in itself and a finite number
//   members         the samples that belong to an interval; start included, end not (5.4.2.2)
//   bounds          the bounding values at its edges, simple or interpolated (3.1.7 to 3.1.9; direct_interval.h)
//   regions         its time, divided at the samples (5.4.3.2; direct_interval.h)
//   unit            the unit of time, AggregateConfig::resolution_ns (5.4.2.4)
//
// Before the data start and after they end (DataExtent) every aggregate is Bad_NoData, without further bits. Except
// Interpolative, which past the end is extrapolated (5.4.3.4). TimeAverage and Total of an interval that begins past
// the end are Bad_NoData, too [E: the text would extrapolate them].
//
//
// Statuses
//
// By values (5.4.3.2.1), of n members: Good if Good ones are at least PercentDataGood % of n or n is 0; else Bad if at
// least PercentDataBad % count as Bad; else Uncertain_DataSubNormal. An Uncertain sample that does not count as Bad
// counts neither way [E: Count of Historian1 at 12:01:04; 4.2.1.2 says "still treated as Uncertain"].
//
// By time (5.4.3.2.1), of the measured time: the same with the lengths of Good and of Bad regions. Uncertain ones go
// with the Bad if TreatUncertainAsBad is set, else with the Good.
//
// Good is asked first. It makes no difference unless PercentDataGood = 100 - PercentDataBad (4.2.1.2). Comparisons are
// exact. What is Bad has no value. "Unsure" below is Uncertain_DataSubNormal.
//
// Information bits (5.3.3): Calculated, Interpolated, or neither: Raw. Partial (5.3.3.2) when the interval contains the
// start of the data, or the newest of them before its late edge; on every result but those of Interpolative and
// Average, Bad ones included, other than outside the data. A last interval that a request cut short is not Partial for
// that: it says the same when it is read again.
//
//
// The aggregates. Time: of the interval's start if nothing else is said.
//
//   Interpolative (.4)   The interpolated bound at the start, and its status. Sloped unless Stepped.
//   Average (.5)         Sum / number of the Good members. By values, Calculated; Bad without a bit. No Good member:
//                        Bad_NoData.
//   TimeAverage (.6)     Area / length under straight lines through the interpolated bounds and the members that do
//                        not count as Bad: sloped whatever Stepped says, for types that can slope. Beginning at the
//                        first such sample if there is none before [E: Historian2, 12:00:00]. Past the newest sample
//                        extrapolated up to the interval's end. Good if bounds and members are Good and the time is
//                        whole, else Unsure. Calculated.
//   Total (.8)           The area in value x seconds; status as TimeAverage.
//   TimeAverage2 (.7)    Area / length of the regions that begin with a value from a sample that does not count as Bad.
//                        By time, Calculated. No such region: Bad_NoData.
//   Total2 (.9)          Their area in value x seconds, likewise.
//   Minimum (.10)        The least Good member. Unsure if a member counts as Bad or an Uncertain one is less, else Good.
//   Maximum (.11)        Calculated unless it lies on the interval's start. MultipleValues if several are as small.
//                        No Good member: Bad_NoData. Maximum likewise.
//   Minimum-, Maximum-   The same, with the time of the oldest such sample. Never Calculated [E: Historian2, 12:00:39].
//     ActualTime (.12, .13)
//   Range (.14)          Maximum - Minimum. Unsure if either is. Calculated.
//   Minimum2 (.15)       The least of the simple bounds and the members between the edges, as far as they have a value;
//   Maximum2 (.16)       only Good ones if TreatUncertainAsBad is set. A stepped value at the late edge is left out
//                        unless a sample there is a member. By time. From the bound at the start: Raw or Interpolated,
//                        as that is; from the bound at the end: Interpolated if that is, else Calculated; else
//                        Calculated. MultipleValues as above. Nothing to choose from: Bad_NoData; Bad without a bit.
//   Minimum-, Maximum-   The same with the oldest time, not Calculated. The bound at the end has EffectiveEndTime and
//     ActualTime2 (.17, .18)  is Interpolated even if a sample lies there [E: Historian1, 12:01:19.999].
//   Range2 (.19)         Maximum2 - Minimum2; by time, Calculated.
//   AnnotationCount (.20)  The annotations of the interval, if they are given. Else the number of members, whatever
//                        they are [E]. Good, Calculated.
//   Count (.21)          Good members. By values, Calculated; Bad without a bit and without a value [E: Historian1,
//                        12:00:32].
//   DurationInStateZero, The length of stepped Good regions whose value is zero, or is not. By time (stepped regions),
//     NonZero (.22, .23) Calculated.
//   NumberOfTransitions (.24)  Of the members that do not count as Bad: those whose value differs from the one before;
//                        of the first, from the last such sample before the interval. None before: a transition.
//                        Status as Count.
//   Start, End (.25, .26)  The oldest and the newest member as it is, with its time. A Bad one without a value.
//                        None: Bad_NoData.
//   Delta (.27)          The newest minus the oldest Good member. Unsure if others lie before or after them. Calculated.
//                        No Good member: Bad_NoData.
//   StartBound (.28)     The simple bound at the start and its status. None: Bad_NoData.
//   EndBound (.29)       The simple bound at the end, Calculated. None: Bad_NoData without the bit.
//   DeltaBounds (.30)    EndBound - StartBound. Good if both are, Unsure if one is Uncertain, Bad_NoData if one has no
//                        value. Calculated unless Bad.
//   DurationGood, -Bad (.31, .32)  The length of stepped regions that are Good, or Bad. Good, Calculated. A first
//                        region that begins with an Uncertain bound is neither [E: Historian1, 12:00:32; the text would
//                        go by the sample before]; nor are Uncertain samples that do not count as Bad.
//   PercentGood, -Bad (.33, .34)  The same in percent of the measured time.
//   WorstQuality (.35)   The first of the worst qualities of the members, severity and sub-code; Bad is worse than
//                        Uncertain, TreatUncertainAsBad does not matter. MultipleValues if several members are of that
//                        severity and it is not Good. Good, Calculated. No member: Bad_NoData.
//   WorstQuality2 (.36)  The same of both simple bounds and the samples between the edges. A sample on an edge has its
//                        own quality, of a bound without a value it is Bad_NoData.
//   StandardDeviation-   Square root of the variance, and the variance: sum of the squares of the differences from the
//     Sample, Population mean of the Good members / (n - 1), or / n. 0 for one. Unsure if there are others, else Good;
//   Variance-            Calculated. No Good member: Bad_NoData.
//     Sample, Population (.37 to .40)
//
// Ours: Sum, as Average without the division; SampleCount, the number of members, as AnnotationCount without annotations.
//
//
// Backward intervals, in which time runs from a later start to an earlier end, have the members of (end, start]. Start,
// End, Delta, oldest and first go by time all the same, as the clauses say "earliest" and "latest". StartBound and
// EndBound go by the interval's start and end, so DeltaBounds has the opposite sign. Stepped values of the "2"
// aggregates are held from the early edge, so the bound there takes part.
//
//
// Types. Bool, digital and string are always stepped. Numbers of a bool are 0 and 1, of a digital tag its codes.
// Strings have Interpolative, Start, End, StartBound, EndBound, the counts, DurationGood and -Bad, PercentGood and -Bad,
// and WorstQuality(2). An integer difference that int64 does not hold has no value: Bad_OutOfRange, Calculated.
//
// Numbers. Sums, sums of squares and areas are exact (exact_sum.h) and rounded once, by the division; a deviation a
// second time, by the square root. Bounds are numbers as StartBound and Interpolative return them, rounded once more
// only for the tag's type (OnLine in at_time.h); so an area is exactly what lies under the values that can be read.
// Results that exceed a double are infinite.
#ifndef HISTORIAN_STORAGE_AGGREGATE_DIRECT_AGGREGATES_H_
#define HISTORIAN_STORAGE_AGGREGATE_DIRECT_AGGREGATES_H_

#include <optional>

#include "absl/types/span.h"
#include "storage/aggregate/direct_interval.h"
#include "storage/model/aggregate.h"
#include "storage/model/aggregate_config.h"
#include "storage/model/quality.h"
#include "storage/model/timestamp.h"
#include "storage/model/value.h"

namespace historian {

struct StandardValue {
  // Of the type ResultTypeOf(aggregate, type). For strings an index into the samples' texts. Unset if there is no
  // value; then the status is Bad.
  std::optional<ValueBits> value;
  Quality status = kBadNoData;
  Timestamp time = 0;

  friend bool operator==(const StandardValue&, const StandardValue&) = default;
};

// Returns one aggregate of the interval from start to end. Requires start != end, IsDefinedFor(aggregate, type).
// `annotations` are the times of the tag's annotations, in any order; unset: the tag's annotations are not known.
StandardValue ComputeDirectly(Aggregate aggregate, const DirectSamples& samples, Timestamp start,
                              Timestamp end,
                              std::optional<absl::Span<const Timestamp>> annotations = std::nullopt);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_DIRECT_AGGREGATES_H_
