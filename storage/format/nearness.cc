#include "storage/format/nearness.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "storage/format/decimal.h"

namespace historian::format {
namespace {

constexpr int kPowerMax = 22;  // 10^22 is the last that a double holds exactly.
constexpr double kPowers[kPowerMax + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                           1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                           1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// Adding it rounds a number below 2^51 to an integer.
constexpr double kShift = 6755399441055744.0;  // 1.5 x 2^52

// Below this, doubling and rounding back are exact enough to print; the smallest numbers have no k up to 22.
constexpr double kPrintedMin = 1e-7;
constexpr double kPrintedMax = 1e22;

// How many digits x has before its point, less one; kPrintedMin <= x < kPrintedMax. -1 for 0.2, -2 for 0.02.
int MagnitudeOf(double x) {
  if (x < 1) {
    int magnitude = -1;
    for (double power = 10; x * power < 1; power *= 10) --magnitude;
    return magnitude;
  }
  // A third of the binary digits, nearly, or one more.
  const int binary = static_cast<int>(std::bit_cast<uint64_t>(x) >> 52) - 1023;
  const int magnitude = binary * 1233 >> 12;
  return magnitude < kPowerMax && x >= kPowers[magnitude + 1] ? magnitude + 1 : magnitude;
}

double PrintOne(Printing printing, double x) {
  const double size = std::fabs(x);
  if (!(size >= kPrintedMin && size < kPrintedMax)) return x;
  const int k =
      printing.form == Printing::kDecimals ? printing.digits : printing.digits - 1 - MagnitudeOf(size);
  if (k < 0 || k > kPowerMax) return x;
  const double scaled = x * kPowers[k];
  // As std::nearbyint, which not every processor has an instruction for.
  double whole = std::fabs(scaled);
  whole = whole < 0x1p51 ? (whole + kShift) - kShift : std::nearbyint(whole);
  if (printing.form == Printing::kTruncated && whole > std::fabs(scaled)) whole -= 1;
  return std::copysign(whole / kPowers[k], x);
}

uint64_t Distance(double a, double b) {
  const int64_t d = static_cast<int64_t>(std::bit_cast<uint64_t>(a) - std::bit_cast<uint64_t>(b));
  return d < 0 ? 0 - static_cast<uint64_t>(d) : static_cast<uint64_t>(d);
}

// Some of the values that are not just integers of some bits: those tell nothing.
struct Some {
  static constexpr size_t kSize = 24;
  double values[kSize];
  size_t count = 0;

  Some(const uint64_t* bits, size_t size) {
    const size_t stride = std::max<size_t>(1, size / kSize);
    for (size_t i = 0; i < size && count < kSize; i += stride) {
      const double v = std::bit_cast<double>(bits[i]);
      if (std::isfinite(v) && (bits[i] & 0xFFFFFFF) != 0) values[count++] = v;
    }
  }

  // How many of them satisfy the condition.
  template <typename Condition>
  size_t Count(Condition condition) const {
    return static_cast<size_t>(std::count_if(values, values + count, condition));
  }
  bool AreMost(size_t n) const { return n * 8 >= count * 7; }
};

// Further away a decimal or a float32 is there by chance.
constexpr uint64_t kNearDecimal = 64;
constexpr uint64_t kNearNarrow = 256;
// As many digits leave the chance that any double is near.
constexpr double kNearDecimalMax = 1e13;

}  // namespace

void Print(Printing printing, size_t size, uint64_t* bits) {
  if (printing.form == Printing::kAsIs) return;
  for (size_t i = 0; i < size; ++i) {
    bits[i] = std::bit_cast<uint64_t>(PrintOne(printing, std::bit_cast<double>(bits[i])));
  }
}

int GuessNearDecimals(const uint64_t* bits, size_t size) {
  const Some some(bits, size);
  if (some.count < 2) return -1;
  for (int decimals = 0; decimals <= kDecimalsMax; ++decimals) {
    const double power = kPowers[decimals];
    const size_t near = some.Count([power](double v) {
      const double scaled = v * power;
      return std::fabs(scaled) < kNearDecimalMax &&
             Distance(std::nearbyint(scaled) / power, v) <= kNearDecimal;
    });
    if (some.AreMost(near)) return decimals;
  }
  return -1;
}

bool GuessPrintedNarrow(const uint64_t* bits, size_t size, Printing* printing) {
  const Some some(bits, size);
  if (some.count < 2) return false;
  const auto narrowed = [](double v) { return static_cast<double>(static_cast<float>(v)); };
  const auto printed_narrow = [&](Printing p) {
    return some.AreMost(some.Count([&](double v) { return PrintOne(p, narrowed(v)) == v; }));
  };
  // Decimals of more digits than a float32 has.
  uint32_t exact = (uint32_t{1} << (kDecimalsMax + 1)) - 1;
  for (size_t i = 0; i < some.count; ++i)
    exact &= ExactDecimals(std::bit_cast<uint64_t>(some.values[i]), false);
  if (exact != 0) {
    const int decimals = std::countr_zero(exact);
    const size_t long_ones =
        some.Count([decimals](double v) { return std::fabs(v) * kPowers[decimals] >= 0x1.8p24; });
    if (long_ones * 2 < some.count) return false;
    *printing = {Printing::kDecimals, static_cast<uint8_t>(decimals)};
    if (printed_narrow(*printing)) return true;
  }
  for (const uint8_t digits : {uint8_t{15}, uint8_t{9}, uint8_t{16}, uint8_t{8}}) {
    for (const Printing::Form form : {Printing::kRounded, Printing::kTruncated}) {
      *printing = {form, digits};
      if (printed_narrow(*printing)) return true;
    }
  }
  *printing = Printing();
  return some.AreMost(some.Count([&](double v) { return Distance(narrowed(v), v) <= kNearNarrow; }));
}

}  // namespace historian::format
