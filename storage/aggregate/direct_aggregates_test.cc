// The direct implementation against the OPC Foundation's examples (testdata/part13_examples.txt), and case by case
// where the examples say nothing.
//
// HISTORIAN_CONFORMANCE: a directory whose opcua-part13-*.tsv are checked, too. A file whose first column is "dataset"
// has samples, one whose first column is "aggregate" has results, over 12:00:00 to 12:01:40 of one day.
#include "storage/aggregate/direct_aggregates.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/aggregate/random_samples.h"
#include "storage/model/aggregate.h"
#include "storage/model/aggregate_config.h"

namespace historian {
namespace {

using A = Aggregate;
using Config = AggregateConfig;
using testing::HasSubstr;

constexpr Timestamp kSecond = kNanosPerSecond;
constexpr char kExamples[] = "storage/aggregate/testdata/part13_examples.txt";

Timestamp Seconds(absl::string_view text) {
  double seconds = 0;
  EXPECT_TRUE(absl::SimpleAtod(text, &seconds)) << "'" << text << "'";
  return static_cast<Timestamp>(std::llround(seconds * 1000)) * 1'000'000;
}

Quality QualityOf(absl::string_view text) {
  const absl::StatusOr<Quality> quality = ParseQuality(text);
  EXPECT_TRUE(quality.ok()) << quality.status();
  return quality.value_or(kBad);
}

// ---- Examples --------------------------------------------------------------------------------------------------------

struct Example {
  std::string place;
  std::string aggregate;
  std::string tag;
  Timestamp step = 0;
  Config config;
  Timestamp time = 0;
  std::string value;  // Empty: none.
  std::string status;
};

struct ExampleTag {
  ValueType type = ValueType::kFloat64;
  Samples samples;
};

struct Examples {
  std::map<std::string, ExampleTag> tags;
  std::vector<Example> results;
};

void AddSample(ExampleTag* tag, Timestamp time, absl::string_view value, Quality quality) {
  double number = 0;
  if (tag->type == ValueType::kString) {
    tag->samples.AddString(time, value, quality);
  } else if (tag->type == ValueType::kBool) {
    tag->samples.Add(time, value == "true" ? 1 : 0, quality);
  } else {
    // A Bad sample's value matters to nobody.
    if (!absl::SimpleAtod(value, &number)) number = 777;
    tag->samples.Add(time, BitsOfFloat64(number), quality);
  }
}

Examples OwnExamples() {
  Examples examples;
  std::ifstream in(kExamples);
  EXPECT_TRUE(in.is_open()) << kExamples;
  ExampleTag* tag = nullptr;
  Example row;
  int line_number = 0;
  for (std::string line; std::getline(in, line);) {
    ++line_number;
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> words = absl::StrSplit(line, absl::MaxSplits(' ', 2));
    const std::vector<std::string> all = absl::StrSplit(line, ' ');
    if (words[0] == "samples") {
      tag = &examples.tags[words[1]];
      EXPECT_TRUE(ParseValueType(words[2], &tag->type));
    } else if (words[0] == "table") {
      tag = nullptr;
      EXPECT_EQ(all.size(), 9u) << line;
      row = {"", all[1], all[2], Seconds(all[3]), {}, 0, "", ""};
      row.config.stepped = all[4] == "stepped";
      row.config.treat_uncertain_as_bad = all[5] == "bad";
      row.config.percent_data_bad = std::stoi(all[6]);
      row.config.percent_data_good = std::stoi(all[7]);
      row.config.use_sloped_extrapolation = all[8] == "slope";
    } else if (tag != nullptr) {
      AddSample(tag, Seconds(words[0]), words[1], QualityOf(words[2]));
    } else {
      row.place = absl::StrCat(kExamples, ":", line_number);
      row.time = Seconds(words[0]);
      row.value = words[1] == "-" ? "" : words[1];
      row.status = words[2];
      examples.results.push_back(row);
    }
  }
  return examples;
}

// 12:00:10.5 is 10.5 s.
Timestamp ClockTime(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  EXPECT_EQ(parts.size(), 3u) << text;
  int hours = 0, minutes = 0;
  EXPECT_TRUE(absl::SimpleAtoi(parts[0], &hours) && absl::SimpleAtoi(parts[1], &minutes)) << text;
  return ((hours - 12) * 3600 + minutes * 60) * kSecond + Seconds(parts[2]);
}

void ReadSheet(const std::filesystem::path& path, Examples* examples) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  const std::vector<std::string> names = absl::StrSplit(line, '\t');
  std::vector<std::map<std::string, std::string>> rows;
  while (std::getline(in, line)) {
    if (line.empty()) continue;
    const std::vector<std::string> cells = absl::StrSplit(line, '\t');
    std::map<std::string, std::string>& row = rows.emplace_back();
    for (size_t i = 0; i < names.size() && i < cells.size(); ++i) row[names[i]] = cells[i];
    row["place"] = absl::StrCat(path.filename().string(), ":", rows.size() + 1);
  }
  if (names[0] == "dataset") {
    for (auto& row : rows) {
      ExampleTag& tag = examples->tags[row["dataset"]];
      double number;
      if (row["value"] == "true" || row["value"] == "false") {
        tag.type = ValueType::kBool;
      } else if (absl::StartsWith(row["status"], "Good") && !absl::SimpleAtod(row["value"], &number)) {
        tag.type = ValueType::kString;
      }
    }
    for (auto& row : rows) {
      AddSample(&examples->tags[row["dataset"]], ClockTime(row["time"]), row["value"],
                QualityOf(row["status"]));
    }
  }
  if (names[0] == "aggregate") {
    for (auto& row : rows) {
      Example example = {row["place"], row["aggregate"], row["dataset"], 0, {}, ClockTime(row["timestamp"]),
                         row["value"], row["status"]};
      example.step = std::stoll(row["interval_ms"]) * 1'000'000;
      example.config.stepped = row["stepped"] == "true";
      example.config.treat_uncertain_as_bad = row["treat_uncertain_as_bad"] == "true";
      example.config.percent_data_bad = std::stoi(row["percent_bad"]);
      example.config.percent_data_good = std::stoi(row["percent_good"]);
      example.config.use_sloped_extrapolation = row["use_sloped_extrapolation"] == "true";
      examples->results.push_back(example);
    }
  }
}

std::string ValueText(A aggregate, ValueType type, const Samples& samples, const StandardValue& value) {
  if (!value.value.has_value()) return "";
  if (InfoOf(aggregate).result == AggregateResult::kQuality)
    return QualityName(static_cast<Quality>(*value.value));
  const ValueType result = ResultTypeOf(aggregate, type);
  if (result == ValueType::kString) return std::string(samples.strings[*value.value]);
  if (result == ValueType::kBool) return *value.value != 0 ? "true" : "false";
  return absl::StrCat(ToDouble(result, *value.value));
}

bool SameText(absl::string_view expected, absl::string_view got) {
  double a = 0, b = 0;
  if (!absl::SimpleAtod(expected, &a) || !absl::SimpleAtod(got, &b)) return expected == got;
  const size_t point = expected.find('.');
  const size_t digits = point == absl::string_view::npos ? 0 : expected.size() - point - 1;
  return std::fabs(a - b) <= 0.5001 * std::pow(10.0, -static_cast<double>(std::max<size_t>(digits, 3)));
}

// Raw values may say that they are (information type DataValue) or not.
Quality WithoutDataValue(Quality quality) { return quality & ~kInfoDataValue; }

void ExpectExamples(const Examples& examples) {
  constexpr Timestamp kEnd = 100 * kSecond;
  for (const Example& row : examples.results) {
    SCOPED_TRACE(absl::StrCat(row.place, " ", row.aggregate, " of ", row.tag));
    const AggregateInfo* const info = FindAggregate(row.aggregate);
    ASSERT_NE(info, nullptr);
    ASSERT_TRUE(examples.tags.contains(row.tag));
    const ExampleTag& tag = examples.tags.at(row.tag);
    const SamplesView view = tag.samples.View();
    const DirectSamples samples(tag.type, view, ExtentOf(view, row.config.resolution_ns), row.config);
    const Timestamp start = row.time / row.step * row.step;
    const StandardValue value = ComputeDirectly(info->id, samples, start, std::min(start + row.step, kEnd));
    EXPECT_EQ(value.time, row.time);
    EXPECT_EQ(QualityName(WithoutDataValue(value.status)),
              QualityName(WithoutDataValue(QualityOf(row.status))));
    const std::string text = ValueText(info->id, tag.type, tag.samples, value);
    EXPECT_TRUE(SameText(row.value, text)) << "expected " << row.value << ", got " << text;
  }
}

TEST(DirectAggregates, ThePublishedExamples) {
  const Examples examples = OwnExamples();
  EXPECT_EQ(examples.results.size(), 735u);
  std::set<std::string> seen;
  for (const Example& row : examples.results) seen.insert(row.aggregate);
  EXPECT_EQ(seen.size(), 37u);
  ExpectExamples(examples);
}

TEST(DirectAggregates, TheExamplesInTheDirectoryOfConformance) {
  const char* const directory = std::getenv("HISTORIAN_CONFORMANCE");
  if (directory == nullptr) GTEST_SKIP() << "HISTORIAN_CONFORMANCE is not set";
  Examples examples;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (absl::StartsWith(name, "opcua-part13-") && absl::EndsWith(name, ".tsv"))
      ReadSheet(entry.path(), &examples);
  }
  EXPECT_FALSE(examples.results.empty()) << directory;
  std::cout << examples.results.size() << " rows in " << directory << "\n";
  ExpectExamples(examples);
}

