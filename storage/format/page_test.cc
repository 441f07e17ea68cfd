#include "storage/format/page.h"

#include <cstdlib>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/format/hostile_samples.h"
#include "storage/format/plant_samples.h"

namespace historian::format {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr ValueType kAllTypes[] = {ValueType::kFloat64, ValueType::kFloat32, ValueType::kInt64,
                                   ValueType::kBool,    ValueType::kDigital, ValueType::kString};

// Reads the page column by column and compares bit by bit.
void ExpectRoundTrip(ValueType type, const SamplesView& samples, EncodeHint* hint = nullptr,
                     Density density = Density::kFast) {
  std::string bytes = "before";
  EncodePage(type, samples, &bytes, hint, density);
  ASSERT_EQ(bytes.substr(0, 6), "before");
  bytes.erase(0, 6);
  absl::StatusOr<PageReader> page = PageReader::Open(type, bytes);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->size(), samples.size);
  std::vector<Timestamp> times(samples.size);
  std::vector<ValueBits> values(samples.size);
  std::vector<Quality> qualities(samples.size);
  StringColumn strings;
  ASSERT_TRUE(page->ReadTimes(times.data()).ok()) << page->ReadTimes(times.data());
  const absl::Status status = page->ReadValues(values.data(), &strings);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_TRUE(page->ReadQualities(qualities.data()).ok());
  bool all_good = true;
  const SamplesView decoded{times.data(), values.data(), qualities.data(), &strings, samples.size};
  for (size_t i = 0; i < samples.size; ++i) {
    ASSERT_TRUE(SameSample(type, samples, i, decoded, i))
        << ValueTypeName(type) << " sample " << i << " of " << samples.size << ": time " << samples.times[i]
        << " is " << times[i] << ", value " << samples.values[i] << " is " << values[i];
    all_good &= samples.QualityAt(i) == kGood;
  }
  ASSERT_EQ(page->all_good(), all_good);
}

TEST(Page, EverySampleComesBackBitForBit) {
  const uint64_t seed = 20240501;
  std::mt19937_64 random(seed);
  for (const ValueType type : kAllTypes) {
    const int rounds = type == ValueType::kString ? 100 : 700;
    EncodeHint hint;
    for (int round = 0; round < rounds; ++round) {
      const size_t size = 1 + (random() % 3 == 0 ? random() % 5000 : random() % 70);
      const Samples samples = HostileSamples(type, size, random);
      ASSERT_TRUE(IsStrictlyAscending(samples.times.data(), samples.size()));
      SCOPED_TRACE(testing::Message() << "seed " << seed << ", round " << round);
      ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(type, samples.View()));
      ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(type, samples.View(), &hint));
      ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(type, samples.View(), nullptr, Density::kDense));
      ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(type, samples.View(), &hint, Density::kDense));
    }
  }
}

TEST(Page, EverySizeComesBack) {
  std::mt19937_64 random(3);
  for (size_t size = 1; size <= 1100; ++size) {
    const ValueType type = kAllTypes[random() % 5];
    const Samples samples = HostileSamples(type, size, random);
    ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(type, samples.View()));
    ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(type, samples.View(), nullptr, Density::kDense));
  }
  for (const PlantKind& kind : PlantKinds()) {
    for (const size_t size : {1, 2, 3, 7, 8, 255, 256, 257, 1024, 5000}) {
      for (const Density density : {Density::kFast, Density::kDense}) {
        ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(kind.type, kind.make(size, 1).View(), nullptr, density))
            << kind.name << " " << size;
      }
    }
  }
}

TEST(Page, HoldsAsManySamplesAsPromised) {
  for (const ValueType type : {ValueType::kFloat64, ValueType::kInt64}) {
    std::mt19937_64 random(4);
    const Samples samples = HostileSamples(type, kPageSamplesMax, random);
    ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(type, samples.View()));
    ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(type, samples.View(), nullptr, Density::kDense));
  }
}

TEST(Page, TimesThreeCenturiesApartComeBack) {
  Samples samples;
  samples.Add(kTimestampMin, 0);
  samples.Add(kTimestampMin + 1, 0);
  samples.Add(0, 0);
  samples.Add(kTimestampMax, 0);
  ExpectRoundTrip(ValueType::kInt64, samples.View());
  ExpectRoundTrip(ValueType::kInt64, samples.View().Slice(2, 2));
}

// Bytes of the second page of the kind, of its times and its values each.
size_t PageBytesOf(const char* kind_name, Density density) {
  const PlantKind& kind = PlantKindNamed(kind_name);
  const Samples samples = kind.make(2 * kPageSamples, 1);
  std::string bytes;
  EncodePage(kind.type, samples.View().Slice(kPageSamples, kPageSamples), &bytes, nullptr, density);
  return bytes.size();
}

