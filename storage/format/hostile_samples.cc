#include "storage/format/hostile_samples.h"

#include <bit>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <string>

#include "absl/strings/str_format.h"

namespace historian::format {
namespace {

uint64_t HostileBits(ValueType type, std::mt19937_64& random) {
  constexpr uint64_t kWide[] = {0,
                                0x8000000000000000,
                                0x7FF0000000000000,
                                0xFFF0000000000000,
                                0x7FF8000000000000,
                                0x7FF0000000000001,
                                0xFFFFFFFFFFFFFFFF,
                                0x7FF8DEADBEEF1234,
                                1,
                                0x8000000000000001,
                                0x000FFFFFFFFFFFFF,
                                0x0010000000000000,
                                0x7FEFFFFFFFFFFFFF,
                                0x3FB999999999999A,
                                0x3FB999999999999B,
                                0x4320000000000000,
                                0x4330000000000000,
                                0x4340000000000001,
                                0xC320000000000001};
  constexpr uint64_t kNarrow[] = {0,          0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000,
                                  0x7F800001, 0xFFFFFFFF, 0x00000001, 0x80000001, 0x007FFFFF,
                                  0x00800000, 0x7F7FFFFF, 0x3DCCCCCD, 0x4B800001};
  switch (type) {
    case ValueType::kFloat64:
      return random() % 2 != 0 ? kWide[random() % std::size(kWide)] : random();
    case ValueType::kFloat32:
      return random() % 2 != 0 ? kNarrow[random() % std::size(kNarrow)] : random() & 0xFFFFFFFF;
    case ValueType::kInt64: {
      constexpr uint64_t kInts[] = {0, 1, ~uint64_t{0}, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000};
      return random() % 2 != 0 ? kInts[random() % std::size(kInts)] : random() >> (random() % 64);
    }
    case ValueType::kBool:
      return random() & 1;
    case ValueType::kDigital:
      return (random() & 0xFFFFFFFF) >> (random() % 32);
    case ValueType::kString:
      break;
  }
  return 0;
}

}  // namespace

Samples HostileSamples(ValueType type, size_t size, std::mt19937_64& random) {
  Samples samples;
  Timestamp time = static_cast<Timestamp>(random() % 4) * 500'000'000'000'000'000 - 500'000'000'000'000'000 +
                   static_cast<Timestamp>(random() % 1000);
  const unsigned time_kind = random() % 7;
  const unsigned value_kind = random() % 14;
  const unsigned quality_kind = random() % 4;
  const double scale = std::pow(10, random() % 9);
  int64_t level = static_cast<int64_t>(random() % 100000) - 50000;
  Quality quality = kGood;
  for (size_t i = 0; i < size; ++i) {
    switch (time_kind) {
      case 0:
        time += 1'000'000'000;
        break;
      case 1:
        time += 1'000'000'000 + static_cast<Timestamp>(random() % 10) * 1'000'000;
        break;
      case 2:
        time += 1 + static_cast<Timestamp>(random() % 2'000'000'000);
        break;
      case 3:
        time += 250'000'000 * (1 + static_cast<Timestamp>(random() % 50 == 0 ? random() % 1000 : 0));
        break;
      case 4:
        time += 1;
        break;
      case 5:
        time += 1 + static_cast<Timestamp>(random() >> (14 + random() % 50)) / 2;
        break;
      default:
        time += random() % 100 == 0 ? 3'600'000'000'000 : 999 + static_cast<Timestamp>(random() % 3);
        break;
    }
    if (quality_kind == 1 && random() % 50 == 0)
      quality = random() % 2 != 0 ? kGood : kBad | (random() % 20 << 16);
    if (quality_kind == 2) quality = random() % 3 == 0 ? kUncertain : kGood;
    if (quality_kind == 3) quality = (random() % 3) << 30 | (random() & 0x0FFFFFFF);
    if (type == ValueType::kString) {
      const size_t length = value_kind == 0 ? 0 : value_kind < 3 ? random() % 2000 : random() % 8;
      std::string text;
      for (size_t k = 0; k < length; ++k)
        text.push_back(static_cast<char>(random() >> (value_kind == 1 ? 0 : 62)));
      samples.AddString(time, text, quality);
      continue;
    }
    uint64_t bits = 0;
    level += static_cast<int64_t>(random() % 11) - 5;
    double v = static_cast<double>(level) / scale;
    switch (value_kind) {
      case 0:
        bits = HostileBits(type, random);
        break;
      case 1:
        v = 12.5;
        break;
      case 2:
        v = static_cast<double>(level / 100) / scale;
        break;
      case 3:
        break;
      case 4:
        v = random() % 40 == 0 ? std::numeric_limits<double>::quiet_NaN() : v;
        break;
      case 5:
        v = static_cast<float>(v);
        break;
      case 6:
        v = std::sin(level * 0.01);
        break;
      case 7:
        v = std::sin(static_cast<double>(random() % 20));
        break;
      case 9:  // The sum of decimals.
        v = std::bit_cast<double>(std::bit_cast<uint64_t>(v) + random() % 3);
        break;
      case 10:  // A float32, printed and read again.
        v = std::strtod(absl::StrFormat("%.15g", static_cast<float>(std::sin(level * 0.01))).c_str(),
                        nullptr);
        break;
      case 11:  // Counts on a scale, some of them off.
        v = static_cast<double>(level) * 0.0054 + (random() % 50 == 0 ? 1e-9 : 0);
        break;
      case 12:
        v = 4 + static_cast<double>(level) * 16 / 4095;
        break;
      case 8:
        v = random() % 4 == 0 ? -0.0 : static_cast<double>(level % 3) / 10;
        break;
      default:
        v = random() % 30 == 0 ? -9999.0 : v;
        break;
    }
    if (value_kind != 0) {
      switch (type) {
        case ValueType::kFloat64:
          bits = BitsOfFloat64(v);
          break;
        case ValueType::kFloat32:
          bits = BitsOfFloat32(static_cast<float>(v));
          break;
        case ValueType::kInt64:
          bits = static_cast<uint64_t>(level * (value_kind == 5 ? 25 : 1));
          break;
        case ValueType::kBool:
          bits = random() % (value_kind * 10) == 0;
          break;
        default:
          bits = static_cast<uint32_t>(value_kind < 5 ? random() % value_kind : level);
          break;
      }
      if (random() % 200 == 0 && value_kind > 5) bits = HostileBits(type, random);
    }
    samples.Add(time, bits, quality);
  }
  return samples;
}

}  // namespace historian::format