// ---- Cases -----------------------------------------------------------------------------------------------------------

// What a test asks of one tag. Times are seconds.
class Tag {
 public:
  explicit Tag(ValueType type, Config config = {}) : type_(type), config_(config) {}

  Tag& Number(double time, double value, Quality quality = kGood) {
    samples_.Add(At(time),
                 type_ == ValueType::kFloat64   ? BitsOfFloat64(value)
                 : type_ == ValueType::kFloat32 ? BitsOfFloat32(static_cast<float>(value))
                                                : BitsOfInt64(static_cast<int64_t>(value)),
                 quality);
    return *this;
  }
  Tag& Text(double time, absl::string_view text, Quality quality = kGood) {
    samples_.AddString(At(time), text, quality);
    return *this;
  }
  Tag& Bits(double time, ValueBits bits, Quality quality = kGood) {
    samples_.Add(At(time), bits, quality);
    return *this;
  }

  Config& config() { return config_; }
  StandardValue Get(A aggregate, double start, double end) const {
    const DirectSamples samples(type_, samples_.View(), ExtentOf(samples_.View(), config_.resolution_ns),
                                config_);
    return ComputeDirectly(aggregate, samples, At(start), At(end));
  }
  // "value; status", and "; seconds" if the time is not the start's.
  std::string Say(A aggregate, double start, double end) const {
    const StandardValue value = Get(aggregate, start, end);
    std::string text =
        absl::StrCat(ValueText(aggregate, type_, samples_, value), "; ", QualityName(value.status));
    if (value.time != At(start)) {
      absl::StrAppend(&text, "; ", static_cast<double>(value.time) / static_cast<double>(kSecond));
    }
    return text;
  }

