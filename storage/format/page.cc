#include "storage/format/page.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/format/bytes.h"
#include "storage/format/scratch.h"
#include "storage/format/text_column.h"
#include "storage/format/time_column.h"
#include "storage/format/value_column.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"

namespace historian::format {
namespace {

struct Owner {};

bool AllGood(const SamplesView& samples) {
  return samples.qualities == nullptr || std::all_of(samples.qualities, samples.qualities + samples.size,
                                                     [](Quality q) { return q == kGood; });
}

uint8_t* PutQualities(uint8_t* p, const Quality* qualities, size_t size, Density density) {
  uint64_t* codes = ThreadScratch<Owner, 0, uint64_t>(size);
  std::copy_n(qualities, size, codes);
  uint8_t* column = ThreadScratch<Owner, 1, uint8_t>(ValueColumnBytesMax(size));
  const size_t column_size =
      static_cast<size_t>(EncodeValues(ValueType::kDigital, codes, size, nullptr, density, column) - column);
  p = PutVarint(p, column_size);
  std::copy_n(column, column_size, p);
  return p + column_size;
}

uint8_t* PutTimes(uint8_t* p, const Timestamp* times, size_t size, Density density) {
  if (size == 1) return EncodeTime(times[0], p);
  // The column's size goes before it and is not known before; most take one byte.
  uint8_t* const column = p + 1;
  const size_t column_size = static_cast<size_t>(EncodeTimes(times, size, density, column) - column);
  uint8_t head[kVarintBytesMax];
  const size_t head_size = static_cast<size_t>(PutVarint(head, column_size) - head);
  if (head_size > 1) std::copy_backward(column, column + column_size, column + column_size + head_size - 1);
  std::copy_n(head, head_size, p);
  return p + head_size + column_size;
}

absl::Status Damaged(absl::string_view what) { return absl::DataLossError(absl::StrCat("page: ", what)); }

}  // namespace

void EncodePage(ValueType type, const SamplesView& samples, std::string* out, EncodeHint* hint,
                Density density) {
  const size_t size = samples.size;
  HISTORIAN_CHECK(size >= 1 && size <= kPageSamplesMax);
  const bool all_good = AllGood(samples);
  uint8_t* const bytes = ThreadScratch<Owner, 2, uint8_t>(4 * kVarintBytesMax + TimeColumnBytesMax(size) +
                                                          (all_good ? 1 : 2) * ValueColumnBytesMax(size));
  uint8_t* p = PutVarint(bytes, (size - 1) << 1 | (all_good ? 0 : 1));
  p = PutTimes(p, samples.times, size, density);
  if (!all_good) p = PutQualities(p, samples.qualities, size, density);
  if (type != ValueType::kString) p = EncodeValues(type, samples.values, size, hint, density, p);
  out->append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(p - bytes));
  if (type == ValueType::kString) EncodeTexts(samples, kPageBytesMax, density, out);
}

absl::StatusOr<PageReader> PageReader::Open(ValueType type, absl::string_view bytes) {
  PageReader page;
  page.type_ = type;
  ByteReader in(bytes);
  uint64_t head;
  if (!in.VarintUpTo(2 * kPageSamplesMax - 1, &head))
    return Damaged("the head is cut short or has too many samples");
  page.size_ = (head >> 1) + 1;
  page.all_good_ = (head & 1) == 0;
  if (page.size_ == 1) {
    const absl::string_view rest = in.rest();
    Timestamp time;
    if (!DecodeTime(&in, &time)) return Damaged("the time is cut short");
    page.times_ = rest.substr(0, rest.size() - in.left());
  } else {
    uint64_t times_size;
    if (!in.Varint(&times_size) || !in.Bytes(times_size, &page.times_))
      return Damaged("the times are cut short");
  }
  if (!page.all_good_) {
    uint64_t size;
    if (!in.Varint(&size) || !in.Bytes(size, &page.qualities_)) return Damaged("the qualities are cut short");
  }
  if (in.done()) return Damaged("the values are missing");
  page.values_ = in.rest();
  return page;
}

absl::Status PageReader::ReadTimes(Timestamp* times) const {
  ByteReader in(times_);
  RETURN_IF_ERROR(DecodeTimes(&in, size_, times));
  return in.done() ? absl::OkStatus() : Damaged("bytes after the times");
}

absl::Status PageReader::ReadValues(ValueBits* values, StringColumn* strings) const {
  ByteReader in(values_);
  if (type_ == ValueType::kString) {
    RETURN_IF_ERROR(DecodeTexts(&in, size_, kPageBytesMax, values, strings));
  } else {
    RETURN_IF_ERROR(DecodeValues(type_, &in, size_, values));
  }
  return in.done() ? absl::OkStatus() : Damaged("bytes after the values");
}

absl::Status PageReader::ReadQualities(Quality* qualities) const {
  if (all_good_) {
    std::fill_n(qualities, size_, kGood);
    return absl::OkStatus();
  }
  ByteReader in(qualities_);
  uint64_t* codes = ThreadScratch<Owner, 3, uint64_t>(size_);
  RETURN_IF_ERROR(DecodeValues(ValueType::kDigital, &in, size_, codes));
  if (!in.done()) return Damaged("bytes after the qualities");
  bool known = true;
  for (size_t i = 0; i < size_; ++i) {
    qualities[i] = static_cast<Quality>(codes[i]);
    known &= IsKnownQuality(qualities[i]);
  }
  return known ? absl::OkStatus() : Damaged("a quality with reserved bits");
}

absl::Status DecodePage(ValueType type, absl::string_view bytes, Samples* out) {
  ASSIGN_OR_RETURN(const PageReader page, PageReader::Open(type, bytes));
  const size_t before = out->size();
  const size_t after = before + page.size();
  const auto undo = [&](absl::Status status) {
    out->times.resize(before);
    out->values.resize(before);
    if (!out->qualities.empty()) out->qualities.resize(before);
    return status;
  };
  out->times.resize(after);
  out->values.resize(after);
  if (absl::Status s = page.ReadTimes(out->times.data() + before); !s.ok()) return undo(s);
  if (absl::Status s = page.ReadValues(out->values.data() + before, &out->strings); !s.ok()) return undo(s);
  if (page.all_good() && out->qualities.empty()) return absl::OkStatus();
  out->qualities.resize(before, kGood);
  out->qualities.resize(after);
  if (absl::Status s = page.ReadQualities(out->qualities.data() + before); !s.ok()) return undo(s);
  return absl::OkStatus();
}

}  // namespace historian::format
