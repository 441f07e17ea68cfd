#include "storage/format/sum_column.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/format/integer_column.h"
#include "storage/format/scratch.h"
#include "storage/format/wide_integer.h"
#include "storage/model/check.h"

namespace historian::format {
namespace {

// First byte of the column. DO NOT CHANGE THESE VALUES: stored.
enum Form : uint8_t {
  kZeros = 0,      // All sums are zero.
  kApart = 1,      // Each sum by itself, as ExactSum writes it.
  kWhole = 2,      // Integers in units of a power of two.
  kPredicted = 3,  // Multiples of the granularity, and what is left.
};

// An integer above this many limbs is written by itself: sums of plant data have two or three.
constexpr size_t kLimbsMax = 3;
constexpr size_t kRestLimbsMax = 2;

struct Owner {};

// (-1)^negative * magnitude * 2^exponent.
struct Number {
  bool negative = false;
  Wide magnitude;
  int64_t exponent = 0;
};

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("sum column: ", what));
}

// What ExactSum::AppendTo wrote. False when the magnitude is too wide. exact_sum.h tells the bytes.
bool NumberOf(absl::string_view bytes, Number* number) {
  *number = Number();
  ByteReader in(bytes);
  uint64_t length, exponent;
  HISTORIAN_CHECK(in.Varint(&length));
  number->negative = (length & 1) != 0;
  length /= 2;
  if (length == 0) return true;
  if (length > 8 * kLimbsMax) return false;
  HISTORIAN_CHECK(in.SignedVarint(&exponent));
  number->exponent = static_cast<int64_t>(exponent);
  for (size_t limb = 0; length > 0; ++limb) {
    const size_t part = std::min<size_t>(length, 8);
    HISTORIAN_CHECK(in.LittleEndian(part, &number->magnitude.limbs[limb]));
    length -= part;
  }
  return true;
}

bool SumOf(const Number& number, ExactSum* sum) {
  Wide magnitude = number.magnitude;
  const unsigned width = magnitude.width();
  if (width == 0) {
    *sum = ExactSum();
    return true;
  }
  const unsigned zeros = magnitude.trailing_zeros();
  magnitude.ShiftRight(zeros);
  const size_t length = (width - zeros + 7) / 8;
  uint8_t bytes[2 * kVarintBytesMax + 8 * Wide::kLimbs];
  uint8_t* p = PutVarint(bytes, length * 2 + (number.negative ? 1 : 0));
  p = PutSignedVarint(p, static_cast<uint64_t>(number.exponent) + zeros);
  for (size_t i = 0; i < length; ++i) *p++ = static_cast<uint8_t>(magnitude.limbs[i / 8] >> (8 * (i % 8)));
  absl::string_view view(reinterpret_cast<const char*>(bytes), static_cast<size_t>(p - bytes));
  return ExactSum::ParseFrom(&view, sum) && view.empty();
}

// The multiple of the granularity in units of 2^exponent, exponent <= 0. False when it does not fit.
bool Predict(uint64_t quotient, const Granularity& granularity, int64_t exponent, Wide* magnitude) {
  const bool negative = static_cast<int64_t>(quotient) < 0;
  *magnitude = Wide{{negative ? 0 - quotient : quotient}};
  return exponent >= -256 && magnitude->Multiply(granularity.numerator) &&
         magnitude->ShiftLeft(static_cast<unsigned>(-exponent)) && magnitude->Divide(granularity.denominator);
}

// The nearest multiple, or one beside it. False when it does not fit.
bool FindQuotient(const Number& number, const Granularity& granularity, uint64_t* quotient) {
  Wide q = number.magnitude;
  if (!q.Multiply(granularity.denominator)) return false;
  if (number.exponent > 0) {
    if (!q.ShiftLeft(static_cast<unsigned>(number.exponent))) return false;
  } else {
    // Half of what the shift loses is added first, to round.
    if (number.exponent < -250) return false;
    Wide half{{1}};
    if (number.exponent < 0 &&
        (!half.ShiftLeft(static_cast<unsigned>(-number.exponent - 1)) || !q.Add(half))) {
      return false;
    }
    q.ShiftRight(static_cast<unsigned>(-number.exponent));
  }
  if (!q.Divide(granularity.numerator) || q.width() > 62) return false;
  *quotient = number.negative ? 0 - q.limbs[0] : q.limbs[0];
  return true;
}

