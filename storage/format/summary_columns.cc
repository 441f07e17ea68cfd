#include "storage/format/summary_columns.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/string_view.h"
#include "storage/format/decimal.h"
#include "storage/format/integer_column.h"
#include "storage/format/sum_column.h"
#include "storage/format/time_column.h"
#include "storage/format/value_column.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"

namespace historian::format {
namespace {

// What can be told of a summary without storing it. DO NOT CHANGE THESE VALUES: stored.
enum SummaryFlags : uint64_t {
  kAllUsable = 1,     // good is count, good_ns all the time; no Uncertain.
  kNoExtremes = 2,    // min and max are Sample{}.
  kDerivedAreas = 4,  // Both areas follow from the sum, see DeriveAreas.
  // Of details. Without kNoDetails there are all of them.
  kMinRepeats = 8,
  kMaxRepeats = 16,
  kWorstRepeats = 32,
  kHasZeros = 64,    // zero_ns is not 0.
  kAllChange = 128,  // No usable sample has the value of the one before.
  kNoDetails = 256,
  kAllSummaryFlags = 511,
  kAllFlagsBeforeDetails = 7,
};

// "No decimals" in the byte that tells the granularity of sums.
constexpr uint8_t kNoDecimals = 0xFF;

absl::Status Damaged(absl::string_view what) { return absl::DataLossError(what); }

// What the values of the head are stored as. A string's is always 0.
ValueType StoredType(ValueType type) { return type == ValueType::kString ? ValueType::kInt64 : type; }

void AddValue(ValueType type, ValueBits value, ExactSum* sum) {
  if (IsFloat(type)) {
    sum->Add(ToDouble(type, value));
  } else {
    sum->AddInt(Int64OfBits(value));
  }
}

bool IsFiniteValue(ValueType type, ValueBits value) {
  return !IsFloat(type) || std::isfinite(ToDouble(type, value));
}

// When samples are `step` apart and all usable, each but the last holds for a step:
//   stepped = step * (sum - last)         sloped = step * (2 * sum - first - last) / 2
// False when the samples cannot be evenly spaced.
bool DeriveAreas(ValueType type, const Summary& s, ExactSum* stepped, ExactSum* sloped) {
  *stepped = ExactSum();
  *sloped = ExactSum();
  if (s.count < 2) return true;
  const uint64_t duration = Elapsed(s.first.time, s.last.time);
  if (duration % (s.count - 1) != 0) return false;
  if (!IsFiniteValue(type, s.first.value) || !IsFiniteValue(type, s.last.value)) return false;
  ExactSum step, first, last;
  step.AddProduct(1.0, duration / (s.count - 1));
  AddValue(type, s.first.value, &first);
  AddValue(type, s.last.value, &last);
  ExactSum held = s.sum;
  held.Subtract(last);
  *stepped = ExactSum::Product(held, step);
  held.Add(s.sum);
  held.Subtract(first);
  *sloped = ExactSum::Product(held, step);
  sloped->Halve();
  return true;
}

uint64_t ChangesMax(const Summary& s) { return s.good == 0 ? 0 : s.good - 1; }

uint64_t FlagsOf(ValueType type, const Summary& s) {
  uint64_t flags = 0;
  if (s.good == s.count && s.uncertain == 0 && s.uncertain_ns == 0 &&
      s.good_ns == Elapsed(s.first.time, s.last.time)) {
    flags |= kAllUsable;
  }
  if (s.min == Sample() && s.max == Sample()) flags |= kNoExtremes;
  if ((s.parts & kDetails) != kDetails) {
    flags |= kNoDetails;
  } else {
    if (s.min_repeats) flags |= kMinRepeats;
    if (s.max_repeats) flags |= kMaxRepeats;
    if (s.worst_repeats) flags |= kWorstRepeats;
    if (s.zero_ns > 0) flags |= kHasZeros;
    if (s.changes == ChangesMax(s)) flags |= kAllChange;
  }
  ExactSum stepped, sloped;
  if (DeriveAreas(type, s, &stepped, &sloped) && stepped == s.area_stepped && sloped == s.area_sloped) {
    flags |= kDerivedAreas;
  }
  return flags;
}

// The samples of the summaries in the order in which they are stored: all first, all last, then the extremes
// of those that have them, all min, all max.
template <typename SummaryPointer>
auto ListSamples(const std::vector<SummaryPointer>& summaries, const std::vector<uint64_t>& flags) {
  std::vector<decltype(&summaries[0]->first)> samples;
  for (SummaryPointer s : summaries) samples.push_back(&s->first);
  for (SummaryPointer s : summaries) samples.push_back(&s->last);
  for (size_t i = 0; i < flags.size(); ++i) {
    if ((flags[i] & kNoExtremes) == 0) samples.push_back(&summaries[i]->min);
  }
  for (size_t i = 0; i < flags.size(); ++i) {
    if ((flags[i] & kNoExtremes) == 0) samples.push_back(&summaries[i]->max);
  }
  return samples;
}

// The places of one field in the summaries without the flag.
template <typename Field, typename Owner, typename SummaryPointer>
auto FieldsWithout(uint64_t flag, const std::vector<uint64_t>& flags, Field Owner::*field,
                   const std::vector<SummaryPointer>& summaries) {
  std::vector<decltype(&(summaries[0]->*field))> fields;
  for (size_t i = 0; i < flags.size(); ++i) {
    if ((flags[i] & flag) == 0) fields.push_back(&(summaries[i]->*field));
  }
  return fields;
}

constexpr uint64_t Summary::*kCountsAndDurations[] = {&Summary::good, &Summary::uncertain, &Summary::good_ns,
                                                      &Summary::uncertain_ns};

// The fewest decimal places that all finite values have, kNoDecimals when there is no such number.
uint8_t DecimalsOf(ValueType type, const std::vector<const Sample*>& samples) {
  if (type == ValueType::kString) return kNoDecimals;
  if (!IsFloat(type)) return 0;
  uint32_t exact = (uint32_t{1} << (kDecimalsMax + 1)) - 1;
  ValueBits before = 0;
  for (const Sample* s : samples) {
    if (s->value == before) continue;  // Extremes are often the same.
    before = s->value;
    const double v = ToDouble(type, s->value);
    if (v != 0 && std::isfinite(v)) exact &= ExactDecimals(BitsOfFloat64(v), false);
    if (exact == 0) break;
  }
  return exact == 0 ? kNoDecimals : static_cast<uint8_t>(std::countr_zero(exact));
}

// What the sums are multiples of if the values are decimals and the times multiples of unit.
struct Granularities {
  Granularity sum, squares, stepped, sloped;

