#include "server/continuation.h"

#include "absl/strings/str_cat.h"

namespace historian::server {
namespace {

constexpr char kVersion = 1;
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
  out.push_back(kVersion);
  out.push_back(static_cast<char>((request.reverse ? 1 : 0) | (request.bounds ? 2 : 0)));
  Append(&out, request.tag, 4);
  Append(&out, static_cast<uint64_t>(request.start), 8);
  Append(&out, static_cast<uint64_t>(request.end), 8);
  Append(&out, static_cast<uint64_t>(last), 8);
  return out;
}

absl::StatusOr<Timestamp> DecodeContinuation(absl::string_view bytes, const RawRequest& request) {
  if (bytes.empty() || bytes[0] != kVersion || bytes.size() != kSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("the continuation of ", bytes.size(), " bytes was not given out by this server"));
  }
  bytes.remove_prefix(1);
  const uint64_t flags = Take(&bytes, 1);
  const uint64_t tag = Take(&bytes, 4);
  const Timestamp start = static_cast<Timestamp>(Take(&bytes, 8));
  const Timestamp end = static_cast<Timestamp>(Take(&bytes, 8));
  const Timestamp last = static_cast<Timestamp>(Take(&bytes, 8));
  if (tag != request.tag || start != request.start || end != request.end ||
      flags != ((request.reverse ? 1u : 0u) | (request.bounds ? 2u : 0u))) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the continuation belongs to another request: of tag ", tag, " from ", FormatTimestamp(start), " to ",
        FormatTimestamp(end), (flags & 1) != 0 ? ", reverse" : "", (flags & 2) != 0 ? ", with bounds" : ""));
  }
  return last;
}

}  // namespace historian::server