 private:
  static Timestamp At(double seconds) { return static_cast<Timestamp>(std::llround(seconds * 1e9)); }

  ValueType type_;
  Config config_;
  Samples samples_;
};

TEST(Aggregates, AConfigurationThatContradictsItselfIsRefused) {
  const auto with = [](int bad, int good) {
    Config config;
    config.percent_data_bad = bad;
    config.percent_data_good = good;
    return ValidateConfig(config);
  };
  EXPECT_TRUE(ValidateConfig({}).ok());
  EXPECT_TRUE(with(80, 20).ok());
  EXPECT_TRUE(with(0, 100).ok());
  EXPECT_TRUE(with(100, 0).ok());
  EXPECT_THAT(with(101, 100).message(), HasSubstr("PercentDataBad is 101"));
  EXPECT_THAT(with(100, -1).message(), HasSubstr("PercentDataGood is -1"));
  EXPECT_THAT(with(80, 0).message(), HasSubstr("must be at least 20"));
  Config config;
  config.resolution_ns = 0;
  EXPECT_EQ(ValidateConfig(config).code(), absl::StatusCode::kInvalidArgument);
}

TEST(DirectAggregates, DataBeginAndEndWithWhatIsNotBadNoData) {
  Samples samples;
  EXPECT_TRUE(ExtentOf(samples.View(), 10).empty());
  samples.Add(0, 0, kBadNoData);
  EXPECT_TRUE(ExtentOf(samples.View(), 10).empty());
  samples.Add(100, 0, kBad);
  samples.Add(150, 0, kBadNoData);
  samples.Add(200, 0);
  EXPECT_EQ(ExtentOf(samples.View(), 10), (DataExtent{100, 210}));
  samples.Add(204, 0, kBadNoData | kInfoPartial);
  EXPECT_EQ(ExtentOf(samples.View(), 10), (DataExtent{100, 204}));
}

