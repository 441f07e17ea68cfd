#include "storage/aggregate/exact_sum.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "storage/aggregate/column_fold.h"
#include "storage/model/check.h"

namespace historian {
namespace {

// The highest bit a stored sum may have: that of 2^64 squares of the largest double.
constexpr int kHighestBit = 2112;

constexpr int FloorDiv64(int bit) { return bit >> 6; }

// All ones when the highest bit is set: what stands above the limb in two's complement.
constexpr uint64_t FillAbove(uint64_t limb) {
  return static_cast<uint64_t>(static_cast<int64_t>(limb) >> 63);
}

// v == mantissa * 2^exponent.
struct Decomposed {
  int64_t mantissa;
  int exponent;
};

Decomposed Decompose(double v) {
  const uint64_t bits = std::bit_cast<uint64_t>(v);
  const int biased = static_cast<int>(bits >> 52) & 0x7FF;
  HISTORIAN_CHECK(biased != 0x7FF);
  const int64_t fraction = static_cast<int64_t>(bits & ((uint64_t{1} << 52) - 1));
  const int64_t magnitude = biased == 0 ? fraction : fraction | (int64_t{1} << 52);
  return {static_cast<int64_t>(bits) < 0 ? -magnitude : magnitude, std::max(biased, 1) - 1075};
}

// A non-negative integer of limbs, bit 0 of limbs[0] standing for 2^(64 * base); the highest limb is not
// zero.
template <typename Limbs>
class Bits {
 public:
  Bits(const Limbs& limbs, int base) : limbs_(limbs), base_(base) {}

  int Highest() const {
    return 64 * (base_ + static_cast<int>(limbs_.size())) - 1 - std::countl_zero(limbs_.back());
  }
  int Lowest() const {
    size_t i = 0;
    while (limbs_[i] == 0) ++i;
    return 64 * (base_ + static_cast<int>(i)) + std::countr_zero(limbs_[i]);
  }
  // The 64 bits from 2^bit up.
  uint64_t From(int bit) const {
    const int limb = FloorDiv64(bit) - base_;
    const int shift = bit & 63;
    const uint64_t low = Limb(limb) >> shift;
    return shift == 0 ? low : low | Limb(limb + 1) << (64 - shift);
  }

 private:
  uint64_t Limb(int i) const { return i < 0 || i >= static_cast<int>(limbs_.size()) ? 0 : limbs_[i]; }