TEST(Page, DensePagesAreSmallerAndNeverLarger) {
  const struct {
    const char* kind;
    double share;  // Of the fast page's bytes.
  } cases[] = {
      {"drift_regular", 0.75},  {"drift_jittered", 0.85}, {"noise_regular", 0.96}, {"widened_real", 0.75},
      {"by_exception", 0.97},   {"totaliser", 0.85},      {"sequence", 1},         {"running", 1},
      {"noise_with_spikes", 1}, {"computed", 1},          {"counter", 1},          {"messages", 0.99},
      {"printed_real", 0.45},   {"sum_of_decimals", 0.4}, {"scaled_counts", 0.8},  {"scaled_real", 0.8},
  };
  for (const auto& c : cases) {
    EXPECT_LE(static_cast<double>(PageBytesOf(c.kind, Density::kDense)),
              c.share * static_cast<double>(PageBytesOf(c.kind, Density::kFast)))
        << c.kind;
  }
}

TEST(Page, EveryDecimalUpToFifteenDigitsIsADecimal) {
  // Whatever text an instrument prints, up to 15 digits, its double must not be an exception: 10 bytes a
  // sample would show that.
  std::mt19937_64 random(5);
  for (int digits = 1; digits <= 15; ++digits) {
    Samples samples;
    for (size_t i = 0; i < 256; ++i) {
      std::string text;
      for (int k = 0; k < digits; ++k) text.push_back(static_cast<char>('0' + random() % 10));
      const size_t point = text.size() / 2;
      text = absl::StrCat(text.substr(0, point), ".", text.substr(point));
      samples.Add(static_cast<Timestamp>(i), BitsOfFloat64(std::strtod(text.c_str(), nullptr)));
    }
    std::string bytes;
    EncodePage(ValueType::kFloat64, samples.View(), &bytes);
    EXPECT_LT(bytes.size() * 8, samples.size() * 51 + 200) << digits;
    ExpectRoundTrip(ValueType::kFloat64, samples.View());
  }
}

TEST(Page, LongStringsComeBack) {
  Samples samples;
  const std::string longest(kStringBytesMax, 'x');
  samples.AddString(1, "");
  samples.AddString(2, longest);
  samples.AddString(3, "");
  samples.AddString(4, longest.substr(1));
  samples.AddString(5, std::string("\0\xFF", 2));
  ExpectRoundTrip(ValueType::kString, samples.View());
  std::string bytes;
  EncodePage(ValueType::kString, samples.View(), &bytes);
  EXPECT_LT(bytes.size(), 200u);
}