TEST(DirectAggregates, AnIntervalUpToTheNewestSampleIsWhole) {
  const Tag tag = Tag(ValueType::kFloat64).Number(0, 1).Number(10, 1);
  EXPECT_EQ(tag.Say(A::kCount, 0, 10), "1; Good, Calculated");
  EXPECT_EQ(tag.Say(A::kCount, 0, 10.0001), "2; Good, Calculated, Partial");
  // Nor is it Partial when the archive ends less than a unit of time later.
  const Tag ended = Tag(ValueType::kFloat64).Number(0, 1).Number(10, 1).Number(10.0005, 0, kBadNoData);
  EXPECT_EQ(ended.Say(A::kCount, 0, 10), "1; Good, Calculated");
}

TEST(DirectAggregates, BadNoDataBetweenSamplesIsABadSample) {
  const Tag tag =
      Tag(ValueType::kFloat64).Number(0, 10).Number(10, 0, kBadNoData).Number(20, 10).Number(30, 10);
  EXPECT_EQ(tag.Say(A::kDurationBad, 0, 20), "10000; Good, Calculated");
  EXPECT_EQ(tag.Say(A::kWorstQuality, 0, 20), "BadNoData; Good, Calculated");
  EXPECT_EQ(tag.Say(A::kInterpolative, 15, 20), "10; UncertainDataSubNormal, Interpolated");
  EXPECT_EQ(tag.Say(A::kStartBound, 15, 20), "; BadNoData");
}

TEST(DirectAggregates, ATagWithoutDataHasNone) {
  for (const ValueType type : kAllTypes) {
    const Tag tag(type);
    for (const AggregateInfo& info : kAggregates) {
      if (!IsDefinedFor(info.id, type)) continue;
      EXPECT_EQ(tag.Say(info.id, 5, 10), "; BadNoData") << info.name;
    }
  }
}

TEST(DirectAggregates, PercentagesDecideAStatusByTimeAndByValues) {
  // Bad from 10 to 20; Good, Bad, Good, Good.
  Tag tag =
      Tag(ValueType::kFloat64).Number(0, 1).Number(10, 1, kBad).Number(20, 1).Number(30, 1).Number(60, 1);
  tag.config().stepped = true;
  EXPECT_EQ(tag.Say(A::kTimeAverage2, 0, 40), "1; UncertainDataSubNormal, Calculated");
  tag.config().percent_data_good = 75;
  EXPECT_EQ(tag.Say(A::kTimeAverage2, 0, 40), "1; Good, Calculated");
  EXPECT_EQ(tag.Say(A::kAverage, 0, 40), "1; Good, Calculated");
  tag.config().percent_data_good = 76;
  EXPECT_EQ(tag.Say(A::kTimeAverage2, 0, 40), "1; UncertainDataSubNormal, Calculated");
  tag.config().percent_data_bad = 25;
  EXPECT_EQ(tag.Say(A::kTimeAverage2, 0, 40), "; Bad, Calculated");
  EXPECT_EQ(tag.Say(A::kAverage, 0, 40), "; Bad");
  EXPECT_EQ(tag.Say(A::kCount, 0, 40), "; Bad");
  EXPECT_EQ(tag.Say(A::kMaximum2, 0, 40), "; Bad");
  // Both tests hold: Good is asked first.
  tag.config().percent_data_good = 75;
  EXPECT_EQ(tag.Say(A::kTimeAverage2, 0, 40), "1; Good, Calculated");
}

