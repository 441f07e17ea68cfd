#include "server/wire.h"

#include <cstring>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::server {
namespace {

using ::testing::HasSubstr;

constexpr Timestamp kStart = 1'767'225'600'000'000'000;

// A frame of one column as a client would send it: what ColumnToWire makes is what FrameFromWire takes.
Samples RoundTrip(TagId tag, ValueType type, const Samples& samples, v1::Column* column) {
  v1::Frame wire;
  wire.set_sequence(7);
  ColumnToWire(tag, type, samples.View(), wire.add_columns());
  // Through bytes.
  v1::Frame parsed;
  EXPECT_TRUE(parsed.ParseFromString(wire.SerializeAsString()));
  Frame frame;
  FrameNotes notes;
  FrameFromWire(parsed, &frame, &notes);
  EXPECT_EQ(frame.sequence, 7u);
  EXPECT_TRUE(notes.rejections.empty()) << notes.rejections[0].message;
  *column = parsed.columns(0);
  if (frame.columns.size() != 1) return Samples();
  EXPECT_EQ(frame.columns[0].tag, tag);
  EXPECT_EQ(frame.columns[0].type, type);
  return std::move(frame.columns[0].samples);
}

void ExpectSame(ValueType type, const Samples& a, const Samples& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) ASSERT_TRUE(SameSample(type, a.View(), i, b.View(), i)) << i;
}

TEST(WireTest, EveryTypeComesBackBitForBit) {
  const uint64_t seed = 20261123;
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; ++round) {
    const ValueType type = static_cast<ValueType>(1 + round % 6);
    Samples samples;
    Timestamp time = kStart;
    const size_t size = 1 + random() % 200;
    const bool with_quality = random() % 2 == 0;
    for (size_t i = 0; i < size; ++i) {
      time += 1 + static_cast<Timestamp>(random() % 3'000'000'000);
      const Quality quality =
          with_quality && random() % 4 == 0 ? static_cast<Quality>(random() % 3) << 30 : kGood;
      uint64_t bits = random();
      if (type == ValueType::kBool) bits &= 1;
      if (type == ValueType::kFloat32 || type == ValueType::kDigital) bits &= 0xFFFFFFFF;
      if (type == ValueType::kString) {
        samples.AddString(time, std::string(random() % 50, static_cast<char>(random())), quality);
      } else {
        samples.Add(time, bits, quality);
      }
    }
    v1::Column column;
    const Samples back = RoundTrip(3, type, samples, &column);
    ExpectSame(type, samples, back);
    if (HasFatalFailure()) FAIL() << "seed " << seed << " round " << round;
  }
}

struct TimesRow {
  const char* what;
  std::vector<Timestamp> times;
  v1::Times::FormCase form;
};

TEST(WireTest, TimesTakeTheCheapestForm) {
  const TimesRow kTable[] = {
      {"one", {kStart}, v1::Times::kRegular},
      {"even", {kStart, kStart + 10, kStart + 20}, v1::Times::kRegular},
      {"jitter of ns", {kStart, kStart + 10, kStart + 21}, v1::Times::kOffsets},
      {"jitter of ms", {kStart, kStart + 10'003'000'000, kStart + 20'001'000'000}, v1::Times::kOffsets},
      {"days of seconds",
       {kStart, kStart + 86'400'000'000'000, kStart + 86'401'000'000'000},
       v1::Times::kOffsets},
      {"days of ns",
       {kStart, kStart + 86'400'000'000'001, kStart + 86'401'000'000'000},
       v1::Times::kExplicit},
      {"descending", {kStart + 20, kStart + 10, kStart}, v1::Times::kExplicit},
      {"ends of time", {kTimestampMin, 0, kTimestampMax}, v1::Times::kExplicit},
      {"ends of time alone", {kTimestampMin, kTimestampMax}, v1::Times::kRegular},
  };
  for (const TimesRow& row : kTable) {
    v1::Times times;
    TimesToWire(row.times.data(), row.times.size(), &times);
    EXPECT_EQ(times.form_case(), row.form) << row.what;
    Samples samples;
    for (const Timestamp time : row.times) samples.Add(time, 0);
    v1::Column column;
    const Samples back = RoundTrip(1, ValueType::kFloat64, samples, &column);
    EXPECT_EQ(back.times, row.times) << row.what;
  }
}

