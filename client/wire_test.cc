#include "client/wire.h"

#include <bit>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::client {
namespace {

constexpr Timestamp kNow = 1'790'000'000'000'000'000;
constexpr int64_t kMilli = 1'000'000;

TEST(Times, TakeTheCheapestFormThatHoldsThemExactly) {
  const struct {
    const char* what;
    std::vector<Timestamp> times;
    v1::Times::FormCase form;
  } cases[] = {
      {"none", {}, v1::Times::kExplicit},
      {"one", {kNow}, v1::Times::kRegular},
      {"every second", {kNow, kNow + 1000 * kMilli, kNow + 2000 * kMilli}, v1::Times::kRegular},
      {"jittered by milliseconds", {kNow, kNow + 1003 * kMilli, kNow + 1999 * kMilli}, v1::Times::kOffsets},
      {"by nanoseconds over four seconds", {kNow, kNow + 1, kNow + 4'000'000'000}, v1::Times::kOffsets},
      {"by nanoseconds over a minute", {kNow, kNow + 1, kNow + 60'000'000'000}, v1::Times::kExplicit},
      {"whole seconds over a century",
       {kTimestampMin, kTimestampMin + kNanosPerSecond, kTimestampMin + 3'000'000'000 * kNanosPerSecond},
       v1::Times::kOffsets},
      {"the whole range", {kTimestampMin, kTimestampMax}, v1::Times::kRegular},
      {"descending", {kNow, kNow - 1, kNow - 3}, v1::Times::kExplicit},
      {"descending evenly", {kNow, kNow - 1, kNow - 2}, v1::Times::kExplicit},
      {"standing still", {kNow, kNow, kNow}, v1::Times::kExplicit},
  };
  for (const auto& c : cases) {
    v1::Times wire;
    TimesToWire(c.times, &wire);
    EXPECT_EQ(wire.form_case(), c.form) << c.what;
    std::vector<Timestamp> back;
    ASSERT_TRUE(TimesFromWire(wire, c.times.size(), &back).ok()) << c.what;
    EXPECT_EQ(back, c.times) << c.what;
  }
}

Samples RandomSamples(ValueType type, std::mt19937_64& random, size_t n) {
  Samples samples;
  Timestamp t = kNow - static_cast<int64_t>(random() % 1'000'000'000'000'000'000);
  const uint64_t steps[] = {1, 100, 1000, 1'000'000, 1'000'000'000, 86'400'000'000'000};
  const uint64_t unit = steps[random() % std::size(steps)];
  for (size_t i = 0; i < n; ++i) {
    t += static_cast<int64_t>(unit * (1 + random() % 4));
    const Quality quality = random() % 8 == 0 ? kBad : kGood;
    switch (type) {
      case ValueType::kString:
        samples.AddString(t, std::string(random() % 20, static_cast<char>(random())), quality);
        break;
      case ValueType::kBool:
        samples.Add(t, random() & 1, quality);
        break;
      case ValueType::kFloat32:
      case ValueType::kDigital:
        samples.Add(t, static_cast<uint32_t>(random()), quality);
        break;
      default:
        samples.Add(t, random(), quality);
    }
  }
  return samples;
}

TEST(Column, RoundTripsBitForBitThroughTheEncodedFrame) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 600; ++round) {
    const auto type = static_cast<ValueType>(1 + random() % 6);
    const Samples samples = RandomSamples(type, random, 1 + random() % 200);
    FrameEncoder encoder;
    encoder.AddColumn(7, type, samples.View());
    EXPECT_EQ(encoder.samples(), samples.size());
    v1::Frame frame;
    ASSERT_TRUE(frame.ParseFromString(encoder.Take()));
    const absl::StatusOr<SampleBatch> back = FromWire(frame.columns(0));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->tag_id, 7);
    EXPECT_EQ(back->type, type);
    ASSERT_EQ(back->samples.size(), samples.size());
    for (size_t i = 0; i < samples.size(); ++i) {
      ASSERT_TRUE(SameSample(type, samples.View(), i, back->samples.View(), i)) << i;
    }
  }
}

TEST(Column, KeepsNanPayloadsAndSigns) {
  Samples samples;
  const ValueBits doubles[] = {0x7ff0000000000001, 0xfff8dead0000beef, BitsOfFloat64(-0.0),
                               0x7ff0000000000000};
  for (const ValueBits bits : doubles) samples.Add(static_cast<Timestamp>(samples.size()), bits);
  v1::Column wire;
  ColumnToWire(1, ValueType::kFloat64, samples.View(), &wire);
  EXPECT_EQ(FromWire(wire)->samples.values, samples.values);
  Samples floats;
  for (const ValueBits bits : {0x7f800001u, 0xffc0dead, 0x80000000})
    floats.Add(static_cast<Timestamp>(floats.size()), bits);
  wire.Clear();
  ColumnToWire(1, ValueType::kFloat32, floats.View(), &wire);
  v1::Column parsed;
  ASSERT_TRUE(parsed.ParseFromString(wire.SerializeAsString()));
  EXPECT_EQ(FromWire(parsed)->samples.values, floats.values);
}

TEST(Qualities, AreRunsOfWhatIsNotGood) {
  const Quality qualities[] = {kGood, kBad, kBad, kUncertain, kGood, kBad};
  v1::Qualities wire;
  QualitiesToWire(qualities, 6, &wire);
  EXPECT_THAT(wire.first(), testing::ElementsAre(1, 3, 5));
  EXPECT_THAT(wire.count(), testing::ElementsAre(2, 1, 1));
  EXPECT_THAT(wire.quality(), testing::ElementsAre(kBad, kUncertain, kBad));
  std::vector<Quality> back;
  ASSERT_TRUE(QualitiesFromWire(wire, 6, &back).ok());
  EXPECT_THAT(back, testing::ElementsAreArray(qualities));
}

void AddQualityRun(uint32_t first, uint32_t count, v1::Column* column) {
  column->mutable_qualities()->add_first(first);
  column->mutable_qualities()->add_count(count);
  column->mutable_qualities()->add_quality(kBad);
}

v1::Column TwoFloats() {
  v1::Column column;
  column.set_tag_id(1);
  column.mutable_times()->mutable_regular()->set_first(kNow);
  column.mutable_times()->mutable_regular()->set_step_ns(5);
  column.mutable_values()->mutable_float64()->add_values(1);
  column.mutable_values()->mutable_float64()->add_values(2);
  return column;
}

TEST(Column, MalformedOnesAreInternalAndSayWhatIsWrong) {
  ASSERT_TRUE(FromWire(TwoFloats()).ok());
  const struct {
    const char* expected;
    void (*damage)(v1::Column*);
  } cases[] = {
      {"without a form", [](v1::Column* c) { c->clear_times(); }},
      {"step of 0", [](v1::Column* c) { c->mutable_times()->mutable_regular()->set_step_ns(0); }},
      {"step of", [](v1::Column* c) { c->mutable_times()->mutable_regular()->set_step_ns(~0ull); }},
      {"first time",
       [](v1::Column* c) { c->mutable_times()->mutable_regular()->set_first(kTimestampMax + 1); }},
      {"1 times for 2 values", [](v1::Column* c) { c->mutable_times()->mutable_explicit_()->add_at(kNow); }},
      {"a time outside",
       [](v1::Column* c) {
         c->mutable_times()->mutable_explicit_()->add_at(kNow);
         c->mutable_times()->mutable_explicit_()->add_at(std::numeric_limits<int64_t>::max());
       }},
      {"0 times for 2 values", [](v1::Column* c) { c->mutable_times()->mutable_offsets()->set_unit_ns(1); }},
      {"unit of 0",
       [](v1::Column* c) {
         c->mutable_times()->mutable_offsets()->add_offsets(0);
         c->mutable_times()->mutable_offsets()->add_offsets(1);
       }},
      {"offset beyond",
       [](v1::Column* c) {
         v1::Times::Offsets* offsets = c->mutable_times()->mutable_offsets();
         offsets->set_first(kNow);
         offsets->set_unit_ns(uint64_t{1} << 62);
         offsets->add_offsets(0);
         offsets->add_offsets(4);  // Wraps around to the first.
       }},
      {"quality run", [](v1::Column* c) { AddQualityRun(1, 2, c); }},
      {"quality run", [](v1::Column* c) { AddQualityRun(0xffffffff, 0xffffffff, c); }},
      {"quality run",
       [](v1::Column* c) {
         for (const uint32_t first : {1, 0}) AddQualityRun(first, 1, c);
       }},
      {"2 begins, 1 counts and 1 qualities",
       [](v1::Column* c) {
         AddQualityRun(1, 1, c);
         c->mutable_qualities()->add_first(2);
       }},
      {"0 values",
       [](v1::Column* c) {
         c->clear_values();
         c->mutable_times()->mutable_explicit_()->add_at(kNow);
       }},
  };
  for (const auto& c : cases) {
    v1::Column column = TwoFloats();
    c.damage(&column);
    const absl::StatusOr<SampleBatch> batch = FromWire(column);
    EXPECT_EQ(batch.status().code(), absl::StatusCode::kInternal) << c.expected;
    EXPECT_THAT(std::string(batch.status().message()), testing::HasSubstr(c.expected));
  }
}

TEST(Column, RandomBytesNeverCrash) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const std::string good = TwoFloats().SerializeAsString();
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (int k = 0; k < 3; ++k) bytes[random() % bytes.size()] = static_cast<char>(random());
    v1::Column column;
    if (column.ParseFromString(bytes)) (void)FromWire(column);
  }
}

TEST(Tag, RoundTrips) {
  const Tag tag{.id = 3,
                .name = "valve",
                .type = ValueType::kDigital,
                .interpolation = Interpolation::kStepped,
                .unit = "1",
                .description = "d",
                .states = {{0, "closed"}, {1, "open"}},
                .attributes = {{"k", "v"}},
                .retired = true,
                .created = 1,
                .updated = 2};
  v1::Tag wire;
  ToWire(tag, &wire);
  const absl::StatusOr<Tag> back = FromWire(wire);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->name, tag.name);
  EXPECT_EQ(back->type, tag.type);
  EXPECT_EQ(back->interpolation, tag.interpolation);
  EXPECT_EQ(back->states, tag.states);
  EXPECT_EQ(back->attributes, tag.attributes);
  EXPECT_EQ(back->retired, true);
  wire.set_type(v1::VALUE_TYPE_UNSPECIFIED);
  EXPECT_EQ(FromWire(wire).status().code(), absl::StatusCode::kInternal);
}

TEST(Latest, LengthsMustMatch) {
  v1::ReadLatestResponse wire;
  v1::TagSamples* group = wire.add_samples();
  group->add_tag_ids(1);
  group->add_times(kNow);
  group->mutable_values()->mutable_int64()->add_values(5);
  ASSERT_TRUE(FromWire(wire).ok());
  group->add_tag_ids(2);
  EXPECT_EQ(FromWire(wire).status().code(), absl::StatusCode::kInternal);
}

TEST(WriteRequest, PrefixAndFrameAreOneMessage) {
  FrameEncoder encoder;
  Samples samples;
  samples.Add(kNow, 1);
  for (const uint64_t sequence :
       {uint64_t{1}, uint64_t{127}, uint64_t{128}, uint64_t{1} << 40, ~uint64_t{0}}) {
    encoder.AddColumn(9, ValueType::kInt64, samples.View());
    const TagId tags[] = {4, 5};
    const ValueBits values[] = {6, 7};
    encoder.AddSnapshot(kNow, ValueType::kInt64, tags, values, {}, nullptr);
    const std::string frame = encoder.Take();
    v1::WriteRequest request;
    ASSERT_TRUE(request.ParseFromString(WriteRequestPrefix(sequence, frame.size()) + frame));
    EXPECT_EQ(request.frame().sequence(), sequence);
    EXPECT_EQ(request.frame().columns(0).tag_id(), 9u);
    EXPECT_EQ(request.frame().snapshots(0).tag_ids(1), 5u);
  }
}

}  // namespace
}  // namespace historian::client