TEST(DirectAggregates, UncertainSamplesCountAsTheConfigurationSays) {
  Tag tag = Tag(ValueType::kFloat64).Number(0, 10).Number(10, 20, kUncertain).Number(20, 30).Number(60, 30);
  EXPECT_EQ(tag.Say(A::kNumberOfTransitions, 5, 25), "1; UncertainDataSubNormal, Calculated");
  EXPECT_EQ(tag.Say(A::kDurationBad, 0, 20), "10000; Good, Calculated");
  EXPECT_EQ(tag.Say(A::kInterpolative, 10, 20), "20; UncertainDataSubNormal, Interpolated");
  EXPECT_EQ(tag.Say(A::kCount, 10, 20), "; Bad");
  // A region that ends in what counts as Bad is Uncertain, and so counts as Bad, too.
  EXPECT_EQ(tag.Say(A::kMaximum2, 0, 15), "; Bad");
  tag.config().treat_uncertain_as_bad = false;
  EXPECT_EQ(tag.Say(A::kNumberOfTransitions, 5, 25), "2; UncertainDataSubNormal, Calculated");
  EXPECT_EQ(tag.Say(A::kDurationBad, 0, 20), "0; Good, Calculated");
  EXPECT_EQ(tag.Say(A::kInterpolative, 10, 20), "20; Uncertain");
  EXPECT_EQ(tag.Say(A::kStartBound, 10, 20), "20; Uncertain");
  EXPECT_EQ(tag.Say(A::kCount, 10, 20), "0; UncertainDataSubNormal, Calculated");
  EXPECT_EQ(tag.Say(A::kMaximum2, 0, 15), "25; Good, Interpolated");
  // Minimum and Maximum are of Good samples; an Uncertain one beyond them makes them unsure.
  EXPECT_EQ(tag.Say(A::kMaximum, 0, 15), "10; UncertainDataSubNormal");
  EXPECT_EQ(tag.Say(A::kMinimum, 0, 15), "10; Good");
  EXPECT_EQ(tag.Say(A::kRange, 0, 15), "0; UncertainDataSubNormal, Calculated");
}

TEST(DirectAggregates, PastTheNewestSample) {
  Tag tag = Tag(ValueType::kFloat64).Number(0, 10).Number(10, 20).Number(15, 99, kBad);
  EXPECT_EQ(tag.Say(A::kInterpolative, 30, 40), "20; UncertainDataSubNormal, Interpolated");
  tag.config().use_sloped_extrapolation = true;
  EXPECT_EQ(tag.Say(A::kInterpolative, 30, 40), "40; UncertainDataSubNormal, Interpolated");
  EXPECT_EQ(tag.Say(A::kTotal, 10, 30), "600; UncertainDataSubNormal, Calculated, Partial");
  tag.config().stepped = true;
  EXPECT_EQ(tag.Say(A::kInterpolative, 30, 40), "20; UncertainDataSubNormal, Interpolated");
  EXPECT_EQ(tag.Say(A::kTotal, 30, 40), "; BadNoData");
  const Tag one = Tag(ValueType::kFloat64, tag.config()).Number(10, 20);
  EXPECT_EQ(one.Say(A::kInterpolative, 30, 40), "20; UncertainDataSubNormal, Interpolated");
}

