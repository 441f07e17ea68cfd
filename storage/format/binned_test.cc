#include "storage/format/binned.h"

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::format {
namespace {

std::string Encode(const std::vector<uint64_t>& values) {
  const BinPlan plan = PlanBins(values.data(), values.size());
  std::vector<uint8_t> bytes(BinnedBytesMax(values.size()));
  const uint8_t* end = PutBinned(values.data(), values.size(), plan, bytes.data());
  EXPECT_LE(static_cast<size_t>(end - bytes.data()), bytes.size());
  // What the plan says decides which form is taken.
  EXPECT_NEAR(static_cast<double>(end - bytes.data()), static_cast<double>(plan.bytes),
              32 + 0.02 * static_cast<double>(plan.bytes));
  return std::string(reinterpret_cast<const char*>(bytes.data()), static_cast<size_t>(end - bytes.data()));
}

// Bytes of the column, which is read back.
size_t RoundTrip(const std::vector<uint64_t>& values) {
  const std::string bytes = Encode(values);
  ByteReader in(bytes);
  std::vector<uint64_t> decoded(values.size());
  const absl::Status status = GetBinned(&in, values.size(), decoded.data());
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(in.done());
  EXPECT_EQ(decoded, values);
  return bytes.size();
}

std::vector<uint64_t> Many(size_t size, const std::function<uint64_t()>& value) {
  std::vector<uint64_t> values(size);
  for (uint64_t& v : values) v = value();
  return values;
}

TEST(Binned, AnyNumbersComeBack) {
  const uint64_t seed = 7;
  std::mt19937_64 random(seed);
  for (int round = 0; round < 3000; ++round) {
    const unsigned shift = random() % 64;
    const unsigned strays = random() % 64;
    const uint64_t base = random() % 2 == 0 ? random() : 0;
    const uint64_t kinds = 1 + random() % 3;
    const std::vector<uint64_t> values = Many(1 + random() % 600, [&] {
      if (random() % 30 == 0) return random() >> strays;
      return base + (random() >> shift >> (random() % kinds * 4 % 64));
    });
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", round " << round);
    RoundTrip(values);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Binned, ExtremesComeBack) {
  constexpr uint64_t kMin = uint64_t{1} << 63;
  constexpr uint64_t kMax = kMin - 1;
  RoundTrip({0});
  RoundTrip({kMin});
  RoundTrip({kMin, kMax});
  RoundTrip({kMax, kMin, 0, ~uint64_t{0}, 1, kMin, kMax, 0, 3, 5, 9});
  std::vector<uint64_t> values(1000, 5);
  values[77] = kMin;
  values[999] = kMax;
  RoundTrip(values);
}

TEST(Binned, SizesUpToAWholePageComeBack) {
  std::mt19937_64 random(8);
  for (size_t size = 1; size < 40; ++size) RoundTrip(Many(size, [&] { return random() % 5; }));
  RoundTrip(Many(kBinnedSizeMax, [&] { return random() % 1000 + (random() % 7 == 0 ? random() : 0); }));
}

// Entropies are of the numbers as they are drawn, in bytes for 1024 of them.
TEST(Binned, ComesWithinAFewPercentOfTheEntropy) {
  std::mt19937_64 random(9);
  constexpr size_t kSize = 1024;
  EXPECT_LE(RoundTrip(Many(kSize, [&] { return 100 + random() % 11; })), 442.8 * 1.03);
  EXPECT_LE(RoundTrip(Many(kSize, [&] { return random() % 3; })), 202.9 * 1.06);
  EXPECT_LE(RoundTrip(Many(kSize, [&] { return random() % 100 == 0 ? 1 : 0; })), 10.4 + 16);
  std::normal_distribution<double> bell(0, 3);  // log2(3 sqrt(2 pi e)) = 3.632 bits.
  EXPECT_LE(RoundTrip(Many(kSize, [&] { return static_cast<uint64_t>(std::llround(bell(random))); })),
            464.9 * 1.055);
  std::normal_distribution<double> wide(0, 3000);  // 13.598 bits.
  EXPECT_LE(RoundTrip(Many(kSize, [&] { return static_cast<uint64_t>(std::llround(wide(random))); })),
            1740.5 * 1.03);
}

TEST(Binned, DamageIsDataLossOrOtherNumbersButNeverWorse) {
  std::mt19937_64 random(10);
  for (const unsigned shift : {0, 20, 44, 60}) {
    const std::vector<uint64_t> values =
        Many(300, [&] { return random() % 9 == 0 ? random() : random() >> shift; });
    const std::string good = Encode(values);
    for (size_t i = 0; i < good.size(); ++i) {
      std::string bytes = good;
      bytes[i] = static_cast<char>(bytes[i] ^ (1 + random() % 255));
      std::vector<uint64_t> decoded(values.size());
      ByteReader in(bytes);
      const absl::Status status = GetBinned(&in, decoded.size(), decoded.data());
      if (!status.ok()) {
        ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss);
      }
      ByteReader cut(absl::string_view(good).substr(0, i));
      ASSERT_EQ(GetBinned(&cut, decoded.size(), decoded.data()).code(), absl::StatusCode::kDataLoss);
    }
  }
}

TEST(Binned, EachDamagedFieldIsDataLoss) {
  const struct {
    const char* what;
    std::string bytes;
  } cases[] = {
      {"nothing", ""},
      {"no size", std::string("\x00", 1)},
      {"fewer bytes than said", std::string("\x00\x05\x04", 3)},
      {"more bytes than memory", std::string("\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11)},
      {"no states", std::string("\x00\x00", 2)},
      {"3 bits of states", std::string("\x00\x08\x03\x00\x00\x00\x00\x00\x00\x00", 10)},
      {"11 bits of states", std::string("\x00\x08\x0b\x00\x00\x00\x00\x00\x00\x00", 10)},
      {"64 bins for 16 states", std::string("\x00\x08\xf4\x03\x00\x00\x00\x00\x00\x00", 10)},
      {"bytes behind", std::string("\x00\x08\x04\x04\x00\x00\x00\x00\x00\x00", 10)},
  };
  for (const auto& c : cases) {
    ByteReader in(c.bytes);
    uint64_t values[3];
    EXPECT_EQ(GetBinned(&in, 3, values).code(), absl::StatusCode::kDataLoss) << c.what;
  }
}

}  // namespace
}  // namespace historian::format