TEST(WireTest, TimesThatDoNotFitStayOutsideOfWhatIsValid) {
  v1::Frame wire;
  v1::Column* column = wire.add_columns();
  auto* offsets = column->mutable_times()->mutable_offsets();
  offsets->set_first(std::numeric_limits<int64_t>::min());
  offsets->set_unit_ns(std::numeric_limits<uint64_t>::max());
  for (const uint32_t offset : {0u, 1u, 2u, 0xFFFFFFFFu}) {
    offsets->add_offsets(offset);
    column->mutable_values()->mutable_bool_()->add_values(true);
  }
  v1::Column* regular = wire.add_columns();
  regular->mutable_times()->mutable_regular()->set_first(kTimestampMax);
  regular->mutable_times()->mutable_regular()->set_step_ns(std::numeric_limits<uint64_t>::max() / 2);
  for (int i = 0; i < 5; ++i) regular->mutable_values()->mutable_bool_()->add_values(false);
  Frame frame;
  FrameNotes notes;
  FrameFromWire(wire, &frame, &notes);
  ASSERT_EQ(frame.columns.size(), 2u);
  for (const FrameColumn& one : frame.columns) {
    for (size_t i = 1; i < one.samples.size(); ++i) EXPECT_FALSE(IsValidTimestamp(one.samples.times[i])) << i;
  }
}

TEST(WireTest, EmptyColumnsAreNone) {
  v1::Frame wire;
  wire.add_columns()->set_tag_id(1);
  wire.add_columns()->mutable_values()->mutable_float64();
  wire.add_snapshots();
  Frame frame;
  FrameNotes notes;
  FrameFromWire(wire, &frame, &notes);
  EXPECT_TRUE(frame.columns.empty());
  EXPECT_TRUE(frame.snapshots.empty());
  EXPECT_TRUE(notes.rejections.empty());
}

TEST(WireTest, MalformedColumnKeepsTheIndexesOfTheOthers) {
  v1::Frame wire;
  for (int i = 0; i < 3; ++i) {
    v1::Column* column = wire.add_columns();
    column->set_tag_id(10 + i);
    column->mutable_times()->mutable_explicit_()->add_at(kStart);
    column->mutable_values()->mutable_int64()->add_values(i);
  }
  wire.mutable_columns(1)->mutable_values()->mutable_int64()->add_values(5);
  Frame frame;
  FrameNotes notes;
  FrameFromWire(wire, &frame, &notes);
  ASSERT_EQ(frame.columns.size(), 2u);
  EXPECT_EQ(frame.columns[1].index, 2u);
  EXPECT_EQ(frame.columns[1].samples.values[0], 2u);
  ASSERT_EQ(notes.rejections.size(), 1u);
  EXPECT_EQ(notes.rejections[0].index, 1u);
  EXPECT_EQ(notes.rejections[0].count, 2u);
  EXPECT_EQ(notes.rejections[0].tag, 11u);
  EXPECT_EQ(notes.rejections[0].time, kStart);
  EXPECT_THAT(notes.rejections[0].message, HasSubstr("column 1 of tag 11: 1 times and 2 values"));
}

