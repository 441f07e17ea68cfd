#include "storage/write/frame_record.h"

#include <algorithm>

#include "storage/format/bytes.h"
#include "storage/format/page.h"
#include "storage/format/short_page.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"

namespace historian {
namespace {

// What a record may be. DO NOT CHANGE: stored.
constexpr uint8_t kKindPages = 1;  // Written up to version 0.1: without an origin, so without short pages.
constexpr uint8_t kKindEven = 2;   // Written up to version 0.1: short pages have no gaps.
constexpr uint8_t kKindBare = 3;   // Written up to version 0.1: without a checksum.
constexpr uint8_t kKindFrame = 4;
// Added to a column's type: its page is a short one.
constexpr uint8_t kShort = 0x40;

void AppendVarint(uint64_t v, std::string* out) {
  uint8_t bytes[format::kVarintBytesMax];
  out->append(reinterpret_cast<char*>(bytes), format::PutVarint(bytes, v) - bytes);
}

void AppendBytes(absl::string_view bytes, std::string* out) {
  AppendVarint(bytes.size(), out);
  out->append(bytes.data(), bytes.size());
}

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("journal record: ", what));
}

// Reads type and page; with `samples` null it passes over the page.
absl::Status ReadPage(format::ByteReader& reader, Timestamp origin, ValueType* type, Samples* samples) {
  uint8_t type_byte = 0;
  uint64_t size = 0;
  absl::string_view page;
  if (!reader.Byte(&type_byte) || !IsKnownValueType(type_byte & ~kShort) || !reader.Varint(&size) ||
      !reader.Bytes(size, &page)) {
    return Damaged("cut short");
  }
  *type = static_cast<ValueType>(type_byte & ~kShort);
  if (samples == nullptr) return absl::OkStatus();
  return (type_byte & kShort) != 0 ? format::DecodeShortPage(*type, page, origin, samples)
                                   : format::DecodePage(*type, page, samples);
}

// Reads what stands before the columns.
absl::Status ReadHead(format::ByteReader& reader, FrameRecord* record, Timestamp* origin) {
  uint8_t kind = 0;
  if (!reader.Byte(&kind)) return Damaged("empty");
  if (kind < kKindPages || kind > kKindFrame) {
    return absl::FailedPreconditionError(
        absl::StrCat("journal record of kind ", kind, ": written by a newer version of Historian"));
  }
  uint64_t size = 0;
  absl::string_view producer;
  if (!reader.Varint(&record->frame.sequence) || !reader.Varint(&size) || !reader.Bytes(size, &producer)) {
    return Damaged("cut short");
  }
  uint64_t time = 0, checksum = 0;
  if (kind == kKindFrame) {
    if (!reader.LittleEndian(4, &checksum)) return Damaged("cut short");
    record->checksum = static_cast<uint32_t>(checksum);
  }
  if (kind != kKindPages && !reader.LittleEndian(8, &time)) return Damaged("cut short");
  *origin = static_cast<Timestamp>(time);
  record->producer = std::string(producer);
  return absl::OkStatus();
}

// How many samples at the begin of the column came late: a short page would become as wide for all as those
// are far from the rest, so they get one of their own.
size_t LateAtBegin(const SamplesView& samples) {
  constexpr size_t kWorthIt = 16;
  constexpr uint64_t kFar = 8;  // Steps of the others.
  if (samples.size < kWorthIt) return 0;
  const Timestamp* const times = samples.times;
  const size_t half = samples.size / 2;
  const uint64_t of_others = Elapsed(times[half], times[samples.size - 1]);
  if (Elapsed(times[0], times[half]) / kFar <= of_others) return 0;
  const uint64_t far = kFar * (of_others / (samples.size - 1 - half) + 1);
  size_t begin = half;
  while (begin > 0 && Elapsed(times[begin - 1], times[begin]) < far) --begin;
  return begin;
}

// The end of the page that begins there, in a column with this many late samples.
size_t EndOfPage(size_t begin, size_t late, size_t size) {
  return std::min(begin + format::kPageSamplesMax, begin < late ? late : size);
}

}  // namespace