// Two's complement to sign and magnitude and back.
Wide Signed(bool negative, Wide magnitude) {
  if (negative) magnitude.Negate();
  return magnitude;
}

size_t SignedLimbs(const Wide& v) {
  size_t limbs = Wide::kLimbs;
  while (limbs > 1 && v.limbs[limbs - 1] == 0 - (v.limbs[limbs - 2] >> 63)) --limbs;
  return limbs;
}

void AppendIntegers(const std::vector<uint64_t>& values, std::string* out) {
  uint8_t* const bytes = ThreadScratch<Owner, 0, uint8_t>(IntegerColumnBytesMax(values.size()));
  const uint8_t* const end = EncodeIntegers(values.data(), values.size(), 0, false, Density::kFast, bytes);
  out->append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(end - bytes));
}

// Limb by limb, the lowest first.
void AppendWides(const std::vector<Wide>& values, std::string* out) {
  size_t limbs = 1;
  for (const Wide& v : values) limbs = std::max(limbs, SignedLimbs(v));
  out->push_back(static_cast<char>(limbs));
  for (size_t limb = 0; limb < limbs; ++limb) {
    std::vector<uint64_t> column;
    for (const Wide& v : values) column.push_back(v.limbs[limb]);
    AppendIntegers(column, out);
  }
}

absl::Status ReadWides(ByteReader* in, size_t limbs_max, std::vector<Wide>* values) {
  uint8_t limbs;
  if (!in->Byte(&limbs) || limbs == 0 || limbs > limbs_max)
    return Damaged("the number of limbs is out of range");
  std::vector<uint64_t> column(values->size());
  for (size_t limb = 0; limb < limbs; ++limb) {
    if (absl::Status s = DecodeIntegers(in, column.size(), 0, column.data()); !s.ok()) return s;
    for (size_t i = 0; i < column.size(); ++i) (*values)[i].limbs[limb] = column[i];
  }
  for (Wide& v : *values) {
    for (size_t limb = limbs; limb < Wide::kLimbs; ++limb) v.limbs[limb] = 0 - (v.limbs[limbs - 1] >> 63);
  }
  return absl::OkStatus();
}

void AppendSignedVarint(int64_t v, std::string* out) {
  uint8_t bytes[kVarintBytesMax];
  out->append(reinterpret_cast<const char*>(bytes),
              static_cast<size_t>(PutSignedVarint(bytes, static_cast<uint64_t>(v)) - bytes));
}

// Brings all to the lowest exponent. False when they then are too wide.
bool Align(std::vector<Number>* numbers) {
  int64_t lowest = 0;
  bool any = false;
  for (const Number& n : *numbers) {
    if (n.magnitude.width() == 0) continue;
    lowest = any ? std::min(lowest, n.exponent) : n.exponent;
    any = true;
  }
  // Units above one would only complicate the prediction.
  lowest = std::min<int64_t>(lowest, 0);
  for (Number& n : *numbers) {
    if (n.magnitude.width() != 0) {
      const uint64_t shift = static_cast<uint64_t>(n.exponent - lowest);
      if (shift > 256 || !n.magnitude.ShiftLeft(static_cast<unsigned>(shift)) ||
          n.magnitude.width() >= 64 * kLimbsMax) {
        return false;
      }
    }
    n.exponent = lowest;
  }
  return true;
}

bool AppendPredicted(const std::vector<Number>& numbers, const Granularity& granularity, std::string* out) {
  if (granularity.denominator == 0 || granularity.numerator == 0) return false;
  std::vector<uint64_t> quotients;
  std::vector<Wide> rests;
  for (const Number& n : numbers) {
    uint64_t quotient;
    Wide predicted;
    if (!FindQuotient(n, granularity, &quotient) || !Predict(quotient, granularity, n.exponent, &predicted)) {
      return false;
    }
    Wide rest = Signed(n.negative, n.magnitude);
    rest.Subtract(Signed(n.negative, predicted));
    if (SignedLimbs(rest) > kRestLimbsMax) return false;
    quotients.push_back(quotient);
    rests.push_back(rest);
  }
  out->push_back(kPredicted);
  AppendSignedVarint(numbers[0].exponent, out);
  AppendIntegers(quotients, out);
  AppendWides(rests, out);
  return true;
}

}  // namespace

