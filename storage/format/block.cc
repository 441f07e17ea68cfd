#include "storage/format/block.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "storage/format/bytes.h"
#include "storage/format/decimal.h"
#include "storage/format/integer_column.h"
#include "storage/format/page.h"
#include "storage/format/sum_column.h"
#include "storage/format/time_column.h"
#include "storage/format/value_column.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"

namespace historian::format {
namespace {

constexpr size_t kChecksumBytes = 4;

// What can be told of a page without storing it. DO NOT CHANGE THESE VALUES: stored.
enum PageFlags : uint64_t {
  kAllUsable = 1,     // good is count, good_ns all the time; no Uncertain.
  kNoExtremes = 2,    // min and max are Sample{}.
  kDerivedAreas = 4,  // Both areas follow from the sum, see DeriveAreas.
  kAllPageFlags = 7,
};

// "No decimals" in the byte that tells the granularity of sums.
constexpr uint8_t kNoDecimals = 0xFF;

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("block head: ", what));
}

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

uint64_t FlagsOf(ValueType type, const Summary& s) {
  uint64_t flags = 0;
  if (s.good == s.count && s.uncertain == 0 && s.uncertain_ns == 0 &&
      s.good_ns == Elapsed(s.first.time, s.last.time)) {
    flags |= kAllUsable;
  }
  if (s.min == Sample() && s.max == Sample()) flags |= kNoExtremes;
  ExactSum stepped, sloped;
  if (DeriveAreas(type, s, &stepped, &sloped) && stepped == s.area_stepped && sloped == s.area_sloped) {
    flags |= kDerivedAreas;
  }
  return flags;
}

// The samples of the summaries in the order in which they are stored: all first, all last, then the extremes
// of the pages that have them, all min, all max.
template <typename Head, typename SamplePointer>
void ListSamples(Head& head, const std::vector<uint64_t>& flags, std::vector<SamplePointer>* samples) {
  for (auto& page : head.pages) samples->push_back(&page.summary.first);
  for (auto& page : head.pages) samples->push_back(&page.summary.last);
  for (size_t i = 0; i < flags.size(); ++i) {
    if ((flags[i] & kNoExtremes) == 0) samples->push_back(&head.pages[i].summary.min);
  }
  for (size_t i = 0; i < flags.size(); ++i) {
    if ((flags[i] & kNoExtremes) == 0) samples->push_back(&head.pages[i].summary.max);
  }
}