  Granularities(uint8_t decimals, uint64_t unit) {
    if (decimals == kNoDecimals) return;
    uint64_t power = 1;
    for (int i = 0; i < decimals; ++i) power *= 10;
    sum = {1, power};
    if (decimals <= 9) squares = {1, power * power};
    stepped = {unit, power};
    sloped = {unit, 2 * power};
  }
};

// Makes room at the end of *out, has it written to, and gives the rest back.
template <typename Put>
void Append(std::string* out, size_t bytes_max, Put put) {
  const size_t before = out->size();
  out->resize(before + bytes_max);
  const uint8_t* const end = put(reinterpret_cast<uint8_t*>(out->data()) + before);
  out->resize(static_cast<size_t>(end - reinterpret_cast<uint8_t*>(out->data())));
}

void AppendValues(ValueType type, const std::vector<ValueBits>& v, std::string* out) {
  Append(out, ValueColumnBytesMax(v.size()),
         [&](uint8_t* p) { return EncodeValues(type, v.data(), v.size(), nullptr, Density::kFast, p); });
}

void AppendSums(const std::vector<const ExactSum*>& sums, const Granularity& granularity, std::string* out) {
  if (!sums.empty()) EncodeSums(sums, granularity, out);
}

}  // namespace

void AppendIntegers(const std::vector<uint64_t>& v, std::string* out) {
  if (v.empty()) return;
  Append(out, IntegerColumnBytesMax(v.size()),
         [&](uint8_t* p) { return EncodeIntegers(v.data(), v.size(), 0, false, Density::kFast, p); });
}

absl::Status ReadIntegers(ByteReader* in, size_t n, std::vector<uint64_t>* v) {
  v->resize(n);
  return n == 0 ? absl::OkStatus() : DecodeIntegers(in, n, 0, v->data());
}

SummaryWriter::SummaryWriter(ValueType type, std::vector<const Summary*> summaries)
    : type_(type), summaries_(std::move(summaries)) {
  HISTORIAN_CHECK(!summaries_.empty());
  for (const Summary* s : summaries_) {
    HISTORIAN_CHECK(s->count > 0);
    flags_.push_back(FlagsOf(type_, *s));
  }
}

void SummaryWriter::AppendCounts(std::string* out) const {
  AppendIntegers(flags_, out);
  std::vector<uint64_t> counts;
  for (const Summary* s : summaries_) counts.push_back(s->count);
  AppendIntegers(counts, out);
}

void SummaryWriter::AppendColumns(std::string* out) const {
  // Times, as multiples of the largest unit that divides all differences.
  std::vector<uint64_t> gaps, durations;
  std::vector<uint64_t> extremes[2];
  uint64_t unit = 0;
  const auto elapsed = [&unit](Timestamp from, Timestamp to, std::vector<uint64_t>* column) {
    HISTORIAN_CHECK(from <= to);
    column->push_back(Elapsed(from, to));
    unit = std::gcd(unit, column->back());
  };
  for (size_t i = 0; i < summaries_.size(); ++i) {
    const Summary& s = *summaries_[i];
    if (i > 0) {
      const Timestamp before = summaries_[i - 1]->last.time;
      HISTORIAN_CHECK(before < s.first.time);
      elapsed(before, s.first.time, &gaps);
    }
    elapsed(s.first.time, s.last.time, &durations);
    if ((flags_[i] & kNoExtremes) != 0) continue;
    HISTORIAN_CHECK(s.min.time <= s.last.time && s.max.time <= s.last.time);
    elapsed(s.first.time, s.min.time, &extremes[0]);
    elapsed(s.first.time, s.max.time, &extremes[1]);
  }
  unit = std::max<uint64_t>(unit, 1);
  Append(out, kUnitBytesMax, [&](uint8_t* p) { return PutUnit(p, unit); });
  Append(out, kScaledBytesMax, [&](uint8_t* p) { return EncodeTime(summaries_.front()->first.time, p); });
  for (std::vector<uint64_t>* column : {&gaps, &durations, &extremes[0], &extremes[1]}) {
    for (uint64_t& v : *column) v /= unit;
    AppendIntegers(*column, out);
  }

  const std::vector<const Sample*> samples = ListSamples(summaries_, flags_);
  std::vector<ValueBits> values;
  std::vector<ValueBits> qualities;
  for (const Sample* s : samples) {
    values.push_back(s->value);
    qualities.push_back(s->quality);
  }
  AppendValues(StoredType(type_), values, out);
  AppendValues(ValueType::kDigital, qualities, out);
  for (const auto field : kCountsAndDurations) {
    std::vector<uint64_t> column;
    for (const uint64_t* v : FieldsWithout(kAllUsable, flags_, field, summaries_)) column.push_back(*v);
    AppendIntegers(column, out);
  }

  const uint8_t decimals = DecimalsOf(type_, samples);
  const Granularities granularities(decimals, unit);
  out->push_back(static_cast<char>(decimals));
  AppendSums(FieldsWithout(0, flags_, &Summary::sum, summaries_), granularities.sum, out);
  AppendSums(FieldsWithout(0, flags_, &Summary::sum_of_squares, summaries_), granularities.squares, out);
  AppendSums(FieldsWithout(kDerivedAreas, flags_, &Summary::area_stepped, summaries_), granularities.stepped,
             out);
  AppendSums(FieldsWithout(kDerivedAreas, flags_, &Summary::area_sloped, summaries_), granularities.sloped,
             out);
  AppendDetails(out);
}

void SummaryWriter::AppendDetails(std::string* out) const {
  std::vector<uint64_t> unchanged, zeros, worst, unsure, firsts, lasts;
  std::vector<ValueBits> values, qualities;
  for (size_t i = 0; i < summaries_.size(); ++i) {
    const Summary& s = *summaries_[i];
    if ((flags_[i] & kNoDetails) != 0) continue;
    if ((flags_[i] & kAllChange) == 0) unchanged.push_back(ChangesMax(s) - s.changes);
    if ((flags_[i] & kHasZeros) != 0) zeros.push_back(s.zero_ns);
    if ((flags_[i] & kAllUsable) != 0) continue;
    worst.push_back(s.worst);
    unsure.push_back(s.unsure_ns);
    if (s.good == 0) continue;
    firsts.push_back(Elapsed(s.first.time, s.first_usable.time));
    lasts.push_back(Elapsed(s.last_usable.time, s.last.time));
    for (const Sample* sample : {&s.first_usable, &s.last_usable}) {
      values.push_back(sample->value);
      qualities.push_back(sample->quality);
    }
  }
  AppendIntegers(unchanged, out);
  AppendIntegers(zeros, out);
  AppendIntegers(unsure, out);
  AppendIntegers(firsts, out);
  AppendIntegers(lasts, out);
  if (!worst.empty()) AppendValues(ValueType::kDigital, worst, out);
  if (values.empty()) return;
  AppendValues(StoredType(type_), values, out);
  AppendValues(ValueType::kDigital, qualities, out);
}

absl::Status SummaryReader::ReadCounts(ByteReader* in, uint64_t samples_max) {
  RETURN_IF_ERROR(ReadIntegers(in, summaries_.size(), &flags_));
  std::vector<uint64_t> counts;
  RETURN_IF_ERROR(ReadIntegers(in, summaries_.size(), &counts));
  for (size_t i = 0; i < summaries_.size(); ++i) {
    if (flags_[i] > (has_details_ ? kAllSummaryFlags : kAllFlagsBeforeDetails))
      return Damaged("unknown flags");
    if (counts[i] == 0 || counts[i] > samples_max) return Damaged("the number of samples is out of range");
    summaries_[i]->count = counts[i];
  }
  return absl::OkStatus();
}

absl::Status SummaryReader::ReadColumns(ByteReader* in) {
  uint64_t unit = 1;
  RETURN_IF_ERROR(Annotate(ReadTimes(in, &unit), "times"));
  RETURN_IF_ERROR(ReadSamples(in));
  RETURN_IF_ERROR(Annotate(ReadSeverities(in), "counts"));
  RETURN_IF_ERROR(Annotate(ReadSums(in, unit), "sums"));
  if (has_details_) RETURN_IF_ERROR(Annotate(ReadDetails(in), "details"));
  for (size_t i = 0; i < flags_.size(); ++i) {
    Summary& s = *summaries_[i];
    s.parts = kCoreParts;
    if (has_details_ && (flags_[i] & kNoDetails) == 0) {
      s.parts = kAllParts;
    } else {
      DeriveDetails(type_, &s);
    }
  }
  return absl::OkStatus();
}

absl::Status SummaryReader::ReadDetails(ByteReader* in) const {
  std::vector<Summary*> unchanged, zeros, mixed, usable;
  for (size_t i = 0; i < flags_.size(); ++i) {
    Summary* const s = summaries_[i];
    if ((flags_[i] & kNoDetails) != 0) continue;
    s->min_repeats = (flags_[i] & kMinRepeats) != 0;
    s->max_repeats = (flags_[i] & kMaxRepeats) != 0;
    s->worst_repeats = (flags_[i] & kWorstRepeats) != 0;
    s->changes = ChangesMax(*s);
    if ((flags_[i] & kAllChange) == 0) unchanged.push_back(s);
    if ((flags_[i] & kHasZeros) != 0) zeros.push_back(s);
    if ((flags_[i] & kAllUsable) != 0) {
      s->worst = s->first.quality;
      s->first_usable = s->first;
      s->last_usable = s->last;
      continue;
    }
    mixed.push_back(s);
    if (s->good > 0) usable.push_back(s);
  }
  std::vector<uint64_t> column;
  RETURN_IF_ERROR(ReadIntegers(in, unchanged.size(), &column));
  for (size_t i = 0; i < unchanged.size(); ++i) {
    if (column[i] > unchanged[i]->changes) return Damaged("more samples without a change than in all");
    unchanged[i]->changes -= column[i];
  }
  RETURN_IF_ERROR(ReadIntegers(in, zeros.size(), &column));
  for (size_t i = 0; i < zeros.size(); ++i) {
    if (column[i] > zeros[i]->good_ns) return Damaged("more time at zero than is Good");
    zeros[i]->zero_ns = column[i];
  }
  RETURN_IF_ERROR(ReadIntegers(in, mixed.size(), &column));
  for (size_t i = 0; i < mixed.size(); ++i) {
    if (column[i] > mixed[i]->good_ns) return Damaged("more time before what is not usable than is Good");
    mixed[i]->unsure_ns = column[i];
  }
  std::vector<uint64_t> lasts;
  RETURN_IF_ERROR(ReadIntegers(in, usable.size(), &column));
  RETURN_IF_ERROR(ReadIntegers(in, usable.size(), &lasts));
  for (size_t i = 0; i < usable.size(); ++i) {
    Summary& s = *usable[i];
    const uint64_t duration = Elapsed(s.first.time, s.last.time);
    if (lasts[i] > duration || column[i] > duration - lasts[i])
      return Damaged("a usable sample lies outside");
    s.first_usable.time = static_cast<Timestamp>(static_cast<uint64_t>(s.first.time) + column[i]);
    s.last_usable.time = static_cast<Timestamp>(static_cast<uint64_t>(s.last.time) - lasts[i]);
  }
  column.resize(mixed.size());
  if (!mixed.empty()) {
    RETURN_IF_ERROR(DecodeValues(ValueType::kDigital, in, column.size(), column.data()));
  }
  for (size_t i = 0; i < mixed.size(); ++i) {
    mixed[i]->worst = static_cast<Quality>(column[i]);
    if (!IsKnownQuality(mixed[i]->worst)) return Damaged("a quality with reserved bits");
  }
  if (usable.empty()) return absl::OkStatus();
  column.resize(2 * usable.size());
  RETURN_IF_ERROR(DecodeValues(StoredType(type_), in, column.size(), column.data()));
  for (size_t i = 0; i < usable.size(); ++i) {
    usable[i]->first_usable.value = column[2 * i];
    usable[i]->last_usable.value = column[2 * i + 1];
  }
  RETURN_IF_ERROR(DecodeValues(ValueType::kDigital, in, column.size(), column.data()));
  for (size_t i = 0; i < usable.size(); ++i) {
    Summary& s = *usable[i];
    s.first_usable.quality = static_cast<Quality>(column[2 * i]);
    s.last_usable.quality = static_cast<Quality>(column[2 * i + 1]);
    for (const Sample* sample : {&s.first_usable, &s.last_usable}) {
      if (!IsKnownQuality(sample->quality) || !IsUsable(type_, sample->value, sample->quality)) {
        return Damaged("a usable sample is not usable");
      }
    }
  }
  return absl::OkStatus();
}

absl::Status SummaryReader::ReadTimes(ByteReader* in, uint64_t* unit) const {
  const size_t n = summaries_.size();
  Timestamp first;
  if (!GetUnit(in, unit) || !DecodeTime(in, &first)) return Damaged("cut short");
  std::vector<uint64_t> gaps, durations;
  RETURN_IF_ERROR(ReadIntegers(in, n - 1, &gaps));
  RETURN_IF_ERROR(ReadIntegers(in, n, &durations));
  const auto later = [unit](Timestamp t, uint64_t units) {
    return static_cast<Timestamp>(static_cast<uint64_t>(t) + units * *unit);
  };
  for (size_t i = 0; i < n; ++i) {
    Summary& s = *summaries_[i];
    s.first.time = i == 0 ? first : later(summaries_[i - 1]->last.time, gaps[i - 1]);
    s.last.time = later(s.first.time, durations[i]);
    if (s.last.time < s.first.time || (i > 0 && s.first.time <= summaries_[i - 1]->last.time)) {
      return Damaged("not in the order of time");
    }
  }
  for (const auto field : {&Summary::min, &Summary::max}) {
    const std::vector<Sample*> extremes = FieldsWithout(kNoExtremes, flags_, field, summaries_);
    std::vector<uint64_t> offsets;
    RETURN_IF_ERROR(ReadIntegers(in, extremes.size(), &offsets));
    size_t k = 0;
    for (size_t i = 0; i < n; ++i) {
      if ((flags_[i] & kNoExtremes) != 0) continue;
      const Summary& s = *summaries_[i];
      extremes[k]->time = later(s.first.time, offsets[k]);
      if (extremes[k]->time < s.first.time || extremes[k]->time > s.last.time) {
        return Damaged("an extreme lies outside");
      }
      ++k;
    }
  }
  return absl::OkStatus();
}

absl::Status SummaryReader::ReadSamples(ByteReader* in) const {
  const std::vector<Sample*> samples = ListSamples(summaries_, flags_);
  std::vector<ValueBits> column(samples.size());
  RETURN_IF_ERROR(Annotate(DecodeValues(StoredType(type_), in, column.size(), column.data()), "values"));
  for (size_t i = 0; i < samples.size(); ++i) samples[i]->value = column[i];
  RETURN_IF_ERROR(Annotate(DecodeValues(ValueType::kDigital, in, column.size(), column.data()), "qualities"));
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i]->quality = static_cast<Quality>(column[i]);
    if (!IsKnownQuality(samples[i]->quality)) return Damaged("a quality with reserved bits");
  }
  return absl::OkStatus();
}

