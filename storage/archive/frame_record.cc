#include "storage/archive/frame_record.h"

#include <algorithm>

#include "storage/format/bytes.h"
#include "storage/format/page.h"
#include "storage/model/status_macros.h"

namespace historian {
namespace {

constexpr uint8_t kKindFrame = 1;

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
absl::Status ReadPage(format::ByteReader& reader, ValueType* type, Samples* samples) {
  uint8_t type_byte = 0;
  uint64_t size = 0;
  absl::string_view page;
  if (!reader.Byte(&type_byte) || !IsKnownValueType(type_byte) || !reader.Varint(&size) ||
      !reader.Bytes(size, &page)) {
    return Damaged("cut short");
  }
  *type = static_cast<ValueType>(type_byte);
  return samples == nullptr ? absl::OkStatus() : format::DecodePage(*type, page, samples);
}

// Reads what stands before the columns.
absl::Status ReadHead(format::ByteReader& reader, FrameRecord* record) {
  uint8_t kind = 0;
  if (!reader.Byte(&kind)) return Damaged("empty");
  if (kind != kKindFrame) {
    return absl::FailedPreconditionError(
        absl::StrCat("journal record of kind ", kind, ": written by a newer version of Historian"));
  }
  uint64_t size = 0;
  absl::string_view producer;
  if (!reader.Varint(&record->frame.sequence) || !reader.Varint(&size) || !reader.Bytes(size, &producer)) {
    return Damaged("cut short");
  }
  record->producer = std::string(producer);
  return absl::OkStatus();
}

}  // namespace

std::string EncodeFrameRecord(absl::string_view producer, const Frame& frame) {
  std::string out;
  std::string page;
  const auto append_page = [&](ValueType type, const SamplesView& samples) {
    page.clear();
    format::EncodePage(type, samples, &page);
    out.push_back(static_cast<char>(type));
    AppendBytes(page, &out);
  };
  const auto pieces = [](size_t samples) {
    return (samples + format::kPageSamplesMax - 1) / format::kPageSamplesMax;
  };

  out.push_back(static_cast<char>(kKindFrame));
  AppendVarint(frame.sequence, &out);
  AppendBytes(producer, &out);
  uint64_t columns = 0;
  for (const FrameColumn& column : frame.columns) columns += pieces(column.samples.size());
  AppendVarint(columns, &out);
  for (const FrameColumn& column : frame.columns) {
    const SamplesView samples = column.samples.View();
    for (size_t begin = 0; begin < samples.size; begin += format::kPageSamplesMax) {
      AppendVarint(column.tag, &out);
      append_page(column.type, samples.Slice(begin, std::min(format::kPageSamplesMax, samples.size - begin)));
    }
  }
  uint64_t snapshots = 0;
  for (const FrameSnapshot& snapshot : frame.snapshots) snapshots += pieces(snapshot.tags.size());
  AppendVarint(snapshots, &out);
  for (const FrameSnapshot& snapshot : frame.snapshots) {
    const std::vector<Timestamp> ids(snapshot.tags.begin(), snapshot.tags.end());
    const SamplesView samples = {ids.data(), snapshot.values.data(),
                                 snapshot.qualities.empty() ? nullptr : snapshot.qualities.data(),
                                 &snapshot.strings, ids.size()};
    for (size_t begin = 0; begin < samples.size; begin += format::kPageSamplesMax) {
      uint8_t time[8];
      format::PutLittleEndian(time, static_cast<uint64_t>(snapshot.time), 8);
      out.append(reinterpret_cast<char*>(time), 8);
      append_page(snapshot.type,
                  samples.Slice(begin, std::min(format::kPageSamplesMax, samples.size - begin)));
    }
  }
  return out;
}

absl::StatusOr<FrameRecord> DecodeFrameRecordHead(absl::string_view bytes) {
  FrameRecord record;
  format::ByteReader reader(bytes);
  RETURN_IF_ERROR(ReadHead(reader, &record));
  return record;
}

absl::StatusOr<FrameRecord> DecodeFrameRecord(absl::string_view bytes,
                                              absl::FunctionRef<bool(TagId)> wanted) {
  FrameRecord record;
  format::ByteReader reader(bytes);
  RETURN_IF_ERROR(ReadHead(reader, &record));
  uint64_t count = 0;
  if (!reader.Varint(&count)) return Damaged("cut short");
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t tag = 0;
    if (!reader.VarintUpTo(UINT32_MAX, &tag)) return Damaged("cut short");
    FrameColumn column{.tag = static_cast<TagId>(tag)};
    const bool take = wanted(column.tag);
    RETURN_IF_ERROR(ReadPage(reader, &column.type, take ? &column.samples : nullptr));
    if (take) record.frame.columns.push_back(std::move(column));
  }
  if (!reader.Varint(&count)) return Damaged("cut short");
  for (uint64_t i = 0; i < count; ++i) {
    FrameSnapshot& snapshot = record.frame.snapshots.emplace_back();
    uint64_t time = 0;
    if (!reader.LittleEndian(8, &time)) return Damaged("cut short");
    snapshot.time = static_cast<Timestamp>(time);
    Samples samples;
    RETURN_IF_ERROR(ReadPage(reader, &snapshot.type, &samples));
    snapshot.tags.assign(samples.times.begin(), samples.times.end());
    snapshot.values = std::move(samples.values);
    snapshot.qualities = std::move(samples.qualities);
    snapshot.strings = std::move(samples.strings);
  }
  if (!reader.done()) return Damaged("bytes left over");
  return record;
}

}  // namespace historian