TEST(DirectAggregates, TheNewestSampleCountsForOneUnitOfTime) {
  Tag tag = Tag(ValueType::kFloat64).Number(10, 5);
  tag.config().treat_uncertain_as_bad = false;
  EXPECT_EQ(tag.Say(A::kDurationGood, 10, 20), "1; Good, Calculated, Partial");
  EXPECT_EQ(tag.Say(A::kPercentGood, 10, 20), "100; Good, Calculated, Partial");
  EXPECT_EQ(tag.Say(A::kTotal2, 10, 20), "0.005; Good, Calculated, Partial");
  tag.config().resolution_ns = kSecond;
  EXPECT_EQ(tag.Say(A::kTotal2, 10, 20), "5; Good, Calculated, Partial");
  EXPECT_EQ(tag.Say(A::kTotal2, 10, 10.5), "2.5; Good, Calculated, Partial");
  EXPECT_EQ(tag.Say(A::kTotal2, 11, 20), "; BadNoData");
}

TEST(DirectAggregates, ALaterEndOfTheDataHoldsTheNewestSample) {
  Samples samples;
  samples.Add(0, BitsOfFloat64(2));
  samples.Add(10 * kSecond, BitsOfFloat64(4));
  Config config;
  config.stepped = true;
  const DirectSamples held(ValueType::kFloat64, samples.View(), {0, 30 * kSecond}, config);
  const StandardValue whole = ComputeDirectly(A::kTotal2, held, 0, 20 * kSecond);
  EXPECT_EQ(Float64OfBits(*whole.value), 60);
  EXPECT_EQ(whole.status, kGood | kInfoCalculated);
  const StandardValue cut = ComputeDirectly(A::kTotal2, held, 20 * kSecond, 40 * kSecond);
  EXPECT_EQ(Float64OfBits(*cut.value), 40);
  EXPECT_EQ(cut.status, kGood | kInfoCalculated | kInfoPartial);
}

TEST(DirectAggregates, SteppedTagsHoldTheirValue) {
  Tag tag =
      Tag(ValueType::kFloat64).Number(0, 10).Number(10, 20).Number(20, 0, kBad).Number(30, 40).Number(60, 1);
  tag.config().stepped = true;
  EXPECT_EQ(tag.Say(A::kInterpolative, 15, 20), "20; Good, Interpolated");
  EXPECT_EQ(tag.Say(A::kInterpolative, 20, 30), "20; UncertainDataSubNormal, Interpolated");
  EXPECT_EQ(tag.Say(A::kTimeAverage2, 0, 20), "15; Good, Calculated");
  EXPECT_EQ(tag.Say(A::kStartBound, 15, 20), "20; Good, Interpolated");
  EXPECT_EQ(tag.Say(A::kStartBound, 25, 30), "; BadNoData");
  // The value at the end of the interval is not in it.
  EXPECT_EQ(tag.Say(A::kMaximum2, 0, 10), "10; Good");
  EXPECT_EQ(tag.Say(A::kMaximumActualTime2, 5, 15), "20; Good; 10");
  // TimeAverage is sloped all the same.
  EXPECT_EQ(tag.Say(A::kTimeAverage, 0, 10), "15; Good, Calculated");
}

TEST(DirectAggregates, ExtremesSayWhereTheyLie) {
  const Tag tag =
      Tag(ValueType::kFloat64).Number(0, 10).Number(10, 20).Number(20, 20).Number(30, 0).Number(40, 30);
  EXPECT_EQ(tag.Say(A::kMaximum, 5, 30), "20; Good, Calculated, MultipleValues");
  EXPECT_EQ(tag.Say(A::kMaximum, 10, 20), "20; Good");
  EXPECT_EQ(tag.Say(A::kMaximumActualTime, 5, 30), "20; Good, MultipleValues; 10");
  EXPECT_EQ(tag.Say(A::kMinimum2, 5, 25), "10; Good, Interpolated");
  EXPECT_EQ(tag.Say(A::kMinimumActualTime2, 20, 25), "10; Good, Interpolated; 24.999");
  EXPECT_EQ(tag.Say(A::kMinimumActualTime2, 20, 30), "0; Good, Interpolated; 29.999");
  EXPECT_EQ(tag.Say(A::kMinimum2, 20, 30), "0; Good, Calculated");
  // An interval that is shorter than a unit of time.
  EXPECT_EQ(tag.Say(A::kMinimumActualTime2, 29.9995, 30), "0; Good, Interpolated");
}