  const Limbs& limbs_;
  const int base_;
};

// The bits down to 2^lowest, rounded to nearest, ties to even, in units of 2^lowest.
template <typename Limbs>
uint64_t RoundAt(const Bits<Limbs>& bits, int lowest) {
  const uint64_t kept = bits.From(lowest);
  const bool half = (bits.From(lowest - 1) & 1) != 0;
  const bool below_half = bits.Lowest() < lowest - 1;
  return kept + (half && (below_half || (kept & 1) != 0) ? 1 : 0);
}

void NegateLimbs(uint64_t* limbs, size_t size) {
  uint64_t carry = 1;
  for (size_t i = 0; i < size; ++i) {
    limbs[i] = ~limbs[i] + carry;
    carry = carry != 0 && limbs[i] == 0 ? 1 : 0;
  }
}

int CountLeadingZeros(unsigned __int128 v) {
  const uint64_t high = static_cast<uint64_t>(v >> 64);
  return high != 0 ? std::countl_zero(high) : 64 + std::countl_zero(static_cast<uint64_t>(v));
}

// bits * 2^exponent, rounded to nearest, ties to even. Requires 63 bits; the lowest may stand for any below.
double RoundToDouble(uint64_t bits, int exponent) {
  constexpr int kFractionBits = 52;
  constexpr int kLowestNormal = -1022;
  constexpr int kHighest = 1023;
  if (exponent + 62 >= kLowestNormal && exponent + 63 <= kHighest) {
    const uint64_t rounded = std::bit_cast<uint64_t>(static_cast<double>(static_cast<int64_t>(bits)));
    return std::bit_cast<double>(rounded + (static_cast<uint64_t>(exponent) << kFractionBits));
  }
  if (exponent > 0) return std::ldexp(static_cast<double>(static_cast<int64_t>(bits)), exponent);
  // Subnormal: fewer bits are kept, down to the lowest that a double has.
  constexpr int kLowest = -1074;
  const int dropped = kLowest - exponent;
  if (dropped > 63) return 0;
  const uint64_t kept = bits >> dropped;
  const uint64_t rest = bits & ((uint64_t{1} << dropped) - 1);
  const uint64_t half = uint64_t{1} << (dropped - 1);
  const bool up = rest > half || (rest == half && (kept & 1) != 0);
  return std::ldexp(static_cast<double>(kept + (up ? 1 : 0)), kLowest);
}

void AppendVarint(uint32_t v, std::string* out) {
  for (; v >= 0x80; v >>= 7) out->push_back(static_cast<char>(v | 0x80));
  out->push_back(static_cast<char>(v));
}

bool ParseVarint(absl::string_view* bytes, uint32_t* v) {
  *v = 0;
  // Three groups hold every length and exponent within the limits.
  for (size_t i = 0; i < 3 && i < bytes->size(); ++i) {
    const uint8_t byte = static_cast<uint8_t>((*bytes)[i]);
    *v |= uint32_t{byte & 0x7Fu} << (7 * i);
    if ((byte & 0x80) != 0) continue;
    if (byte == 0 && i > 0) return false;
    bytes->remove_prefix(i + 1);
    return true;
  }
  return false;
}

}  // namespace

void ExactSum::Add(double v) {
  const Decomposed d = Decompose(v);
  AddScaled(d.mantissa, d.exponent);
}

void ExactSum::AddSquare(double v) {
  const Decomposed d = Decompose(v);
  AddScaled(static_cast<__int128>(d.mantissa) * d.mantissa, 2 * d.exponent);
}

void ExactSum::AddScaledProduct(double v, uint64_t n, int exponent) {
  const Decomposed d = Decompose(v);
  AddScaled(static_cast<__int128>(d.mantissa) * n, d.exponent + exponent);
}

void ExactSum::AddInt(int64_t v) { AddScaled(v, 0); }
void ExactSum::AddIntSquare(int64_t v) { AddScaled(static_cast<__int128>(v) * v, 0); }
void ExactSum::AddIntProduct(int64_t v, uint64_t n) { AddScaled(static_cast<__int128>(v) * n, 0); }

void ExactSum::Subtract(const ExactSum& other) {
  ExactSum negative = other;
  negative.Negate();
  Add(negative);
}

void ExactSum::AddAll(const int64_t* values, size_t size) {
  __int128 sum = 0;
  for (size_t begin = 0; begin < size; begin += kColumnChunk) {
    sum += FoldSum(values + begin, std::min(kColumnChunk, size - begin)).sum;
  }
  AddScaled(sum, 0);
}

// Products have up to 127 bits, so their low and high limbs are summed apart.
void ExactSum::AddAllSquares(const int64_t* values, size_t size) {
  __int128 low = 0;
  __int128 high = 0;
  for (size_t i = 0; i < size; ++i) {
    const __int128 square = static_cast<__int128>(values[i]) * values[i];
    low += static_cast<uint64_t>(square);
    high += static_cast<int64_t>(square >> 64);
  }
  AddScaled(low, 0);
  AddScaled(high, 64);
}

void ExactSum::AddAllProducts(const int64_t* values, const uint64_t* weights, size_t size) {
  __int128 low = 0;
  __int128 high = 0;
  for (size_t i = 0; i < size; ++i) {
    const __int128 product = static_cast<__int128>(values[i]) * weights[i];
    low += static_cast<uint64_t>(product);
    high += static_cast<int64_t>(product >> 64);
  }
  AddScaled(low, 0);
  AddScaled(high, 64);
}

void ExactSum::Negate() {
  if (IsZero()) return;
  // The lowest number of a length has no counterpart of that length.
  limbs_.PushHighest(FillAbove(limbs_.back()));
  NegateLimbs(limbs_.data(), limbs_.size());
  Trim();
}

void ExactSum::Halve() {
  if (IsZero()) return;
  uint64_t above = FillAbove(limbs_.back());
  for (size_t i = limbs_.size(); i-- > 0;) {
    const uint64_t limb = limbs_[i];
    limbs_[i] = limb >> 1 | above << 63;
    above = limb;
  }
  if ((above & 1) != 0) {
    limbs_.PushLowestZeros(1);
    limbs_[0] = uint64_t{1} << 63;
    limbs_.set_base(limbs_.base() - 1);
  }
  Trim();
}

ExactSum ExactSum::OfLimbs(const uint64_t* limbs, size_t size, int exponent) {
  constexpr size_t kMax = 4;
  HISTORIAN_CHECK(size <= kMax);
  ExactSum sum;
  if (size == 0) return sum;
  uint64_t shifted[kMax + 1];
  const int shift = exponent & 63;
  uint64_t below = 0;
  for (size_t i = 0; i < size; ++i) {
    shifted[i] = shift == 0 ? limbs[i] : limbs[i] << shift | below;
    below = shift == 0 ? 0 : limbs[i] >> (64 - shift);
  }
  const uint64_t sign = FillAbove(limbs[size - 1]);
  shifted[size] = shift == 0 ? sign : sign << shift | below;
  sum.AddLimbs(shifted, size + 1, FloorDiv64(exponent));
  return sum;
}

ExactSum ExactSum::Product(const ExactSum& a, const ExactSum& b) {
  ExactSum product;
  if (a.IsZero() || b.IsZero()) return product;
  const WideLimbs x = a.Magnitude();
  const WideLimbs y = b.Magnitude();
  product.limbs_.set_base(a.limbs_.base() + b.limbs_.base());
  product.limbs_.Resize(x.size() + y.size() + 1, 0);  // The last for the sign.
  for (size_t i = 0; i < x.size(); ++i) {
    uint64_t carry = 0;
    for (size_t j = 0; j < y.size(); ++j) {
      const unsigned __int128 limb =
          static_cast<unsigned __int128>(x[i]) * y[j] + product.limbs_[i + j] + carry;
      product.limbs_[i + j] = static_cast<uint64_t>(limb);
      carry = static_cast<uint64_t>(limb >> 64);
    }
    product.limbs_[i + y.size()] = carry;
  }
  if (a.IsNegative() != b.IsNegative()) NegateLimbs(product.limbs_.data(), product.limbs_.size());
  product.Trim();
  return product;
}

double ExactSum::DividedBy(uint64_t n) const {
  HISTORIAN_CHECK(n > 0);
  if (IsZero()) return 0;
  // The highest 128 bits, the highest of them set, times 2^exponent. Of what lies below, and of a remainder,
  // one bit is kept: enough to tell which way to round.
  unsigned __int128 top;
  int exponent = 64 * limbs_.base();
  bool more = false;
  if (limbs_.size() <= 2) {
    const uint64_t high = limbs_.size() == 2 ? limbs_[1] : FillAbove(limbs_[0]);
    top = static_cast<unsigned __int128>(high) << 64 | limbs_[0];
    if (IsNegative()) top = -top;
    const int shift = CountLeadingZeros(top);
    top <<= shift;
    exponent -= shift;
  } else {
    const WideLimbs magnitude = Magnitude();
    const Bits bits(magnitude, limbs_.base());
    exponent = bits.Highest() - 127;
    top = static_cast<unsigned __int128>(bits.From(exponent + 64)) << 64 | bits.From(exponent);
    more = bits.Lowest() < exponent;
  }
  // A divisor with its highest bit set makes a quotient of 63 or 64 bits.
  more |= (top & 1) != 0;
  top >>= 1;
  exponent += 1;
  uint64_t quotient;
  if (n == 1) {
    quotient = static_cast<uint64_t>(top >> 63);
    more |= (top << 65) != 0;
    exponent += 63;
  } else {
    const int shift = std::countl_zero(n);
    const uint64_t divisor = n << shift;
    exponent += shift;
    quotient = static_cast<uint64_t>(top / divisor);
    more |= top != static_cast<unsigned __int128>(quotient) * divisor;
  }
  // To at most 63 bits.
  if (static_cast<int64_t>(quotient) < 0) {
    quotient = quotient >> 1 | (quotient & 1);
    exponent += 1;
  }
  const double magnitude = RoundToDouble(quotient | (more ? 1 : 0), exponent);
  return IsNegative() ? -magnitude : magnitude;
}

double ExactSum::ToFraction(int* exponent) const {
  *exponent = 0;
  if (IsZero()) return 0;
  const WideLimbs magnitude = Magnitude();
  const Bits bits(magnitude, limbs_.base());
  const int lowest = bits.Highest() - 52;
  const double fraction = std::frexp(static_cast<double>(RoundAt(bits, lowest)), exponent);
  *exponent += lowest;
  return IsNegative() ? -fraction : fraction;
}

void ExactSum::AppendTo(std::string* out) const {
  if (IsZero()) {
    out->push_back(0);
    return;
  }
  const WideLimbs magnitude = Magnitude();
  const Bits bits(magnitude, limbs_.base());
  const int lowest = bits.Lowest();
  const int highest = bits.Highest();
  const int length = (highest - lowest) / 8 + 1;
  AppendVarint(static_cast<uint32_t>(length) * 2 + (IsNegative() ? 1 : 0), out);
  AppendVarint(static_cast<uint32_t>(lowest) << 1 ^ static_cast<uint32_t>(lowest >> 31), out);
  for (int i = 0; i < length; ++i) out->push_back(static_cast<char>(bits.From(lowest + 8 * i) & 0xFF));
}

bool ExactSum::ParseFrom(absl::string_view* bytes, ExactSum* sum) {
  absl::string_view rest = *bytes;
  uint32_t length_and_sign;
  if (!ParseVarint(&rest, &length_and_sign)) return false;
  ExactSum parsed;
  if (length_and_sign != 0) {
    uint32_t zigzag;
    if (!ParseVarint(&rest, &zigzag)) return false;
    const int exponent = static_cast<int>(zigzag >> 1 ^ (0 - (zigzag & 1)));
    const size_t length = length_and_sign / 2;
    if (length == 0 || length > rest.size() || length > (kHighestBit - kLowestBit) / 8 + 1) return false;
    if ((rest[0] & 1) == 0 || rest[length - 1] == 0) return false;
    const int highest = exponent + 8 * static_cast<int>(length - 1) +
                        std::bit_width(static_cast<uint8_t>(rest[length - 1])) - 1;
    if (exponent < kLowestBit || highest > kHighestBit) return false;
    const int base = FloorDiv64(exponent);
    parsed.limbs_.set_base(base);
    // One bit above the highest is the sign.
    parsed.limbs_.Resize(FloorDiv64(highest + 1) - base + 1, 0);
    for (size_t i = 0; i < length; ++i) {
      const uint64_t byte = static_cast<uint8_t>(rest[i]);
      const int bit = exponent + 8 * static_cast<int>(i) - 64 * base;
      parsed.limbs_[bit / 64] |= byte << (bit % 64);
      if (bit % 64 > 56 && byte >> (64 - bit % 64) != 0)
        parsed.limbs_[bit / 64 + 1] |= byte >> (64 - bit % 64);
    }
    if ((length_and_sign & 1) != 0) NegateLimbs(parsed.limbs_.data(), parsed.limbs_.size());
    parsed.Trim();
    rest.remove_prefix(length);
  }
  *bytes = rest;
  *sum = std::move(parsed);
  return true;
}

void ExactSum::AddShifted(__int128 mantissa, int exponent) {
  const int shift = exponent & 63;
  const unsigned __int128 low = static_cast<unsigned __int128>(mantissa) << shift;
  // What the shift pushed out, with its sign. Shifted twice, as a shift by 128 is undefined.
  const uint64_t high = static_cast<uint64_t>((mantissa >> 64) >> (63 - shift) >> 1);
  const uint64_t limbs[] = {static_cast<uint64_t>(low), static_cast<uint64_t>(low >> 64), high};
  const int base = FloorDiv64(exponent);
  if (high == FillAbove(limbs[1]) && AddTwo(limbs[0], limbs[1], base)) return;
  AddLimbs(limbs, 3, base);
}

void ExactSum::AddLimbs(const uint64_t* limbs, size_t size, int base) {
  // Drop the limbs that say nothing, lest ours grow for them.
  while (size > 0 && limbs[0] == 0) {
    ++limbs;
    --size;
    ++base;
  }
  if (size == 0) return;
  while (size > 1 && limbs[size - 1] == FillAbove(limbs[size - 2])) --size;
  if (limbs_.empty()) {
    limbs_.Assign(limbs, size);
    limbs_.set_base(base);
    return;
  }
  if (base < limbs_.base()) {
    limbs_.PushLowestZeros(limbs_.base() - base);
    limbs_.set_base(base);
  }
  const size_t offset = base - limbs_.base();
  const uint64_t our_sign = FillAbove(limbs_.back());
  if (limbs_.size() < offset + size) limbs_.Resize(offset + size, our_sign);
  const uint64_t their_sign = FillAbove(limbs[size - 1]);
  uint64_t* ours = limbs_.data() + offset;
  const size_t count = limbs_.size() - offset;
  unsigned char carry = 0;
  for (size_t i = 0; i < count; ++i) {
    const unsigned __int128 limb =
        static_cast<unsigned __int128>(ours[i]) + (i < size ? limbs[i] : their_sign) + carry;
    ours[i] = static_cast<uint64_t>(limb);
    carry = static_cast<unsigned char>(limb >> 64);
  }
  if (our_sign == their_sign && FillAbove(limbs_.back()) != our_sign) limbs_.PushHighest(our_sign);
  Trim();
}

void ExactSum::Trim() {
  const uint64_t* const limbs = limbs_.data();
  size_t size = limbs_.size();
  while (size > 1 && limbs[size - 1] == FillAbove(limbs[size - 2])) --size;
  if (size == 1 && limbs[0] == 0) size = 0;
  if (size < limbs_.size()) limbs_.Resize(size, 0);
  size_t zeros = 0;
  while (zeros < size && limbs[zeros] == 0) ++zeros;
  if (zeros == 0) return;
  limbs_.DropLowest(zeros);
  limbs_.set_base(limbs_.base() + static_cast<int>(zeros));
}

ExactSum::WideLimbs ExactSum::Magnitude(size_t zeros) const {
  WideLimbs magnitude(zeros + limbs_.size(), 0);
  std::copy(limbs_.begin(), limbs_.end(), magnitude.begin() + zeros);
  if (!IsZero() && IsNegative()) NegateLimbs(magnitude.data() + zeros, limbs_.size());
  while (!magnitude.empty() && magnitude.back() == 0) magnitude.pop_back();
  return magnitude;
}

}  // namespace historian
