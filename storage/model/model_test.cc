#include <random>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/model/aggregate.h"
#include "storage/model/quality.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"
#include "storage/model/timestamp.h"
#include "storage/model/value.h"

namespace historian {
namespace {

TEST(Timestamp, PrintsAsManyDigitsAsItNeeds) {
  EXPECT_EQ(FormatTimestamp(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(FormatTimestamp(250'000'000), "1970-01-01T00:00:00.250Z");
  EXPECT_EQ(FormatTimestamp(1'000), "1970-01-01T00:00:00.000001Z");
  EXPECT_EQ(FormatTimestamp(-1), "1969-12-31T23:59:59.999999999Z");
  absl::TimeZone berlin;
  ASSERT_TRUE(absl::LoadTimeZone("Europe/Berlin", &berlin));
  EXPECT_EQ(FormatTimestamp(0, berlin), "1970-01-01T01:00:00+01:00");
  EXPECT_EQ(FormatTimestamp(kTimestampMin), "1900-01-01T00:00:00Z");
  EXPECT_EQ(FormatTimestamp(kTimestampMax), "2199-12-31T23:59:59.999999999Z");
}

TEST(Timestamp, ReadsRfc3339AndNothingElse) {
  const struct {
    const char* text;
    Timestamp expected;
  } good[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"1970-01-01 00:00:01z", 1'000'000'000},
      {"1970-01-01T01:00:00.5+01:00", 500'000'000},
      {"1969-12-31T23:59:59.999999999Z", -1},
      {"1900-01-01T00:00:00Z", kTimestampMin},
      {"2199-12-31T23:59:59.999999999Z", kTimestampMax},
  };
  for (const auto& c : good) {
    ASSERT_TRUE(ParseTimestamp(c.text).ok()) << c.text << ": " << ParseTimestamp(c.text).status();
    EXPECT_EQ(*ParseTimestamp(c.text), c.expected) << c.text;
  }
  for (const char* bad :
       {"", "now", "1970-01-01", "1970-01-01T00:00:00", "1970-13-01T00:00:00Z", "1970-02-30T00:00:00Z",
        "1970-01-01T24:00:01Z", "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00.0000000001Z",
        " 1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z ", "infinite-future", "1970-01-01T00:00:00+1"}) {
    EXPECT_EQ(ParseTimestamp(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_EQ(ParseTimestamp("1899-12-31T23:59:59Z").status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(ParseTimestamp("2200-01-01T00:00:00Z").status().code(), absl::StatusCode::kOutOfRange);
}

TEST(Timestamp, TextRoundTrips) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; ++i) {
    const Timestamp t = static_cast<int64_t>(static_cast<uint64_t>(kTimestampMin) +
                                             random() % Elapsed(kTimestampMin, kTimestampMax));
    ASSERT_EQ(*ParseTimestamp(FormatTimestamp(t)), t);
  }
}

TEST(Quality, NamesAndCodes) {
  const struct {
    Quality code;
    const char* name;
  } cases[] = {{0, "Good"},
               {0x80000000, "Bad"},
               {0x80310000, "BadNoCommunication"},
               {0x40A40000, "UncertainDataSubNormal"},
               {0x00000405, "Good, Calculated, Partial"},
               {0x00000400, "Good, Raw"},
               {0x00000412, "Good, Interpolated, MultipleValues"},
               {0x80000408, "Bad, ExtraData"},
               {0x40940600, "UncertainEngineeringUnitsExceeded, LimitHigh"},
               {0x00004000, "Good, SemanticsChanged"},
               {0x00000403, "Good, 0x0403"},
               {0x80D60000, "BadAggregateInvalidInputs"},
               {0x40010000, "Uncertain(0x40010000)"}};
  for (const auto& c : cases) EXPECT_EQ(QualityName(c.code), c.name);
  EXPECT_EQ(*ParseQuality("bad_nocommunication"), 0x80310000);
  EXPECT_EQ(*ParseQuality("0x80310000"), 0x80310000);
  EXPECT_EQ(*ParseQuality("0"), kGood);
  EXPECT_EQ(*ParseQuality("good,calculated , multiple_values"), kInfoCalculated | kInfoMultipleValues);
  for (const char* bad : {"", "Fine", "0xC0000000", "0x10000000", "4294967296", "-1", "Good,", "Good, Fine",
                          "Good, 0x10000", "Bad(0x40010000)", "Good(0x80310000", "Reserved(0xC0000000)"}) {
    EXPECT_FALSE(ParseQuality(bad).ok()) << bad;
  }
}

TEST(Quality, EveryNameReadsAsWhatItNames) {
  std::mt19937_64 random(41);
  for (Quality high = 0; high <= 0xFFFF; ++high) {
    const Quality q = high << 16 | (random() % 2 == 0 ? 0 : random() % 0x10000);
    if (!IsKnownQuality(q)) continue;
    const absl::StatusOr<Quality> read = ParseQuality(QualityName(q));
    ASSERT_TRUE(read.ok()) << QualityName(q) << ": " << read.status();
    ASSERT_EQ(*read, q) << QualityName(q);
  }
  for (Quality low = 0; low <= 0xFFFF; ++low)
    ASSERT_EQ(*ParseQuality(QualityName(low)), low) << QualityName(low);
}

TEST(Value, TypeNamesRoundTrip) {
  for (uint8_t i = 1; IsKnownValueType(i); ++i) {
    ValueType type;
    ASSERT_TRUE(ParseValueType(ValueTypeName(static_cast<ValueType>(i)), &type));
    EXPECT_EQ(static_cast<uint8_t>(type), i);
  }
  ValueType type;
  EXPECT_FALSE(ParseValueType("double", &type));
}

TEST(Samples, AppendsQualitiesOnlyWhenSomeAreNotGood) {
  Samples a;
  a.Add(1, 10);
  a.Add(2, 20, kBad);
  a.Add(3, 30);
  EXPECT_THAT(a.qualities, testing::ElementsAre(kGood, kBad, kGood));
  Samples b;
  b.Append(ValueType::kInt64, a.View(), 0, 1);
  EXPECT_TRUE(b.qualities.empty());
  b.Append(ValueType::kInt64, a.View(), 1, 2);
  EXPECT_THAT(b.qualities, testing::ElementsAre(kGood, kBad, kGood));
  Samples good;
  good.Add(4, 40);
  b.Append(ValueType::kInt64, good.View());
  EXPECT_THAT(b.qualities, testing::ElementsAre(kGood, kBad, kGood, kGood));
}

TEST(Samples, WhatIsReplacedByNothingTakesNoMemory) {
  for (const size_t left : {0, 1}) {
    Samples samples;
    for (int i = 0; i < 1000; ++i) samples.AddString(i, std::string(1000, 'x'));
    ASSERT_GT(samples.MemoryBytes(), 1'000'000u);
    Samples rest;
    if (left > 0) rest.AddString(1, "short");
    samples = std::move(rest);
    EXPECT_EQ(samples.size(), left);
    EXPECT_LT(samples.MemoryBytes(), 1'000u);
    if (left > 0) {
      EXPECT_EQ(samples.View().StringAt(0), "short");
    }
  }
}

TEST(Samples, SortKeepsTheLastOfEqualTimes) {
  Samples s;
  s.AddString(3, "c");
  s.AddString(1, "a");
  s.AddString(3, "c");
  s.AddString(2, "");
  s.AddString(1, "A");
  const Superseded superseded = SortAndKeepLast(ValueType::kString, &s);
  EXPECT_EQ(superseded.duplicates, 1);
  EXPECT_EQ(superseded.replaced, 1);
  EXPECT_THAT(s.times, testing::ElementsAre(1, 2, 3));
  EXPECT_EQ(s.View().StringAt(0), "A");
  EXPECT_EQ(s.View().StringAt(1), "");
  EXPECT_EQ(s.View().StringAt(2), "c");
}

TEST(Tag, NamesThatPlantsUse) {
  for (const char* good :
       {"a", "site/area/unit/sensor", "10-FIC 101.PV", "Straße 4/Würzkessel", "x%#:@!$&()=+,;'\"\\~|<>{}"}) {
    EXPECT_TRUE(ValidateTagName(good).ok()) << ValidateTagName(good);
  }
  for (const std::string& bad :
       std::vector<std::string>{"", " a", "a ", "a\tb", "a*", "a?", "[a]", "\xff", "\xed\xa0\x80",
                                std::string(kTagNameBytesMax + 1, 'x')}) {
    EXPECT_EQ(ValidateTagName(bad).code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_TRUE(ValidateTagName(std::string(kTagNameBytesMax, 'x')).ok());
}

TEST(Tag, SlopedIsForNumbers) {
  Tag tag{.name = "valve", .type = ValueType::kDigital, .interpolation = Interpolation::kSloped};
  EXPECT_FALSE(ValidateTag(tag).ok());
  tag.interpolation = Interpolation::kStepped;
  tag.states = {{0, "closed"}, {1, "open"}};
  EXPECT_TRUE(ValidateTag(tag).ok());
  tag.type = ValueType::kBool;
  EXPECT_FALSE(ValidateTag(tag).ok());
}

TEST(Tag, IsStaleAfterWholeSecondsOrNever) {
  Tag tag{.name = "flow"};
  for (const absl::Duration good : {absl::ZeroDuration(), absl::Seconds(1), absl::Hours(24 * 36'500)}) {
    tag.stale_after = good;
    EXPECT_TRUE(ValidateTag(tag).ok()) << good;
  }
  for (const absl::Duration bad :
       {absl::Seconds(-1), absl::Milliseconds(1500), absl::Hours(24 * 36'501), absl::InfiniteDuration()}) {
    tag.stale_after = bad;
    EXPECT_EQ(ValidateTag(tag).code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

TEST(Aggregates, EachHasItsOwnNumberNamesAndNodeId) {
  std::set<int> numbers;
  std::set<absl::string_view> written, standard;
  std::set<uint32_t> nodes;
  int before = 0;
  for (const AggregateInfo& info : kAggregates) {
    SCOPED_TRACE(info.name);
    EXPECT_GT(static_cast<int>(info.id), before) << "in the order of their numbers";
    before = static_cast<int>(info.id);
    EXPECT_FALSE(info.name.empty());
    EXPECT_FALSE(info.standard_name.empty());
    EXPECT_TRUE(numbers.insert(before).second);
    EXPECT_TRUE(written.insert(info.name).second);
    if (!info.short_name.empty()) {
      EXPECT_TRUE(written.insert(info.short_name).second);
    }
    EXPECT_TRUE(standard.insert(info.standard_name).second);
    if (info.is_standard()) {
      EXPECT_TRUE(nodes.insert(info.node_id).second);
    }
    EXPECT_EQ(&InfoOf(info.id), &info);
    EXPECT_EQ(FindAggregate(before), &info);
    EXPECT_EQ(FindAggregate(info.name), &info);
  }
}

TEST(Aggregates, AreFoundByAllTheirNamesAndNothingElse) {
  for (const auto& [text, aggregate] :
       {std::pair("min", Aggregate::kMinimum), std::pair("max", Aggregate::kMaximum),
        std::pair("avg", Aggregate::kAverage), std::pair("twa", Aggregate::kTimeAverage2),
        std::pair("stddev", Aggregate::kStandardDeviationSample),
        std::pair("TimeAverage2", Aggregate::kTimeAverage2),
        std::pair("worst_quality", Aggregate::kWorstQuality), std::pair("MIN", Aggregate::kMinimum)}) {
    ASSERT_NE(FindAggregate(text), nullptr) << text;
    EXPECT_EQ(FindAggregate(text)->id, aggregate) << text;
  }
  for (const char* text : {"", "-", "minimum ", "mini", "average3"})
    EXPECT_EQ(FindAggregate(text), nullptr) << text;
  for (const int64_t number : {int64_t{0}, int64_t{38}, int64_t{-1}, int64_t{257}, INT64_MAX}) {
    EXPECT_EQ(FindAggregate(number), nullptr) << number;
  }
}

// OPC 10000-13, NodeIds.csv.
TEST(Aggregates, ThoseOfPart13HaveItsNodeIds) {
  const struct {
    absl::string_view name;
    uint32_t node_id;
  } kTable[] = {{"Interpolative", 2341},
                {"Average", 2342},
                {"TimeAverage", 2343},
                {"TimeAverage2", 11285},
                {"Total", 2344},
                {"Total2", 11304},
                {"Minimum", 2346},
                {"Maximum", 2347},
                {"MinimumActualTime", 2348},
                {"MaximumActualTime", 2349},
                {"Range", 2350},
                {"Minimum2", 11286},
                {"Maximum2", 11287},
                {"MinimumActualTime2", 11305},
                {"MaximumActualTime2", 11306},
                {"Range2", 11288},
                {"AnnotationCount", 2351},
                {"Count", 2352},
                {"DurationInStateZero", 11307},
                {"DurationInStateNonZero", 11308},
                {"NumberOfTransitions", 2355},
                {"Start", 2357},
                {"End", 2358},
                {"Delta", 2359},
                {"StartBound", 11505},
                {"EndBound", 11506},
                {"DeltaBounds", 11507},
                {"DurationGood", 2360},
                {"DurationBad", 2361},
                {"PercentGood", 2362},
                {"PercentBad", 2363},
                {"WorstQuality", 2364},
                {"WorstQuality2", 11292},
                {"StandardDeviationSample", 11426},
                {"VarianceSample", 11428},
                {"StandardDeviationPopulation", 11427},
                {"VariancePopulation", 11429}};
  size_t standard = 0;
  for (const AggregateInfo& info : kAggregates) standard += info.is_standard();
  EXPECT_EQ(standard, std::size(kTable));
  for (const auto& row : kTable) {
    bool found = false;
    for (const AggregateInfo& info : kAggregates) {
      found |= info.standard_name == row.name && info.node_id == row.node_id;
    }
    EXPECT_TRUE(found) << row.name;
  }
}

TEST(Aggregates, ValuesOfSamplesAreWhatTheTagHolds) {
  EXPECT_TRUE(HasIntegers(Aggregate::kMinimum, ValueType::kInt64));
  EXPECT_TRUE(HasIntegers(Aggregate::kEnd, ValueType::kDigital));
  EXPECT_FALSE(HasIntegers(Aggregate::kMinimum, ValueType::kFloat32));
  EXPECT_TRUE(HasIntegers(Aggregate::kRange, ValueType::kBool));
  EXPECT_FALSE(HasIntegers(Aggregate::kDelta, ValueType::kFloat64));
  for (const ValueType type : {ValueType::kFloat64, ValueType::kInt64, ValueType::kString}) {
    EXPECT_TRUE(HasIntegers(Aggregate::kCount, type));
    EXPECT_TRUE(HasIntegers(Aggregate::kWorstQuality, type));
    EXPECT_FALSE(HasIntegers(Aggregate::kPercentGood, type));
  }
}

}  // namespace
}  // namespace historian
