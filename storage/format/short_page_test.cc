#include "storage/format/short_page.h"

#include <algorithm>
#include <bit>
#include <random>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/format/hostile_samples.h"
#include "storage/format/page.h"
#include "storage/format/plant_samples.h"

namespace historian::format {
namespace {

using ::testing::HasSubstr;

constexpr ValueType kAllTypes[] = {ValueType::kFloat64, ValueType::kFloat32, ValueType::kInt64,
                                   ValueType::kBool,    ValueType::kDigital, ValueType::kString};
constexpr Timestamp kStart = 1'796'007'600'000'000'000;  // 2026-11-30T03:00:00Z

// Empty when they do not suit.
std::string Encoded(ValueType type, const Samples& samples, Timestamp origin, EncodeHint hint) {
  std::string bytes(kShortPageBytesMax + 1, '\x55');
  auto* const begin = reinterpret_cast<uint8_t*>(bytes.data());
  const uint8_t* const end = EncodeShortPage(type, samples.View(), origin, hint, begin);
  EXPECT_EQ(bytes.back(), '\x55');
  bytes.resize(end == nullptr ? 0 : end - begin);
  return bytes;
}

void ExpectSame(ValueType type, const Samples& a, const Samples& b) {
  ASSERT_EQ(a.size(), b.size());
  const SamplesView x = a.View(), y = b.View();
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_TRUE(SameSample(type, x, i, y, i))
        << "sample " << i << ": time " << a.times[i] << " is " << b.times[i] << ", value " << a.values[i]
        << " is " << b.values[i];
  }
}

TEST(ShortPage, WhatSuitsComesBackBitForBit) {
  const uint64_t seed = 20261123;
  std::mt19937_64 random(seed);
  size_t suited = 0;
  for (int round = 0; round < 20'000; ++round) {
    const ValueType type = kAllTypes[random() % 6];
    Samples samples = HostileSamples(type, 1 + random() % (kShortPageSamplesMax + 4), random);
    if (random() % 4 != 0) samples.qualities.clear();
    EncodeHint hint;
    if (random() % 8 != 0) hint.decimals = static_cast<int8_t>(random() % 18) - 2;
    hint.narrow = random() % 16 == 0;
    const Timestamp origin = random() % 2 == 0 ? samples.times.front() : static_cast<Timestamp>(random());
    const std::string bytes = Encoded(type, samples, origin, hint);
    if (bytes.empty()) continue;
    ++suited;
    SCOPED_TRACE(testing::Message() << "seed " << seed << " round " << round);
    Samples back;
    ASSERT_TRUE(DecodeShortPage(type, bytes, origin, &back).ok());
    ASSERT_NO_FATAL_FAILURE(ExpectSame(type, samples, back));
  }
  EXPECT_GT(suited, 1'000);
}

TEST(ShortPage, PlantTagsSuitAndAreSmall) {
  size_t short_bytes = 0, page_bytes = 0;
  for (const PlantKind& kind : PlantKinds()) {
    if (kind.type == ValueType::kString) continue;
    for (const size_t size : {1, 2, 16, 64, 128}) {
      Samples samples = kind.make(size, 1);
      samples.qualities.clear();
      EncodeHint hint;
      std::string page;
      EncodePage(kind.type, samples.View(), &page, &hint);
      const std::string bytes = Encoded(kind.type, samples, samples.times.front(), hint);
      if (hint.decimals < 0 && (kind.type == ValueType::kFloat64 || kind.type == ValueType::kFloat32)) {
        EXPECT_TRUE(bytes.empty()) << kind.name;
        continue;
      }
      if (bytes.empty()) continue;  // Some of its values are no decimals.
      Samples back;
      ASSERT_TRUE(DecodeShortPage(kind.type, bytes, samples.times.front(), &back).ok());
      ASSERT_NO_FATAL_FAILURE(ExpectSame(kind.type, samples, back)) << kind.name << " " << size;
      short_bytes += bytes.size();
      page_bytes += page.size();
    }
  }
  EXPECT_LT(short_bytes, page_bytes * 2);
}

struct Unsuited {
  const char* what;
  ValueType type;
  Samples samples;
  EncodeHint hint;
};

TEST(ShortPage, SaysWhatDoesNotSuit) {
  const EncodeHint tenths{.decimals = 1};
  const auto two = [](Timestamp step, double value, Quality quality = kGood) {
    Samples samples;
    samples.Add(kStart, BitsOfFloat64(0.5));
    samples.Add(kStart + step, BitsOfFloat64(value), quality);
    return samples;
  };
  Samples text, many;
  text.AddString(kStart, "a");
  for (size_t i = 0; i <= kShortPageSamplesMax; ++i) many.Add(kStart + i, 1);
  const Unsuited kTable[] = {
      {"not Good", ValueType::kFloat64, two(1, 0.5, kUncertain), tenths},
      {"two weeks apart", ValueType::kFloat64, two(14 * 86'400 * kNanosPerSecond, 0.5), tenths},
      {"another decimal place", ValueType::kFloat64, two(1, 0.25), tenths},
      {"not a decimal", ValueType::kFloat64, two(1, 1.0 / 3), tenths},
      {"places not known", ValueType::kFloat64, two(1, 0.5), EncodeHint()},
      {"went through float32", ValueType::kFloat64, two(1, 0.5), EncodeHint{.decimals = 1, .narrow = true}},
      {"a string", ValueType::kString, text, tenths},
      {"too many", ValueType::kInt64, many, tenths},
      {"none", ValueType::kInt64, Samples(), tenths},
  };
  EXPECT_FALSE(Encoded(ValueType::kFloat64, two(1, 0.5), kStart, tenths).empty());
  for (const Unsuited& row : kTable) {
    EXPECT_TRUE(Encoded(row.type, row.samples, kStart, row.hint).empty()) << row.what;
  }
}

// A sample a second, on time or 5 ms off it, some of them missing: what late data leave.
TEST(ShortPage, MissingSamplesCostAFewBytesEach) {
  std::mt19937_64 random(11);
  for (const int64_t jitter_ms : {0, 5}) {
    Samples full, some;
    size_t missing = 0;
    for (int64_t i = 0; i < 64; ++i) {
      const int64_t off =
          jitter_ms == 0 ? 0 : static_cast<int64_t>(random() % (2 * jitter_ms + 1)) - jitter_ms;
      const Timestamp time = kStart + i * kNanosPerSecond + off * 1'000'000;
      full.Add(time, 7);
      if (i % 20 == 7) {
        ++missing;
      } else {
        some.Add(time, 7);
      }
    }
    const std::string with_all = Encoded(ValueType::kInt64, full, kStart, {});
    const std::string with_gaps = Encoded(ValueType::kInt64, some, kStart, {});
    EXPECT_LE(with_gaps.size(), with_all.size() + 4 + 4 * missing) << jitter_ms;
    Samples back;
    ASSERT_TRUE(DecodeShortPage(ValueType::kInt64, with_gaps, kStart, &back).ok());
    ExpectSame(ValueType::kInt64, some, back);
  }
}

TEST(ShortPage, DamageIsSafe) {
  std::mt19937_64 random(7);
  Samples all = PlantKindNamed("drift_jittered").make(64, 1), samples;
  all.qualities.clear();
  samples.Append(ValueType::kFloat64, all.View(), 0, 30);
  samples.Append(ValueType::kFloat64, all.View(), 35, 29);  // With a gap.
  EncodeHint hint;
  std::string page;
  EncodePage(ValueType::kFloat64, samples.View(), &page, &hint);
  const std::string good = Encoded(ValueType::kFloat64, samples, kStart, hint);
  ASSERT_FALSE(good.empty());
  for (size_t size = 0; size < good.size(); ++size) {
    Samples out;
    out.Add(1, 2);
    const absl::Status status =
        DecodeShortPage(ValueType::kFloat64, absl::string_view(good).substr(0, size), kStart, &out);
    ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss) << size;
    ASSERT_THAT(std::string(status.message()), HasSubstr("short page: "));
    ASSERT_EQ(out.size(), 1u);
  }
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (int n = 1 + random() % 3; n > 0; --n) bytes[random() % bytes.size()] = static_cast<char>(random());
    const ValueType type = kAllTypes[random() % 6];
    Samples out;
    if (!DecodeShortPage(type, bytes, kStart, &out).ok()) continue;
    ASSERT_TRUE(IsStrictlyAscending(out.times.data(), out.size()));
    for (const ValueBits value : out.values) ASSERT_TRUE(IsCanonical(type, value));
  }
}

}  // namespace
}  // namespace historian::format