TEST(WireTest, NothingIsLeftOfTheFrameThatWasThereBefore) {
  v1::Frame before, after;
  for (v1::Frame* wire : {&before, &after}) {
    for (int i = 0; i < 4; ++i) {
      v1::Column* column = wire->add_columns();
      v1::Snapshot* snapshot = wire->add_snapshots();
      column->set_tag_id(i + 1);
      const int size = wire == &before ? 9 : 2 + i;
      for (int k = 0; k < size; ++k) {
        column->mutable_times()->mutable_explicit_()->add_at(kStart + k);
        snapshot->add_tag_ids(k + 1);
        // What was text becomes numbers, and the other way around.
        if ((wire == &before) == (i % 2 == 0)) {
          column->mutable_values()->mutable_string()->add_values(absl::StrCat("text ", k));
          snapshot->mutable_values()->mutable_string()->add_values(absl::StrCat("text ", k));
        } else {
          column->mutable_values()->mutable_int64()->add_values(k);
          snapshot->mutable_values()->mutable_bool_()->add_values(k % 2 == 0);
        }
      }
      if (wire == &after) continue;
      for (v1::Qualities* qualities : {column->mutable_qualities(), snapshot->mutable_qualities()}) {
        qualities->add_first(1);
        qualities->add_count(3);
        qualities->add_quality(kBad);
      }
    }
  }
  Frame used, fresh;
  FrameNotes notes;
  FrameFromWire(before, &used, &notes);
  FrameFromWire(after, &used, &notes);
  EXPECT_TRUE(notes.rejections.empty());
  FrameFromWire(after, &fresh, &notes);
  ASSERT_EQ(used.columns.size(), fresh.columns.size());
  ASSERT_EQ(used.snapshots.size(), fresh.snapshots.size());
  for (size_t i = 0; i < fresh.columns.size(); ++i) {
    const FrameColumn &a = used.columns[i], &b = fresh.columns[i];
    EXPECT_EQ(a.tag, b.tag);
    EXPECT_EQ(a.type, b.type);
    EXPECT_EQ(a.samples.times, b.samples.times);
    EXPECT_EQ(a.samples.values, b.samples.values);
    EXPECT_EQ(a.samples.qualities, b.samples.qualities);
    EXPECT_EQ(a.samples.strings.size(), b.samples.strings.size());
    const FrameSnapshot &s = used.snapshots[i], &t = fresh.snapshots[i];
    EXPECT_EQ(s.type, t.type);
    EXPECT_EQ(s.tags, t.tags);
    EXPECT_EQ(s.values, t.values);
    EXPECT_EQ(s.qualities, t.qualities);
    EXPECT_EQ(s.strings.size(), t.strings.size());
  }
}

TEST(WireTest, ManyMalformedColumnsAreCountedAndListedUpToTheLimit) {
  v1::Frame wire;
  for (int i = 0; i < 1500; ++i) wire.add_columns()->mutable_values()->mutable_bool_()->add_values(true);
  Frame frame;
  FrameNotes notes;
  FrameFromWire(wire, &frame, &notes);
  EXPECT_EQ(notes.rejected, 1500u);
  EXPECT_EQ(notes.rejections.size(), kRejectionsListedMax);
}

TEST(WireTest, TagsComeBack) {
  Tag tag{.id = 9, .name = "a/b", .type = ValueType::kDigital, .interpolation = Interpolation::kStepped};
  tag.unit = "-";
  tag.description = "valve";
  tag.states = {{0, "closed"}, {1, "open"}};
  tag.attributes = {{"area", "7"}};
  v1::Tag wire;
  TagToWire(tag, &wire);
  const auto back = TagFromWire(wire);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->name, tag.name);
  EXPECT_EQ(back->type, tag.type);
  EXPECT_EQ(back->states, tag.states);
  EXPECT_EQ(back->attributes, tag.attributes);
  wire.set_type(static_cast<v1::ValueType>(17));
  EXPECT_THAT(std::string(TagFromWire(wire).status().message()),
              HasSubstr("tag 'a/b': unknown value type 17"));
}

TEST(WireTest, EveryAggregateOfTheContractHasOneRowOfItsNumberAndNoOtherRowIsThere) {
  const google::protobuf::EnumDescriptor& contract = *v1::Aggregate_descriptor();
  size_t specified = 0;
  for (int i = 0; i < contract.value_count(); ++i) {
    const int number = contract.value(i)->number();
    if (number == v1::AGGREGATE_UNSPECIFIED) continue;
    SCOPED_TRACE(contract.value(i)->name());
    ++specified;
    const auto aggregate = AggregateFromWire(number);
    ASSERT_TRUE(aggregate.ok()) << aggregate.status();
    EXPECT_EQ(static_cast<int>(*aggregate), number);
    EXPECT_EQ(AggregateToWire(*aggregate), number);
    size_t rows = 0;
    for (const AggregateInfo& info : kAggregates) rows += static_cast<int>(info.id) == number;
    EXPECT_EQ(rows, 1u);
    // AGGREGATE_PERCENT_GOOD is percent-good.
    EXPECT_EQ(absl::StrReplaceAll(absl::AsciiStrToLower(contract.value(i)->name()),
                                  {{"aggregate_", ""}, {"_", "-"}}),
              InfoOf(*aggregate).name);
  }
  EXPECT_EQ(specified, std::size(kAggregates));
  for (const int number : {0, 38, 99, -1, 257}) {
    EXPECT_EQ(AggregateFromWire(number).status().code(), absl::StatusCode::kInvalidArgument) << number;
  }
}

}  // namespace
}  // namespace historian::server
