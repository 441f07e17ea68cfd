#include "storage/aggregate/semantics.h"

#include <iterator>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "storage/aggregate/direct_interval.h"
#include "storage/model/aggregate_config.h"
#include "storage/model/check.h"
#include "storage/model/samples.h"
#include "storage/model/timestamp.h"

namespace historian {
namespace {

using A = Aggregate;

constexpr absl::string_view kByValues =
    "By values: Good if PercentDataGood % of the members are Good, Bad if PercentDataBad % count as Bad, "
    "else "
    "UncertainDataSubNormal.";
constexpr absl::string_view kByTime =
    "By time: Good if PercentDataGood % of the measured time is Good, Bad if PercentDataBad % of it is Bad, "
    "else "
    "UncertainDataSubNormal.";
constexpr absl::string_view kLine =
    "Good if all members and both bounds are Good and nothing was skipped, else UncertainDataSubNormal.";
constexpr absl::string_view kExtreme =
    "UncertainDataSubNormal if a member counts as Bad, or an Uncertain one lies beyond; else Good. "
    "MultipleValues if "
    "several members have the value.";
constexpr absl::string_view kAlwaysGood = "Good.";
constexpr absl::string_view kSpread = "Good if all members are Good, else UncertainDataSubNormal.";

constexpr AggregateText kTexts[] = {
    {A::kInterpolative,
     "The value at the interval's start: that of a sample there, else on the line between the nearest "
     "samples that do not "
     "count as Bad, or the one before (stepped). Past the newest sample it is held, or with "
     "UseSlopedExtrapolation on the "
     "line through the last two.",
     "Good if both samples are and nothing lies between that counts as Bad, else UncertainDataSubNormal. "
     "Interpolated unless "
     "a sample lies there.",
     "10 + (12 - 10) x 2 / 3"},
    {A::kAverage, "Sum of the Good members / their number: each sample counts alike.", kByValues,
     "(12 + 16 + 8 + 14) / 4"},
    {A::kTimeAverage,
     "Area under straight lines through the interpolated bounds and the members that do not count as Bad / "
     "length. Lines go on "
     "over what counts as Bad, whether the tag is stepped or not.",
     kLine,
     "((10 + 2 x 2 / 3 + 12) / 2 x 1 + (12 + 16) / 2 x 2 + (16 + 8) / 2 x 4 + (8 + 14) / 2 x 2 + (14 + 16) / "
     "2 x 1) / 10"},
    {A::kTimeAverage2,
     "Area / length of the time that begins with a value that does not count as Bad: a value moves on a "
     "straight line to the "
     "next one if that does not count as Bad, else it is held (stepped: always). Time that counts as Bad is "
     "left out.",
     kByTime,
     "((10 + 2 x 2 / 3 + 12) / 2 x 1 + (12 + 16) / 2 x 2 + 16 x 2 + (8 + 14) / 2 x 2 + (14 + 16) / 2 x 1) / "
     "8"},
    {A::kTotal, "The area of TimeAverage, in value x seconds.", kLine,
     "60 x ((10 + 2 x 2 / 3 + 12) / 2 x 1 + (12 + 16) / 2 x 2 + (16 + 8) / 2 x 4 + (8 + 14) / 2 x 2 + (14 + "
     "16) / 2 x 1)"},
    {A::kTotal2, "The area of TimeAverage2, in value x seconds.", kByTime,
     "60 x ((10 + 2 x 2 / 3 + 12) / 2 x 1 + (12 + 16) / 2 x 2 + 16 x 2 + (8 + 14) / 2 x 2 + (14 + 16) / 2 x "
     "1)"},
    {A::kMinimum, "The least Good member.", kExtreme, "8"},
    {A::kMaximum, "The greatest Good member.", kExtreme, "16"},
    {A::kMinimumActualTime, "The least Good member, with the time of the oldest such sample.", kExtreme, "8"},
    {A::kMaximumActualTime, "The greatest Good member, with the time of the oldest such sample.", kExtreme,
     "16"},
    {A::kRange, "Maximum - Minimum.", "UncertainDataSubNormal if Minimum or Maximum is, else Good.",
     "16 - 8"},
    {A::kMinimum2,
     "The least of the members and the simple bounds, as far as they have a value (Good ones only, with "
     "TreatUncertainAsBad). "
     "A stepped value that is held up to the end is left out there.",
     kByTime, "8"},
    {A::kMaximum2, "The greatest of them.", kByTime, "16"},
    {A::kMinimumActualTime2, "Minimum2 with its time; a bound at the end has the last time before it.",
     kByTime, "8"},
    {A::kMaximumActualTime2, "Maximum2 with its time; a bound at the end has the last time before it.",
     kByTime, "16"},
    {A::kRange2, "Maximum2 - Minimum2.", kByTime, "16 - 8"},
    {A::kAnnotationCount, "The number of annotations; as long as there are none in the system, of members.",
     kAlwaysGood, "6"},
    {A::kCount, "The number of Good members.", kByValues, "1 + 1 + 1 + 1"},
    {A::kDurationInStateZero, "How long a Good value is zero; each value counts until the next sample.",
     kByTime, "0"},
    {A::kDurationInStateNonZero,
     "How long a Good value is not zero; each value counts until the next sample.", kByTime,
     "60000 x (1 + 2 + 2 + 2 + 1)"},
    {A::kNumberOfTransitions,
     "How many members that do not count as Bad have another value than the one before; the first is "
     "compared with the last one "
     "before the interval.",
     kByValues, "1 + 1 + 1 + 1"},
    {A::kStart, "The oldest member as it is, with its time.",
     "That of the sample. Without a value if it is Bad.", "12"},
    {A::kEnd, "The newest member as it is, with its time.",
     "That of the sample. Without a value if it is Bad.", "14"},
    {A::kDelta, "The newest Good member - the oldest.",
     "UncertainDataSubNormal if other members lie before or after these two, else Good.", "14 - 12"},
    {A::kStartBound, "The simple bound at the start.", "That of the bound.", "10 + (12 - 10) x 2 / 3"},
    {A::kEndBound, "The simple bound at the end.", "That of the bound.", "14 + (18 - 14) x 1 / 2"},
    {A::kDeltaBounds, "EndBound - StartBound.",
     "Good if both are, UncertainDataSubNormal if one is Uncertain, BadNoData if one has no value.",
     "14 + (18 - 14) x 1 / 2 - (10 + (12 - 10) x 2 / 3)"},
    {A::kDurationGood, "How long the value is Good; each counts until the next sample.", kAlwaysGood,
     "60000 x (1 + 2 + 2 + 2 + 1)"},
    {A::kDurationBad, "How long it is Bad, or counts as such.", kAlwaysGood, "60000 x (1 + 1)"},
    {A::kPercentGood, "DurationGood in percent of the measured time.", kAlwaysGood, "100 x 8 / 10"},
    {A::kPercentBad, "DurationBad in percent of the measured time.", kAlwaysGood, "100 x 2 / 10"},
    {A::kWorstQuality, "The first of the members with the worst severity: severity and sub-code.",
     "Good. MultipleValues if several members are as bad and not Good.", ""},
    {A::kWorstQuality2, "The same of the members and both simple bounds.",
     "Good. MultipleValues if several are as bad and not Good.", ""},
    {A::kStandardDeviationSample, "Square root of VarianceSample. 0 for a single sample.", kSpread,
     "sqrt((0.5 x 0.5 + 3.5 x 3.5 + 4.5 x 4.5 + 1.5 x 1.5) / 3)"},
    {A::kVarianceSample,
     "Sum of the squares of the differences of the n Good members from their mean / (n - 1). 0 for a single "
     "sample.",
     kSpread, "(0.5 x 0.5 + 3.5 x 3.5 + 4.5 x 4.5 + 1.5 x 1.5) / 3"},
    {A::kStandardDeviationPopulation, "Square root of VariancePopulation.", kSpread,
     "sqrt((0.5 x 0.5 + 3.5 x 3.5 + 4.5 x 4.5 + 1.5 x 1.5) / 4)"},
    {A::kVariancePopulation, "The same / n.", kSpread, "(0.5 x 0.5 + 3.5 x 3.5 + 4.5 x 4.5 + 1.5 x 1.5) / 4"},
    {A::kSum, "Sum of the Good members.", kByValues, "12 + 16 + 8 + 14"},
    {A::kSampleCount, "The number of members, whatever their quality.", kAlwaysGood, "1 + 1 + 1 + 1 + 1 + 1"},
};

constexpr bool IsComplete() {
  if (std::size(kTexts) != std::size(kAggregates)) return false;
  for (size_t i = 0; i < std::size(kTexts); ++i) {
    if (kTexts[i].id != kAggregates[i].id) return false;
  }
  return true;
}
static_assert(IsComplete(),
              "each aggregate has a text here and a row in storage/model/aggregate.h, in order");

constexpr Timestamp kMinute = 60 * kNanosPerSecond;
constexpr Timestamp kTen = Timestamp{1'772'359'200} * kNanosPerSecond;  // 2026-03-01T10:00:00Z

constexpr Quality kBadNoCommunication = 0x80310000;

struct ExampleSample {
  int minute;  // From ten o'clock on.
  double value;
  Quality quality;
};
constexpr ExampleSample kExample[] = {
    {-2, 10, kGood},     {1, 12, kGood}, {3, 16, kGood}, {5, 0, kBadNoCommunication},
    {6, 20, kUncertain}, {7, 8, kGood},  {9, 14, kGood}, {11, 18, kGood}};

std::string ClockText(Timestamp t) {
  return absl::FormatTime("%H:%M:%E*S", absl::FromUnixNanos(t), absl::UTCTimeZone());
}

absl::string_view ValueText(AggregateResult result) {
  switch (result) {
    case AggregateResult::kSource:
      return "a value of the tag";
    case AggregateResult::kDifference:
      return "a difference of values of the tag";
    case AggregateResult::kNumber:
      return "a number in the tag's unit";
    case AggregateResult::kVariance:
      return "a number in the square of the tag's unit";
    case AggregateResult::kTotal:
      return "a number in the tag's unit x seconds";
    case AggregateResult::kDuration:
      return "milliseconds";
    case AggregateResult::kPercent:
      return "percent, 0 to 100";
    case AggregateResult::kCount:
      return "a whole number";
    case AggregateResult::kQuality:
      return "a quality";
  }
  return "";
}

absl::string_view BoundsText(AggregateBounds bounds) {
  switch (bounds) {
    case AggregateBounds::kNone:
      return "none";
    case AggregateBounds::kInterpolated:
      return "interpolated";
    case AggregateBounds::kSimple:
      return "simple";
  }
  return "";
}

std::string ResultText(const AggregateInfo& info, const StandardValue& value) {
  std::string text;
  if (!value.value.has_value()) {
    text = "no value";
  } else if (info.result == AggregateResult::kQuality) {
    text = QualityName(static_cast<Quality>(*value.value));
  } else {
    text = absl::StrFormat("%.8g", ToDouble(ResultTypeOf(info.id, ValueType::kFloat64), *value.value));
  }
  if (info.has_own_time) absl::StrAppend(&text, " at ", ClockText(value.time));
  return absl::StrCat(text, "; ", QualityName(value.status & ~(kInfoDataValue & ~kInfoCalculated)));
}

constexpr absl::string_view kHead = R"(# What aggregates mean

An *aggregate* is one value of a tag over an interval of time. This page says of each what it is: the formula, what it looks at on the
edges of the interval, when it is Good, and its value of an example. They are the 37 of OPC UA Part 13 (OPC 10000-13 v1.05), by
their names there, and some of ours. They are exact: sums are taken without rounding and rounded once, and a value is the same
whether it is made from samples, from summaries of pages, or from rollups; `storage/aggregate/direct_aggregates.h` has what programmers need beyond this.

This page is made by the program's own table of aggregates; a test holds it to that.

## Words

* A sample **counts as Bad** when it is Bad, is not a finite number, or is Uncertain while TreatUncertainAsBad is set.
* A sample is **Good** when its quality is and it is a finite number. Where a formula says Good, no Uncertain sample is taken, whatever
  TreatUncertainAsBad says.
* **Members** are the samples that belong to an interval: its start included, its end not. So no sample counts twice, and a value at the
  stroke of ten belongs to the hour from ten on.
* A **bound** is the value at an edge of the interval, made of samples on either side, also outside it. A **simple** bound looks at the nearest
  sample on either side, whatever it is; if the one before counts as Bad there is none. An **interpolated** bound passes over samples that count as Bad.
* **Data** begin with the tag's first sample. They end one unit of time (a millisecond, unless the request says so) after its newest: nobody knows more. The
  **measured time** of an interval is the time from its start to its end or the end of the data. Outside the data an aggregate is BadNoData.
* **Stepped** tags hold a value until the next sample; **sloped** ones move to it on a straight line. Bool, digital and string tags are stepped.

## Configuration

| setting | default | what it does |
|---|---|---|
| TreatUncertainAsBad | on | Uncertain samples count as Bad. Off: they are used, and what is made of them is Uncertain |
| PercentDataGood | 100 | a status by values or by time is Good from this share of Good on |
| PercentDataBad | 100 | and Bad from this share of Bad on; then there is no value |
| UseSlopedExtrapolation | off | interpolated bounds past the newest sample lie on the line through the last two; off: it is held |
| Stepped | as the tag says | values are held; else they move on straight lines |

`histctl aggregate` has them as `--use-uncertain`, `--percent-good`, `--percent-bad`, `--extrapolate` and `--interpolation`; `AggregateConfig` in
`proto/historian/v1/query.proto` on the wire.

## Statuses

A status is Good, UncertainDataSubNormal or Bad, as each aggregate says below, with bits: **Calculated**, **Interpolated** or neither (Raw); **Partial** if the
data begin or end inside the interval, or the request cut it short; **MultipleValues** where several samples have an extreme value. A value with a Bad
status is no value.

)";

}  // namespace

absl::Span<const AggregateText> AggregateTexts() { return kTexts; }

StandardValue OfExample(Aggregate aggregate) {
  Samples samples;
  for (const ExampleSample& sample : kExample) {
    samples.Add(kTen + sample.minute * kMinute, BitsOfFloat64(sample.value), sample.quality);
  }
  const SamplesView view = samples.View();
  const AggregateConfig config;
  const DirectSamples all(ValueType::kFloat64, view, ExtentOf(view, config.resolution_ns), config);
  return ComputeDirectly(aggregate, all, kTen, kTen + 10 * kMinute);
}

std::string SemanticsPage() {
  std::string page(kHead);
  absl::StrAppend(&page, "## The example\n\nA sloped tag of floating point numbers, from ", ClockText(kTen),
                  " to ", ClockText(kTen + 10 * kMinute),
                  ", in the default configuration:\n\n| time | value | quality |\n|---|---|---|\n");
  for (const ExampleSample& sample : kExample) {
    absl::StrAppend(&page, "| ", ClockText(kTen + sample.minute * kMinute), " | ",
                    IsBad(sample.quality) ? "" : absl::StrCat(sample.value), " | ",
                    QualityName(sample.quality), " |\n");
  }
  absl::StrAppend(&page, "\n## The aggregates\n");
  for (size_t i = 0; i < std::size(kTexts); ++i) {
    const AggregateInfo& info = kAggregates[i];
    const AggregateText& text = kTexts[i];
    absl::StrAppend(&page, "\n### ", info.standard_name, "\n\n`", info.name, "`");
    if (!info.short_name.empty()) absl::StrAppend(&page, ", `", info.short_name, "`");
    absl::StrAppend(&page, "; ", info.is_standard() ? absl::StrCat("NodeId ns=0;i=", info.node_id) : "ours",
                    "; ", ValueText(info.result), info.has_own_time ? ", with the time of a sample" : "",
                    info.for_strings ? "; of texts, too" : "", ".\n\n* ", text.formula,
                    "\n* Bounds: ", BoundsText(info.bounds), ".\n* Status: ", text.status,
                    info.sets_partial ? "" : " Never Partial.", "\n* Example: ");
    if (!text.worked.empty()) absl::StrAppend(&page, text.worked, " = ");
    absl::StrAppend(&page, ResultText(info, OfExample(info.id)), "\n");
  }
  return page;
}

}  // namespace historian