TEST(DirectAggregates, TimeRunsBackward) {
  Tag tag = Tag(ValueType::kFloat64).Number(0, 10).Number(10, 20).Number(20, 40).Number(30, 0).Number(60, 0);
  // (10, 20].
  EXPECT_EQ(tag.Say(A::kCount, 20, 10), "1; Good, Calculated");
  EXPECT_EQ(tag.Say(A::kStart, 20, 0), "20; Good; 10");
  EXPECT_EQ(tag.Say(A::kEnd, 20, 0), "40; Good");
  EXPECT_EQ(tag.Say(A::kDelta, 20, 0), "20; Good, Calculated");
  EXPECT_EQ(tag.Say(A::kNumberOfTransitions, 20, 0), "2; Good, Calculated");
  EXPECT_EQ(tag.Say(A::kInterpolative, 15, 10), "30; Good, Interpolated");
  EXPECT_EQ(tag.Say(A::kStartBound, 15, 10), "30; Good, Interpolated");
  EXPECT_EQ(tag.Say(A::kEndBound, 15, 10), "20; Good, Calculated");
  EXPECT_EQ(tag.Say(A::kDeltaBounds, 15, 10), "-10; Good, Calculated");
  EXPECT_EQ(tag.Say(A::kMaximum2, 20, 10), "40; Good");
  EXPECT_EQ(tag.Say(A::kMinimumActualTime2, 20, 10), "20; Good, Interpolated; 10.001");
  EXPECT_EQ(tag.Say(A::kTotal2, 20, 10), "300; Good, Calculated");
  tag.config().stepped = true;
  EXPECT_EQ(tag.Say(A::kMinimumActualTime2, 18, 12), "20; Good, Interpolated; 12.001");
  EXPECT_EQ(tag.Say(A::kMaximumActualTime2, 20, 12), "40; Good");
  // Data begin on the interval's start, which belongs to it.
  EXPECT_EQ(tag.Say(A::kCount, 0, -10), "1; Good, Calculated, Partial");
  EXPECT_EQ(tag.Say(A::kDurationBad, 0, -10), "10000; Good, Calculated, Partial");
  EXPECT_EQ(tag.Say(A::kCount, 60, 50), "1; Good, Calculated");
  EXPECT_EQ(tag.Say(A::kCount, 61, 50), "1; Good, Calculated, Partial");
}