void EncodeSums(const std::vector<const ExactSum*>& sums, const Granularity& granularity, std::string* out) {
  if (std::all_of(sums.begin(), sums.end(), [](const ExactSum* sum) { return sum->IsZero(); })) {
    out->push_back(kZeros);
    return;
  }
  std::string apart(1, kApart);
  apart.reserve(sums.size() * 24);
  std::vector<Number> numbers(sums.size());
  bool narrow = true;
  for (size_t i = 0; i < sums.size(); ++i) {
    const size_t begin = apart.size();
    sums[i]->AppendTo(&apart);
    narrow &= NumberOf(absl::string_view(apart).substr(begin), &numbers[i]);
  }
  std::string* shortest = &apart;
  std::string whole, predicted;
  if (narrow && Align(&numbers)) {
    whole.push_back(kWhole);
    AppendSignedVarint(numbers[0].exponent, &whole);
    std::vector<Wide> wides;
    for (const Number& n : numbers) wides.push_back(Signed(n.negative, n.magnitude));
    AppendWides(wides, &whole);
    if (whole.size() < shortest->size()) shortest = &whole;
    if (AppendPredicted(numbers, granularity, &predicted) && predicted.size() < shortest->size()) {
      shortest = &predicted;
    }
  }
  out->append(*shortest);
}

absl::Status DecodeSums(ByteReader* in, const Granularity& granularity, const std::vector<ExactSum*>& sums) {
  uint8_t form;
  if (!in->Byte(&form)) return Damaged("empty");
  if (form == kZeros) {
    for (ExactSum* sum : sums) *sum = ExactSum();
    return absl::OkStatus();
  }
  if (form == kApart) {
    for (ExactSum* sum : sums) {
      absl::string_view rest = in->rest();
      const size_t before = rest.size();
      if (!ExactSum::ParseFrom(&rest, sum)) return Damaged("a sum is damaged");
      in->Bytes(before - rest.size(), &rest);
    }
    return absl::OkStatus();
  }
  if (form != kWhole && form != kPredicted) return Damaged(absl::StrCat("form ", form, " is not known"));
  uint64_t bits;
  if (!in->SignedVarint(&bits)) return Damaged("the exponent is cut short");
  const int64_t exponent = static_cast<int64_t>(bits);
  if (exponent > 0 || exponent < -4096) return Damaged("the exponent is out of range");
  std::vector<uint64_t> quotients(sums.size());
  const bool predicted = form == kPredicted;
  if (predicted) {
    if (granularity.denominator == 0) return Damaged("predicted sums without a granularity");
    if (absl::Status s = DecodeIntegers(in, quotients.size(), 0, quotients.data()); !s.ok()) return s;
  }
  std::vector<Wide> wides(sums.size());
  if (absl::Status s = ReadWides(in, predicted ? kRestLimbsMax : kLimbsMax, &wides); !s.ok()) return s;
  for (size_t i = 0; i < sums.size(); ++i) {
    Wide value = wides[i];
    if (predicted) {
      Wide magnitude;
      if (!Predict(quotients[i], granularity, exponent, &magnitude) || magnitude.width() > 254) {
        return Damaged("a sum is out of range");
      }
      // Two's complement: the carry out of the top is that of the sign.
      (void)value.Add(Signed(static_cast<int64_t>(quotients[i]) < 0, magnitude));
    }
    if (exponent >= ExactSum::kLowestBit) {
      *sums[i] = ExactSum::OfLimbs(value.limbs, Wide::kLimbs, static_cast<int>(exponent));
      continue;
    }
    Number number;
    number.exponent = exponent;
    number.negative = value.limbs[Wide::kLimbs - 1] >> 63 != 0;
    number.magnitude = Signed(number.negative, value);
    if (!SumOf(number, sums[i])) return Damaged("a sum is out of range");
  }
  return absl::OkStatus();
}

}  // namespace historian::format