std::string EncodeFrameRecord(absl::string_view producer, const Frame& frame, uint32_t checksum,
                              std::vector<format::EncodeHint>* hints) {
  HISTORIAN_CHECK(hints->size() == frame.columns.size() + frame.snapshots.size());
  std::string out;
  std::string page;
  std::vector<size_t> late(frame.columns.size());
  for (size_t i = 0; i < late.size(); ++i) late[i] = LateAtBegin(frame.columns[i].samples.View());
  const Timestamp origin = frame.columns.empty() ? 0 : frame.columns.front().samples.times[late.front()];
  const auto append_time = [&](Timestamp time) {
    uint8_t bytes[8];
    format::PutLittleEndian(bytes, static_cast<uint64_t>(time), 8);
    out.append(reinterpret_cast<char*>(bytes), 8);
  };
  const auto append_page = [&](ValueType type, const SamplesView& samples, Timestamp origin,
                               format::EncodeHint* hint) {
    if (samples.size <= format::kShortPageSamplesMax) {
      uint8_t bytes[format::kShortPageBytesMax];
      if (const uint8_t* end = format::EncodeShortPage(type, samples, origin, *hint, bytes); end != nullptr) {
        out.push_back(static_cast<char>(static_cast<uint8_t>(type) | kShort));
        AppendBytes(absl::string_view(reinterpret_cast<char*>(bytes), end - bytes), &out);
        return;
      }
    }
    page.clear();
    format::EncodePage(type, samples, &page, hint);
    out.push_back(static_cast<char>(type));
    AppendBytes(page, &out);
  };
  const auto pieces = [](size_t samples) {
    return (samples + format::kPageSamplesMax - 1) / format::kPageSamplesMax;
  };

  out.push_back(static_cast<char>(kKindFrame));
  AppendVarint(frame.sequence, &out);
  AppendBytes(producer, &out);
  uint8_t checksum_bytes[4];
  format::PutLittleEndian(checksum_bytes, checksum, 4);
  out.append(reinterpret_cast<char*>(checksum_bytes), 4);
  append_time(origin);
  uint64_t columns = 0;
  for (size_t i = 0; i < late.size(); ++i) {
    columns += pieces(late[i]) + pieces(frame.columns[i].samples.size() - late[i]);
  }
  AppendVarint(columns, &out);
  for (size_t i = 0; i < frame.columns.size(); ++i) {
    const FrameColumn& column = frame.columns[i];
    const SamplesView samples = column.samples.View();
    for (size_t begin = 0; begin < samples.size;) {
      const size_t end = EndOfPage(begin, late[i], samples.size);
      AppendVarint(column.tag, &out);
      append_page(column.type, samples.Slice(begin, end - begin), origin, &(*hints)[i]);
      begin = end;
    }
  }
  uint64_t snapshots = 0;
  for (const FrameSnapshot& snapshot : frame.snapshots) snapshots += pieces(snapshot.tags.size());
  AppendVarint(snapshots, &out);
  for (size_t i = 0; i < frame.snapshots.size(); ++i) {
    const FrameSnapshot& snapshot = frame.snapshots[i];
    const std::vector<Timestamp> ids(snapshot.tags.begin(), snapshot.tags.end());
    const SamplesView samples = {ids.data(), snapshot.values.data(),
                                 snapshot.qualities.empty() ? nullptr : snapshot.qualities.data(),
                                 &snapshot.strings, ids.size()};
    for (size_t begin = 0; begin < samples.size; begin += format::kPageSamplesMax) {
      append_time(snapshot.time);
      append_page(snapshot.type,
                  samples.Slice(begin, std::min(format::kPageSamplesMax, samples.size - begin)),
                  /*origin=*/0, &(*hints)[frame.columns.size() + i]);
    }
  }
  return out;
}

absl::StatusOr<FrameRecord> DecodeFrameRecordHead(absl::string_view bytes) {
  FrameRecord record;
  format::ByteReader reader(bytes);
  Timestamp origin = 0;
  RETURN_IF_ERROR(ReadHead(reader, &record, &origin));
  return record;
}

absl::StatusOr<FrameRecord> DecodeFrameRecord(absl::string_view bytes,
                                              absl::FunctionRef<bool(TagId)> wanted) {
  FrameRecord record;
  format::ByteReader reader(bytes);
  Timestamp origin = 0;
  RETURN_IF_ERROR(ReadHead(reader, &record, &origin));
  uint64_t count = 0;
  if (!reader.Varint(&count)) return Damaged("cut short");
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t tag = 0;
    if (!reader.VarintUpTo(UINT32_MAX, &tag)) return Damaged("cut short");
    FrameColumn column{.tag = static_cast<TagId>(tag)};
    const bool take = wanted(column.tag);
    RETURN_IF_ERROR(ReadPage(reader, origin, &column.type, take ? &column.samples : nullptr));
    if (take) record.frame.columns.push_back(std::move(column));
  }
  if (!reader.Varint(&count)) return Damaged("cut short");
  for (uint64_t i = 0; i < count; ++i) {
    FrameSnapshot& snapshot = record.frame.snapshots.emplace_back();
    uint64_t time = 0;
    if (!reader.LittleEndian(8, &time)) return Damaged("cut short");
    snapshot.time = static_cast<Timestamp>(time);
    Samples samples;
    RETURN_IF_ERROR(ReadPage(reader, /*origin=*/0, &snapshot.type, &samples));
    // Tags stand where times do, and rise.
    if (samples.times.front() < 0 || samples.times.back() > Timestamp{UINT32_MAX}) {
      return Damaged("a tag is out of range");
    }
    snapshot.tags.assign(samples.times.begin(), samples.times.end());
    snapshot.values = std::move(samples.values);
    snapshot.qualities = std::move(samples.qualities);
    snapshot.strings = std::move(samples.strings);
  }
  if (!reader.done()) return Damaged("bytes left over");
  return record;
}

}  // namespace historian