// The places of one field in the summaries of the pages without the flag.
template <typename Field, typename Head>
auto FieldsWithout(uint64_t flag, const std::vector<uint64_t>& flags, Field Summary::*field, Head& head) {
  std::vector<decltype(&(head.pages[0].summary.*field))> fields;
  for (size_t i = 0; i < flags.size(); ++i) {
    if ((flags[i] & flag) == 0) fields.push_back(&(head.pages[i].summary.*field));
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

// What the sums of the pages are multiples of if the values are decimals and the times multiples of unit.
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

class Writer {
 public:
  explicit Writer(std::string* out) : out_(*out) {}

  void Byte(uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void Fixed32(uint32_t v) { End(PutLittleEndian(Room(4), v, 4)); }
  void Integers(const std::vector<uint64_t>& v) {
    if (v.empty()) return;
    End(EncodeIntegers(v.data(), v.size(), 0, false, Room(IntegerColumnBytesMax(v.size()))));
  }
  void Values(ValueType type, const std::vector<ValueBits>& v) {
    End(EncodeValues(type, v.data(), v.size(), nullptr, Room(ValueColumnBytesMax(v.size()))));
  }
  void Time(Timestamp t) { End(EncodeTime(t, Room(kScaledBytesMax))); }
  void Unit(uint64_t unit) { End(PutUnit(Room(kUnitBytesMax), unit)); }
  void Sums(const std::vector<const ExactSum*>& sums, const Granularity& granularity) {
    if (!sums.empty()) EncodeSums(sums, granularity, &out_);
  }

 private:
  uint8_t* Room(size_t size) {
    before_ = out_.size();
    out_.resize(before_ + size);
    return reinterpret_cast<uint8_t*>(out_.data()) + before_;
  }
  void End(const uint8_t* end) {
    out_.resize(static_cast<size_t>(end - reinterpret_cast<uint8_t*>(out_.data())));
  }

  std::string& out_;
  size_t before_ = 0;
};

// Reads a column of n integers.
absl::StatusOr<std::vector<uint64_t>> Integers(ByteReader* in, size_t n) {
  std::vector<uint64_t> v(n);
  if (n > 0) RETURN_IF_ERROR(DecodeIntegers(in, n, 0, v.data()));
  return v;
}

absl::Status ReadPlaces(ByteReader* in, BlockHead* head, std::vector<uint64_t>* flags) {
  const size_t n = head->pages.size();
  ASSIGN_OR_RETURN(*flags, Integers(in, n));
  ASSIGN_OR_RETURN(const std::vector<uint64_t> counts, Integers(in, n));
  ASSIGN_OR_RETURN(const std::vector<uint64_t> sizes, Integers(in, n));
  uint64_t offset = 0;
  for (size_t i = 0; i < n; ++i) {
    PageInfo& page = head->pages[i];
    if ((*flags)[i] > kAllPageFlags) return Damaged("unknown flags of a page");
    if (counts[i] == 0 || counts[i] > kPageSamplesMax)
      return Damaged("the number of samples is out of range");
    page.summary.count = counts[i];
    if (sizes[i] == 0 || sizes[i] > UINT32_MAX - offset) return Damaged("the size of a page is out of range");
    page.offset = static_cast<uint32_t>(offset);
    page.size = static_cast<uint32_t>(sizes[i]);
    offset += sizes[i];
    uint64_t checksum;
    if (!in->LittleEndian(4, &checksum)) return Damaged("the checksums are cut short");
    page.checksum = static_cast<uint32_t>(checksum);
  }
  return absl::OkStatus();
}

absl::Status ReadTimes(ByteReader* in, const std::vector<uint64_t>& flags, uint64_t* unit, BlockHead* head) {
  const size_t n = head->pages.size();
  Timestamp first;
  if (!GetUnit(in, unit) || !DecodeTime(in, &first)) return Damaged("the times are cut short");
  ASSIGN_OR_RETURN(const std::vector<uint64_t> gaps, Integers(in, n - 1));
  ASSIGN_OR_RETURN(const std::vector<uint64_t> durations, Integers(in, n));
  const auto later = [unit](Timestamp t, uint64_t units) {
    return static_cast<Timestamp>(static_cast<uint64_t>(t) + units * *unit);
  };
  for (size_t i = 0; i < n; ++i) {
    Summary& s = head->pages[i].summary;
    s.first.time = i == 0 ? first : later(head->pages[i - 1].summary.last.time, gaps[i - 1]);
    s.last.time = later(s.first.time, durations[i]);
    if (s.last.time < s.first.time || (i > 0 && s.first.time <= head->pages[i - 1].summary.last.time)) {
      return Damaged("the pages are not in the order of time");
    }
  }
  for (const auto field : {&Summary::min, &Summary::max}) {
    const std::vector<Sample*> extremes = FieldsWithout(kNoExtremes, flags, field, *head);
    ASSIGN_OR_RETURN(const std::vector<uint64_t> offsets, Integers(in, extremes.size()));
    size_t k = 0;
    for (size_t i = 0; i < n; ++i) {
      if ((flags[i] & kNoExtremes) != 0) continue;
      const Summary& s = head->pages[i].summary;
      extremes[k]->time = later(s.first.time, offsets[k]);
      if (extremes[k]->time < s.first.time || extremes[k]->time > s.last.time) {
        return Damaged("an extreme lies outside its page");
      }
      ++k;
    }
  }
  return absl::OkStatus();
}

absl::Status ReadCounts(ByteReader* in, const std::vector<uint64_t>& flags, BlockHead* head) {
  for (const auto field : kCountsAndDurations) {
    const std::vector<uint64_t*> fields = FieldsWithout(kAllUsable, flags, field, *head);
    ASSIGN_OR_RETURN(const std::vector<uint64_t> values, Integers(in, fields.size()));
    for (size_t i = 0; i < fields.size(); ++i) *fields[i] = values[i];
  }
  for (size_t i = 0; i < flags.size(); ++i) {
    Summary& s = head->pages[i].summary;
    const uint64_t duration = Elapsed(s.first.time, s.last.time);
    if ((flags[i] & kAllUsable) != 0) {
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

}  // namespace

uint64_t BlockHead::count() const {
  uint64_t count = 0;
  for (const PageInfo& page : pages) count += page.summary.count;
  return count;
}

void EncodeBlockHead(const BlockHead& head, std::string* out) {
  const size_t n = head.pages.size();
  HISTORIAN_CHECK(n >= 1 && n <= kBlockPagesMax);
  const size_t begin = out->size();
  Writer writer(out);
  writer.Byte(kBlockVersion);
  writer.Byte(static_cast<uint8_t>(head.type));
  writer.Byte(static_cast<uint8_t>(n));

  std::vector<uint64_t> flags, counts, sizes;
  uint64_t offset = 0;
  for (const PageInfo& page : head.pages) {
    HISTORIAN_CHECK(page.offset == offset && page.size > 0);
    HISTORIAN_CHECK(page.summary.count >= 1 && page.summary.count <= kPageSamplesMax);
    offset += page.size;
    flags.push_back(FlagsOf(head.type, page.summary));
    counts.push_back(page.summary.count);
    sizes.push_back(page.size);
  }
  writer.Integers(flags);
  writer.Integers(counts);
  writer.Integers(sizes);
  for (const PageInfo& page : head.pages) writer.Fixed32(page.checksum);

  // Times, as multiples of the largest unit that divides all differences.
  std::vector<uint64_t> gaps, durations;
  std::vector<uint64_t> extremes[2];
  uint64_t unit = 0;
  const auto elapsed = [&unit](Timestamp from, Timestamp to, std::vector<uint64_t>* column) {
    HISTORIAN_CHECK(from <= to);
    column->push_back(Elapsed(from, to));
    unit = std::gcd(unit, column->back());
  };
  for (size_t i = 0; i < n; ++i) {
    const Summary& s = head.pages[i].summary;
    if (i > 0) {
      const Timestamp before = head.pages[i - 1].summary.last.time;
      HISTORIAN_CHECK(before < s.first.time);
      elapsed(before, s.first.time, &gaps);
    }
    elapsed(s.first.time, s.last.time, &durations);
    if ((flags[i] & kNoExtremes) != 0) continue;
    HISTORIAN_CHECK(s.min.time <= s.last.time && s.max.time <= s.last.time);
    elapsed(s.first.time, s.min.time, &extremes[0]);
    elapsed(s.first.time, s.max.time, &extremes[1]);
  }
  unit = std::max<uint64_t>(unit, 1);
  writer.Unit(unit);
  writer.Time(head.first_time());
  for (std::vector<uint64_t>* column : {&gaps, &durations, &extremes[0], &extremes[1]}) {
    for (uint64_t& v : *column) v /= unit;
    writer.Integers(*column);
  }

  std::vector<const Sample*> samples;
  ListSamples(head, flags, &samples);
  std::vector<ValueBits> values;
  std::vector<ValueBits> qualities;
  for (const Sample* s : samples) {
    values.push_back(s->value);
    qualities.push_back(s->quality);
  }
  writer.Values(StoredType(head.type), values);
  writer.Values(ValueType::kDigital, qualities);
  for (const auto field : kCountsAndDurations) {
    std::vector<uint64_t> column;
    for (const uint64_t* v : FieldsWithout(kAllUsable, flags, field, head)) column.push_back(*v);
    writer.Integers(column);
  }

  const uint8_t decimals = DecimalsOf(head.type, samples);
  const Granularities granularities(decimals, unit);
  writer.Byte(decimals);
  writer.Sums(FieldsWithout(0, flags, &Summary::sum, head), granularities.sum);
  writer.Sums(FieldsWithout(0, flags, &Summary::sum_of_squares, head), granularities.squares);
  writer.Sums(FieldsWithout(kDerivedAreas, flags, &Summary::area_stepped, head), granularities.stepped);
  writer.Sums(FieldsWithout(kDerivedAreas, flags, &Summary::area_sloped, head), granularities.sloped);
  writer.Fixed32(Checksum(absl::string_view(*out).substr(begin)));
}

absl::StatusOr<BlockHead> DecodeBlockHead(absl::string_view bytes) {
  if (bytes.size() < 3 + kChecksumBytes) {
    return Damaged(absl::StrCat(bytes.size(), " bytes are too few"));
  }
  const absl::string_view body = bytes.substr(0, bytes.size() - kChecksumBytes);
  ByteReader tail(bytes.substr(body.size()));
  uint64_t stored = 0;
  tail.LittleEndian(kChecksumBytes, &stored);
  if (stored != Checksum(body)) {
    return Damaged(absl::StrCat("the checksum is ", absl::Hex(Checksum(body), absl::kZeroPad8),
                                ", stored is ", absl::Hex(stored, absl::kZeroPad8)));
  }
  ByteReader in(body);
  uint8_t version = 0, type = 0, n = 0;
  in.Byte(&version);
  in.Byte(&type);
  in.Byte(&n);
  if (version > kBlockVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("block head: version ", version, "; this program reads up to ", kBlockVersion));
  }
  if (version == 0) return Damaged("version 0");
  if (!IsKnownValueType(type)) return Damaged(absl::StrCat("value type ", type, " is not known"));
  if (n == 0 || n > kBlockPagesMax) return Damaged(absl::StrCat(n, " pages, not 1 to ", kBlockPagesMax));

  BlockHead head;
  head.type = static_cast<ValueType>(type);
  head.pages.resize(n);
  std::vector<uint64_t> flags;
  uint64_t unit = 1;
  RETURN_IF_ERROR(Annotate(ReadPlaces(&in, &head, &flags), "block head, places"));
  RETURN_IF_ERROR(Annotate(ReadTimes(&in, flags, &unit, &head), "block head, times"));

  std::vector<Sample*> samples;
  ListSamples(head, flags, &samples);
  std::vector<ValueBits> column(samples.size());
  RETURN_IF_ERROR(
      Annotate(DecodeValues(StoredType(head.type), &in, column.size(), column.data()), "block head, values"));
  for (size_t i = 0; i < samples.size(); ++i) samples[i]->value = column[i];
  RETURN_IF_ERROR(Annotate(DecodeValues(ValueType::kDigital, &in, column.size(), column.data()),
                           "block head, qualities"));
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i]->quality = static_cast<Quality>(column[i]);
    if (!IsKnownQuality(samples[i]->quality)) return Damaged("a quality with reserved bits");
  }
  RETURN_IF_ERROR(Annotate(ReadCounts(&in, flags, &head), "block head, counts"));

  uint8_t decimals;
  if (!in.Byte(&decimals) || (decimals > kDecimalsMax && decimals != kNoDecimals)) {
    return Damaged("the decimals are out of range");
  }
  const Granularities granularities(decimals, unit);
  const auto sums = [&](uint64_t flag, ExactSum Summary::*field, const Granularity& granularity) {
    const std::vector<ExactSum*> fields = FieldsWithout(flag, flags, field, head);
    if (fields.empty()) return absl::OkStatus();
    return Annotate(DecodeSums(&in, granularity, fields), "block head, sums");
  };
  RETURN_IF_ERROR(sums(0, &Summary::sum, granularities.sum));
  RETURN_IF_ERROR(sums(0, &Summary::sum_of_squares, granularities.squares));
  RETURN_IF_ERROR(sums(kDerivedAreas, &Summary::area_stepped, granularities.stepped));
  RETURN_IF_ERROR(sums(kDerivedAreas, &Summary::area_sloped, granularities.sloped));
  for (size_t i = 0; i < n; ++i) {
    Summary& s = head.pages[i].summary;
    if ((flags[i] & kDerivedAreas) != 0 && !DeriveAreas(head.type, s, &s.area_stepped, &s.area_sloped)) {
      return Damaged("areas that cannot be derived");
    }
  }
  if (!in.done()) return Damaged("bytes after its end");
  return head;
}

absl::StatusOr<absl::string_view> PageBytes(const BlockHead& head, absl::string_view payload, size_t i) {
  HISTORIAN_CHECK(i < head.pages.size());
  const PageInfo& page = head.pages[i];
  const auto damaged = [&](absl::string_view what) {
    return absl::DataLossError(
        absl::StrCat("page ", i, " of the block from ", FormatTimestamp(head.first_time()), ": ", what));
  };
  if (page.offset > payload.size() || page.size > payload.size() - page.offset) {
    return damaged(absl::StrCat("needs ", uint64_t{page.offset} + page.size, " bytes of payload, there are ",
                                payload.size()));
  }
  const absl::string_view bytes = payload.substr(page.offset, page.size);
  if (Checksum(bytes) != page.checksum) {
    return damaged(absl::StrCat("the checksum is ", absl::Hex(Checksum(bytes), absl::kZeroPad8),
                                ", the head says ", absl::Hex(page.checksum, absl::kZeroPad8)));
  }
  return bytes;
}

}  // namespace historian::format
