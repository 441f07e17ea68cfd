#include "tools/histctl/lib/page_outline.h"

#include <cstdint>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "storage/model/status_macros.h"

namespace historian::histctl {
namespace {

absl::Status NoPage(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("not a page: ", what));
}

absl::StatusOr<uint64_t> TakeVarint(absl::string_view* bytes) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (bytes->empty()) return NoPage("it is cut short");
    const auto byte = static_cast<unsigned char>(bytes->front());
    bytes->remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  return NoPage("a number is too long");
}

absl::StatusOr<absl::string_view> TakeSized(absl::string_view* bytes) {
  ASSIGN_OR_RETURN(const uint64_t size, TakeVarint(bytes));
  if (size > bytes->size()) return NoPage("a column is cut short");
  const absl::string_view column = bytes->substr(0, size);
  bytes->remove_prefix(size);
  return column;
}

// "scaled": a byte whose low half is the size of what follows.
absl::StatusOr<size_t> ScaledSize(absl::string_view bytes) {
  if (bytes.empty()) return NoPage("it is cut short");
  const size_t size = 1 + (static_cast<unsigned char>(bytes[0]) & 0x0F);
  if (size > bytes.size()) return NoPage("a time is cut short");
  return size;
}

std::string IntegerKind(absl::string_view column) {
  static constexpr const char* kKinds[] = {"ramp", "offset", "delta", "line"};
  if (column.empty()) return "?";
  const auto kind = static_cast<unsigned char>(column[0]);
  return absl::StrCat(kKinds[kind & 3], (kind & 8) != 0 ? " with outliers" : "",
                      (kind & 16) != 0 ? " binned" : "");
}

std::string ValueEncoding(absl::string_view column) {
  static constexpr const char* kEncodings[] = {
      "constant", "constant decimal", "integers", "decimals", "patched decimals", "dictionary", "runs",
      "raw",      "widened",          "near",     "scaled"};
  if (column.empty()) return "?";
  const auto byte = static_cast<unsigned char>(column[0]);
  const size_t encoding = byte & 0x0F;
  std::string name = encoding < std::size(kEncodings) ? kEncodings[encoding] : absl::StrCat("?", encoding);
  if (byte >> 4 != 0) absl::StrAppend(&name, "(", byte >> 4, ")");
  return name;
}

}  // namespace

absl::StatusOr<PageOutline> OutlineOfPage(ValueType type, absl::string_view page) {
  PageOutline outline;
  ASSIGN_OR_RETURN(const uint64_t head, TakeVarint(&page));
  outline.samples = static_cast<size_t>(head / 2 + 1);
  if (outline.samples == 1) {
    ASSIGN_OR_RETURN(outline.time_bytes, ScaledSize(page));
    page.remove_prefix(outline.time_bytes);
    outline.times = "one";
  } else {
    ASSIGN_OR_RETURN(const absl::string_view times, TakeSized(&page));
    ASSIGN_OR_RETURN(const size_t first, ScaledSize(times));
    outline.time_bytes = times.size();
    outline.times = IntegerKind(times.substr(first));
  }
  if (head % 2 != 0) {
    ASSIGN_OR_RETURN(const absl::string_view qualities, TakeSized(&page));
    outline.quality_bytes = qualities.size();
    outline.qualities = ValueEncoding(qualities);
  }
  outline.value_bytes = page.size();
  outline.values = type == ValueType::kString ? "text" : ValueEncoding(page);
  return outline;
}

}  // namespace historian::histctl
