#include "server/continuation.h"

#include "absl/strings/str_cat.h"

namespace historian::server {
namespace {

constexpr char kFormat = 1;
constexpr char kFormatAsOf = 2;
constexpr size_t kSize = 2 + 4 + 3 * 8;

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

std::string EncodeContinuation(const RawRequest& request, Timestamp last) {
  std::string out;
  const bool is_now = request.as_of == kVersionNow;
  out.push_back(is_now ? kFormat : kFormatAsOf);
  out.push_back(static_cast<char>((request.reverse ? 1 : 0) | (request.bounds ? 2 : 0)));
  Append(&out, request.tag, 4);
  Append(&out, static_cast<uint64_t>(request.start), 8);
  Append(&out, static_cast<uint64_t>(request.end), 8);
  Append(&out, static_cast<uint64_t>(last), 8);
  if (!is_now) Append(&out, request.as_of, 8);
  return out;
}

absl::StatusOr<Continuation> DecodeContinuation(absl::string_view bytes, const RawRequest& request) {
  const char format = bytes.empty() ? 0 : bytes[0];
  if ((format != kFormat || bytes.size() != kSize) && (format != kFormatAsOf || bytes.size() != kSize + 8)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the continuation of ", bytes.size(), " bytes was not given out by this server"));
  }
  bytes.remove_prefix(1);
  const uint64_t flags = Take(&bytes, 1);
  const uint64_t tag = Take(&bytes, 4);
  const Timestamp start = static_cast<Timestamp>(Take(&bytes, 8));
  const Timestamp end = static_cast<Timestamp>(Take(&bytes, 8));
  Continuation continuation{.last = static_cast<Timestamp>(Take(&bytes, 8))};
  if (format == kFormatAsOf) continuation.as_of = Take(&bytes, 8);
  if (tag != request.tag || start != request.start || end != request.end ||
      flags != ((request.reverse ? 1u : 0u) | (request.bounds ? 2u : 0u))) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the continuation belongs to another request: of tag ", tag, " from ", FormatTimestamp(start), " to ",
        FormatTimestamp(end), (flags & 1) != 0 ? ", reverse" : "", (flags & 2) != 0 ? ", with bounds" : ""));
  }
  return continuation;
}

}  // namespace historian::server
