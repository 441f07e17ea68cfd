#include "storage/format/integer_column.h"

#include <limits>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/format/bit_packing.h"

namespace historian::format {
namespace {

// Bytes of the column, which is read back.
size_t RoundTrip(const std::vector<uint64_t>& values, uint64_t origin = 0, bool try_line = false,
                 Density density = Density::kFast) {
  std::vector<uint8_t> bytes(IntegerColumnBytesMax(values.size()));
  const size_t size = static_cast<size_t>(
      EncodeIntegers(values.data(), values.size(), origin, try_line, density, bytes.data()) - bytes.data());
  EXPECT_LE(size, bytes.size());
  ByteReader in(absl::string_view(reinterpret_cast<const char*>(bytes.data()), size));
  std::vector<uint64_t> decoded(values.size());
  const absl::Status status = DecodeIntegers(&in, values.size(), origin, decoded.data());
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(in.done());
  EXPECT_EQ(decoded, values);
  return size;
}

TEST(BitPacking, EveryWidthAndManySizesComeBack) {
  std::mt19937_64 random(1);
  for (unsigned width = 0; width <= 64; ++width) {
    for (const size_t size : {1, 2, 7, 8, 9, 12, 15, 63, 64, 255, 256, 257, 511, 512, 1000}) {
      std::vector<uint64_t> values(size), with_more_bits(size);
      for (size_t i = 0; i < size; ++i) {
        with_more_bits[i] = random();
        values[i] = width == 0 ? 0 : with_more_bits[i] << (64 - width) >> (64 - width);
      }
      std::vector<uint8_t> bytes(PackedBytes(size, width));
      PackBits(with_more_bits.data(), size, width, bytes.data());
      std::vector<uint64_t> unpacked(size, 77);
      UnpackBits(bytes.data(), size, width, unpacked.data());
      ASSERT_EQ(unpacked, values) << width << " bits, " << size << " values";
    }
  }
}

TEST(IntegerColumn, AnySpreadOfMagnitudesComesBack) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 3000; ++round) {
    std::vector<uint64_t> values(1 + random() % 600);
    const unsigned shift = random() % 64;
    const uint64_t unit = 1 + (random() % 3 == 0 ? random() % 1000 : 0);
    const uint64_t base = random() % 2 == 0 ? random() : 0;
    for (uint64_t& v : values) {
      v = base + unit * (random() >> shift);
      if (random() % 30 == 0) v = random() >> (random() % 64);
    }
    RoundTrip(values, random() % 2 == 0 ? values[0] : 0, random() % 2 == 0,
              random() % 2 == 0 ? Density::kFast : Density::kDense);
  }
}

TEST(IntegerColumn, ExtremesComeBack) {
  constexpr uint64_t kMin = uint64_t{1} << 63;
  constexpr uint64_t kMax = kMin - 1;
  RoundTrip({kMin});
  RoundTrip({kMax}, kMin);
  RoundTrip({kMin, kMax});
  RoundTrip({kMax, kMin, kMax, kMin, 0});
  RoundTrip({kMin, 0, kMax, ~uint64_t{0}, 1, kMin, kMax, 0, 3, 5, 9}, 17, true);
  std::vector<uint64_t> outliers(100, kMax - 5);
  outliers[50] = kMin;
  outliers[51] = kMin + 9;
  outliers[99] = 1;
  RoundTrip(outliers);
  for (uint64_t& v : outliers) v = 0 - v;
  RoundTrip(outliers);
  RoundTrip(outliers, 0, false, Density::kDense);
}

// Bytes for 1024 values in the dense form, and what a model that knows all about them would need.
TEST(IntegerColumn, TheDenseFormComesNearTheEntropyOfEachCharacter) {
  std::mt19937_64 random(4);
  constexpr size_t kSize = 1024;
  const auto bytes_of = [&](bool try_line, auto value) {
    std::vector<uint64_t> values(kSize);
    for (size_t i = 0; i < kSize; ++i) values[i] = value(i);
    return RoundTrip(values, values[0], try_line, Density::kDense);
  };
  constexpr double kBitsOf11 = 3.459;
  // Even noise of 11 steps around a level, from one step to the next, and around a clock.
  EXPECT_LE(bytes_of(false, [&](size_t) { return 5000 + random() % 11; }), kBitsOf11 * kSize / 8 + 20);
  uint64_t walk = 0;
  EXPECT_LE(bytes_of(false, [&](size_t) { return walk += random() % 11; }), kBitsOf11 * kSize / 8 + 20);
  EXPECT_LE(bytes_of(true, [&](size_t i) { return i * 1'000'000'000 + random() % 11 * 1'000'000; }),
            kBitsOf11 * kSize / 8 + 30);
  // A clock that leaves out every third second, or every fourth: nothing new.
  EXPECT_LE(bytes_of(true, [&](size_t i) { return (i + i / 2) * 1'000'000'000; }), 40);
  EXPECT_LE(bytes_of(true, [&](size_t i) { return (i + i / 3) * 1'000'000'000; }), 40);
  // A slope that changes slowly, and a level with memory: predictions.
  uint64_t level = 0, slope = 1000;
  EXPECT_LE(bytes_of(false, [&](size_t) { return level += slope += random() % 11 - 5; }),
            kBitsOf11 * kSize / 8 + 60);
  int64_t swing = 0;
  EXPECT_LE(bytes_of(false,
                     [&](size_t) {
                       swing += static_cast<int64_t>(random() % 11) - 5 - swing / 2;
                       return static_cast<uint64_t>(swing);
                     }),
            kBitsOf11 * kSize / 8 + 60);
}

// Bytes for 1024 values: what each way of seeing them is for.
TEST(IntegerColumn, TakesTheSmallestWay) {
  std::mt19937_64 random(3);
  constexpr size_t kSize = 1024;
  const auto make = [&](auto value) {
    std::vector<uint64_t> values(kSize);
    for (size_t i = 0; i < kSize; ++i) values[i] = value(i);
    return values;
  };
  EXPECT_LE(RoundTrip(make([](size_t i) { return 1000000 + 250000000 * i; })), 12u);            // Ramp.
  EXPECT_LE(RoundTrip(make([&](size_t) { return 5000 + random() % 16; })), 4 * kSize / 8 + 8);  // Offset.
  EXPECT_LE(RoundTrip(make([&](size_t) { return 5000 + 25 * (random() % 16); })),
            4 * kSize / 8 + 8);  // Unit.
  uint64_t walk = 0;
  EXPECT_LE(RoundTrip(make([&](size_t) { return walk += random() % 8; })), 3 * kSize / 8 + 8);  // Delta.
  EXPECT_LE(RoundTrip(make([&](size_t) { return random() % 100 == 0 ? random() >> 30 : random() % 16; })),
            5 * kSize / 8 + 8);  // Outliers: 1 %, about 7 bytes each.
  const auto clock = make([&](size_t i) { return i * 1'000'000'000 + random() % 8 * 1'000'000; });
  EXPECT_LE(RoundTrip(clock, clock[0], true), 3 * kSize / 8 + 12);  // Line.
}

}  // namespace
}  // namespace historian::format