TEST(DirectAggregates, OtherTypes) {
  Tag integers = Tag(ValueType::kInt64).Number(0, 10).Number(10, 15).Number(20, 3);
  EXPECT_EQ(integers.Say(A::kInterpolative, 5, 10), "13; Good, Interpolated");
  EXPECT_EQ(integers.Say(A::kTimeAverage2, 0, 5), "11.25; Good, Calculated");
  EXPECT_EQ(integers.Say(A::kDelta, 0, 30), "-7; Good, Calculated, Partial");
  const Tag wide = Tag(ValueType::kInt64).Bits(0, uint64_t{1} << 63).Bits(10, 1).Bits(20, 5);
  EXPECT_EQ(wide.Say(A::kRange, 0, 20), "; BadOutOfRange, Calculated");
  EXPECT_EQ(wide.Say(A::kMinimum, 0, 20), "-9.22337e+18; Good");

  const Tag state = Tag(ValueType::kDigital).Bits(0, 0).Bits(10, 4'000'000'000).Bits(20, 2).Bits(30, 2);
  EXPECT_EQ(state.Say(A::kInterpolative, 5, 10), "0; Good, Interpolated");
  EXPECT_EQ(state.Say(A::kDurationInStateZero, 0, 30), "10000; Good, Calculated");
  EXPECT_EQ(state.Say(A::kDurationInStateNonZero, 0, 30), "20000; Good, Calculated");
  EXPECT_EQ(state.Say(A::kDelta, 10, 30), "-4e+09; Good, Calculated");
  // A state does not slope, nor does it in TimeAverage.
  EXPECT_EQ(state.Say(A::kTimeAverage, 20, 30), "2; Good, Calculated");
  const Tag on = Tag(ValueType::kBool).Bits(0, 1).Bits(10, 0).Bits(40, 1);
  EXPECT_EQ(on.Say(A::kTimeAverage, 0, 40), "0.25; Good, Calculated");
  EXPECT_EQ(on.Say(A::kMaximum, 0, 40), "true; Good");

  const Tag text = Tag(ValueType::kString)
                       .Text(0, "idle")
                       .Text(10, "run")
                       .Text(20, "run")
                       .Text(30, "", kBad)
                       .Text(40, "idle");
  EXPECT_EQ(text.Say(A::kInterpolative, 15, 20), "run; Good, Interpolated");
  EXPECT_EQ(text.Say(A::kEnd, 0, 20), "run; Good; 10");
  EXPECT_EQ(text.Say(A::kNumberOfTransitions, 0, 50), "3; UncertainDataSubNormal, Calculated, Partial");
  EXPECT_EQ(text.Say(A::kDurationBad, 0, 40), "10000; Good, Calculated");
  EXPECT_EQ(text.Say(A::kEndBound, 0, 15), "run; Good, Calculated");
  EXPECT_FALSE(IsDefinedFor(A::kMinimum, ValueType::kString));
  EXPECT_FALSE(IsDefinedFor(A::kDurationInStateZero, ValueType::kString));

  const Tag broken = Tag(ValueType::kFloat64).Number(0, 1).Number(10, NAN).Number(20, 1).Number(30, 1);
  EXPECT_EQ(broken.Say(A::kDurationBad, 0, 30), "10000; Good, Calculated");
  EXPECT_EQ(broken.Say(A::kAverage, 0, 30), "1; UncertainDataSubNormal, Calculated");
  EXPECT_EQ(broken.Say(A::kWorstQuality, 0, 30), "Good; Good, Calculated");
}

TEST(DirectAggregates, AnIntervalWithoutSamplesInsideTheData) {
  const Tag tag = Tag(ValueType::kFloat64).Number(0, 10).Number(30, 40);
  EXPECT_EQ(tag.Say(A::kCount, 10, 20), "0; Good, Calculated");
  EXPECT_EQ(tag.Say(A::kNumberOfTransitions, 10, 20), "0; Good, Calculated");
  EXPECT_EQ(tag.Say(A::kAverage, 10, 20), "; BadNoData");
  EXPECT_EQ(tag.Say(A::kStart, 10, 20), "; BadNoData");
  EXPECT_EQ(tag.Say(A::kWorstQuality, 10, 20), "; BadNoData");
  EXPECT_EQ(tag.Say(A::kWorstQuality2, 10, 20), "Good; Good, Calculated");
  EXPECT_EQ(tag.Say(A::kTotal2, 10, 20), "250; Good, Calculated");
  EXPECT_EQ(tag.Say(A::kRange2, 10, 20), "10; Good, Calculated");
}

TEST(DirectAggregates, AnnotationsAreCountedIfTheyAreKnown) {
  Samples samples;
  samples.Add(0, 0);
  samples.Add(100, 0);
  const DirectSamples direct(ValueType::kFloat64, samples.View(), {0, 101}, {});
  const std::vector<Timestamp> annotations = {50, 0, 20, 20};
  EXPECT_EQ(*ComputeDirectly(A::kAnnotationCount, direct, 0, 50).value, 1u);
  EXPECT_EQ(*ComputeDirectly(A::kAnnotationCount, direct, 0, 50, annotations).value, 3u);
  EXPECT_EQ(*ComputeDirectly(A::kAnnotationCount, direct, 50, 0, annotations).value, 3u);
}

}  // namespace
}  // namespace historian