TEST(Page, DecodePageAppendsAndKeepsQualities) {
  Samples first, second;
  first.Add(1, 10);
  first.Add(2, 20);
  second.Add(3, 30, kBad);
  std::string page1, page2;
  EncodePage(ValueType::kInt64, first.View(), &page1);
  EncodePage(ValueType::kInt64, second.View(), &page2);
  Samples all;
  ASSERT_TRUE(DecodePage(ValueType::kInt64, page1, &all).ok());
  EXPECT_TRUE(all.qualities.empty());
  ASSERT_TRUE(DecodePage(ValueType::kInt64, page2, &all).ok());
  ASSERT_TRUE(DecodePage(ValueType::kInt64, page1, &all).ok());
  EXPECT_THAT(all.times, ElementsAre(1, 2, 3, 1, 2));
  EXPECT_THAT(all.values, ElementsAre(10, 20, 30, 10, 20));
  EXPECT_THAT(all.qualities, ElementsAre(kGood, kGood, kBad, kGood, kGood));
  EXPECT_EQ(DecodePage(ValueType::kInt64, page2.substr(0, 3), &all).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(all.size(), 5u);
}

TEST(Page, DamagedBytesAreDataLossOrOtherSamplesButNeverWorse) {
  std::mt19937_64 random(6);
  for (const PlantKind& kind : PlantKinds()) {
    for (const size_t size : {1, 5, 300, 301}) {
      std::string good;
      EncodePage(kind.type, kind.make(size, 1).View(), &good, nullptr,
                 size == 301 ? Density::kDense : Density::kFast);
      for (size_t i = 0; i < good.size(); ++i) {
        std::string bytes = good;
        bytes[i] = static_cast<char>(bytes[i] ^ (1 + random() % 255));
        Samples samples;
        const absl::Status damaged = DecodePage(kind.type, bytes, &samples);
        if (damaged.ok()) {
          ASSERT_TRUE(IsStrictlyAscending(samples.times.data(), samples.size()));
          ASSERT_LE(samples.size(), kPageSamplesMax);
        } else {
          ASSERT_EQ(damaged.code(), absl::StatusCode::kDataLoss);
          ASSERT_FALSE(damaged.message().empty());
          ASSERT_EQ(samples.size(), 0u);
        }
        Samples cut;
        ASSERT_EQ(DecodePage(kind.type, good.substr(0, i), &cut).code(), absl::StatusCode::kDataLoss)
            << kind.name;
      }
      Samples longer;
      ASSERT_EQ(DecodePage(kind.type, good + "x", &longer).code(), absl::StatusCode::kDataLoss) << kind.name;
    }
  }
}

TEST(Page, EachDamagedFieldIsNamed) {
  const struct {
    const char* what;
    ValueType type;
    std::string bytes;
    const char* message;
  } cases[] = {
      {"nothing", ValueType::kInt64, "", "head is cut short"},
      {"too many samples", ValueType::kInt64, std::string("\x80\x80\x08\x00", 4),
       "head is cut short or has too many"},
      {"no time", ValueType::kInt64, std::string("\x00", 1), "time is cut short"},
      {"time cut", ValueType::kInt64, std::string("\x00\x94\x01", 3), "time is cut short"},
      {"no values", ValueType::kInt64, std::string("\x00\x00", 2), "values are missing"},
      {"times cut", ValueType::kInt64, std::string("\x02\x05\x00", 3), "times are cut short"},
      {"qualities cut", ValueType::kInt64, std::string("\x01\x00\x09\x00", 4), "qualities are cut short"},
      {"reserved quality", ValueType::kInt64, std::string("\x01\x00\x06\x00\x80\x80\x80\x80\x0c\x00\x00", 11),
       ""},
      {"unknown encoding", ValueType::kInt64, std::string("\x00\x00\x0f", 3), "encoding 15"},
      {"decimals of an integer", ValueType::kInt64, std::string("\x00\x00\x11\x02", 4),
       "decimals with encoding"},
      {"bool of 2", ValueType::kBool, std::string("\x00\x00\x00\x04", 4), "bits of a bool"},
      {"too long runs", ValueType::kInt64, std::string("\x02\x04\x00\x00\x00\x02\x06\x01\x0a\x00\x02", 11),
       "runs"},
      {"times that fall", ValueType::kInt64, std::string("\x02\x04\x00\x00\x00\x01\x00\x02", 8),
       "do not rise"},
      {"no strings", ValueType::kString, std::string("\x00\x00\x00", 3), "distinct strings"},
      {"string missing", ValueType::kString,
       std::string("\x00\x00\x01\x06\x00\x00"
                   "ab",
                   8),
       "strings are cut"},
      {"strange storage", ValueType::kString,
       std::string("\x00\x00\x01\x06\x00\x07"
                   "abc",
                   9),
       "unknown way"},
  };
  for (const auto& c : cases) {
    Samples samples;
    const absl::Status status = DecodePage(c.type, c.bytes, &samples);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << c.what;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message)) << c.what;
  }
}

// Bytes per sample of full pages of each kind, times and all: what makes the archive small. Measured values
// plus a little; a change that makes one worse must say why.
TEST(Page, PlantDataIsSmall) {
  const struct {
    const char* kind;
    double bytes_per_sample_max;
  } cases[] = {
      {"drift_regular", 0.42}, {"drift_jittered", 0.93},    {"drift_with_gaps", 0.52},
      {"noise_regular", 1.17}, {"noise_with_spikes", 1.21}, {"widened_real", 0.42},
      {"computed", 6.1},       {"setpoint", 0.04},          {"totaliser", 0.54},
      {"by_exception", 3.7},   {"scaled_real", 0.75},       {"counter", 0.42},
      {"running", 0.04},       {"sequence", 0.11},          {"messages", 1.25},
  };
  for (const auto& c : cases) {
    const PlantKind& kind = PlantKindNamed(c.kind);
    const Samples all = kind.make(16 * kPageSamples, 1);
    std::string bytes;
    for (size_t i = 0; i < 16; ++i)
      EncodePage(kind.type, all.View().Slice(i * kPageSamples, kPageSamples), &bytes);
    const double bytes_per_sample = static_cast<double>(bytes.size()) / static_cast<double>(all.size());
    EXPECT_LE(bytes_per_sample, c.bytes_per_sample_max) << c.kind;
  }
}

// A journal record's page of one sample: the bytes beside time and value are a head and an encoding.
TEST(Page, OneSampleCostsTwoBytesMoreThanItsTimeAndValue) {
  Samples samples;
  samples.Add(1'796'007'600'000'000'000, BitsOfFloat64(20.4));
  std::string bytes;
  EncodePage(ValueType::kFloat64, samples.View(), &bytes);
  EXPECT_EQ(bytes.size(), 1u + 5 + 1 + 2);  // Head, whole seconds, encoding, 204.
}

}  // namespace
}  // namespace historian::format