absl::Status SummaryReader::ReadSeverities(ByteReader* in) const {
  for (const auto field : kCountsAndDurations) {
    const std::vector<uint64_t*> fields = FieldsWithout(kAllUsable, flags_, field, summaries_);
    std::vector<uint64_t> values;
    RETURN_IF_ERROR(ReadIntegers(in, fields.size(), &values));
    for (size_t i = 0; i < fields.size(); ++i) *fields[i] = values[i];
  }
  for (size_t i = 0; i < flags_.size(); ++i) {
    Summary& s = *summaries_[i];
    const uint64_t duration = Elapsed(s.first.time, s.last.time);
    if ((flags_[i] & kAllUsable) != 0) {
      s.good = s.count;
      s.good_ns = duration;
    }
    if (s.good > s.count || s.uncertain > s.count - s.good)
      return Damaged("more samples by severity than in all");
    if (s.good_ns > duration || s.uncertain_ns > duration - s.good_ns) {
      return Damaged("more time by severity than in all");
    }
  }
  return absl::OkStatus();
}

absl::Status SummaryReader::ReadSums(ByteReader* in, uint64_t unit) const {
  uint8_t decimals;
  if (!in->Byte(&decimals) || (decimals > kDecimalsMax && decimals != kNoDecimals)) {
    return Damaged("the decimals are out of range");
  }
  const Granularities granularities(decimals, unit);
  const auto sums = [&](uint64_t flag, ExactSum Summary::*field, const Granularity& granularity) {
    const std::vector<ExactSum*> fields = FieldsWithout(flag, flags_, field, summaries_);
    return fields.empty() ? absl::OkStatus() : DecodeSums(in, granularity, fields);
  };
  RETURN_IF_ERROR(sums(0, &Summary::sum, granularities.sum));
  RETURN_IF_ERROR(sums(0, &Summary::sum_of_squares, granularities.squares));
  RETURN_IF_ERROR(sums(kDerivedAreas, &Summary::area_stepped, granularities.stepped));
  RETURN_IF_ERROR(sums(kDerivedAreas, &Summary::area_sloped, granularities.sloped));
  for (size_t i = 0; i < flags_.size(); ++i) {
    Summary& s = *summaries_[i];
    if ((flags_[i] & kDerivedAreas) != 0 && !DeriveAreas(type_, s, &s.area_stepped, &s.area_sloped)) {
      return Damaged("areas that cannot be derived");
    }
  }
  return absl::OkStatus();
}

}  // namespace historian::format
