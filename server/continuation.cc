#include "server/continuation.h"

#include "absl/strings/str_cat.h"

namespace historian::server {
namespace {

constexpr char kFormat = 1;
constexpr char kFormatAsOf = 2;
constexpr char kFormatFull = 3;
constexpr size_t kSize = 2 + 4 + 3 * 8;

constexpr uint64_t kReverse = 1, kBounds = 2, kOpcUa = 4, kHasStart = 8, kHasEnd = 16;

size_t SizeOf(char format) {
  switch (format) {
    case kFormat:
      return kSize;
    case kFormatAsOf:
      return kSize + 8;
    case kFormatFull:
      return kSize + 16;
    default:
      return 0;
  }
}

// Formats 1 and 2 are of reads between two times.
bool NeedsFull(const AskedRead& read) { return read.opc_ua || read.filter != 0; }

uint64_t FlagsOf(const AskedRead& read) {
  uint64_t flags = (read.reverse ? kReverse : 0) | (read.bounds ? kBounds : 0);
  if (NeedsFull(read)) {
    flags |= (read.opc_ua ? kOpcUa : 0) | (read.start.has_value() ? kHasStart : 0) |
             (read.end.has_value() ? kHasEnd : 0);
  }
  return flags;
}

void Append(std::string* out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t Take(absl::string_view* bytes, int count) {
  uint64_t value = 0;
  for (int i = 0; i < count; ++i) value |= uint64_t{static_cast<unsigned char>((*bytes)[i])} << (8 * i);
  bytes->remove_prefix(count);
  return value;
}

}  // namespace

std::string EncodeContinuation(const AskedRead& read, Timestamp last) {
  std::string out;
  const char format = NeedsFull(read) ? kFormatFull : read.as_of == kVersionNow ? kFormat : kFormatAsOf;
  out.push_back(format);
  out.push_back(static_cast<char>(FlagsOf(read)));
  Append(&out, read.tag, 4);
  Append(&out, static_cast<uint64_t>(read.start.value_or(0)), 8);
  Append(&out, static_cast<uint64_t>(read.end.value_or(0)), 8);
  Append(&out, static_cast<uint64_t>(last), 8);
  if (format != kFormat) Append(&out, read.as_of, 8);
  if (format == kFormatFull) Append(&out, read.filter, 8);
  return out;
}

absl::StatusOr<Continuation> DecodeContinuation(absl::string_view bytes, const AskedRead& read) {
  const char format = bytes.empty() ? 0 : bytes[0];
  if (SizeOf(format) == 0 || bytes.size() != SizeOf(format)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the continuation of ", bytes.size(), " bytes was not given out by this server"));
  }
  bytes.remove_prefix(1);
  const uint64_t flags = Take(&bytes, 1);
  const uint64_t tag = Take(&bytes, 4);
  const Timestamp start = static_cast<Timestamp>(Take(&bytes, 8));
  const Timestamp end = static_cast<Timestamp>(Take(&bytes, 8));
  Continuation continuation{.last = static_cast<Timestamp>(Take(&bytes, 8))};
  if (format != kFormat) continuation.as_of = Take(&bytes, 8);
  const uint64_t filter = format == kFormatFull ? Take(&bytes, 8) : 0;
  if (tag != read.tag || start != read.start.value_or(0) || end != read.end.value_or(0) ||
      flags != FlagsOf(read) || (format == kFormatFull) != NeedsFull(read)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the continuation belongs to another request: of tag ", tag,
        (flags & kOpcUa) != 0 && (flags & kHasStart) == 0 ? ""
                                                          : absl::StrCat(" from ", FormatTimestamp(start)),
        (flags & kOpcUa) != 0 && (flags & kHasEnd) == 0 ? "" : absl::StrCat(" to ", FormatTimestamp(end)),
        (flags & kReverse) != 0 ? ", reverse" : "", (flags & kBounds) != 0 ? ", with bounds" : "",
        (flags & kOpcUa) != 0 ? ", by OPC UA's rules" : ""));
  }
  if (filter != read.filter) {
    return absl::InvalidArgumentError("the continuation belongs to another request: one with another filter");
  }
  return continuation;
}

}  // namespace historian::server
