#include "storage/model/tag.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/model/status_macros.h"

namespace historian {
namespace {

absl::Status CheckText(absl::string_view tag, absl::string_view field, absl::string_view text,
                       size_t bytes_max) {
  if (text.size() > bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("tag '", tag, "': ", field, " has ", text.size(), " bytes; the limit is ", bytes_max));
  }
  if (!IsValidUtf8(text)) {
    return absl::InvalidArgumentError(absl::StrCat("tag '", tag, "': ", field, " is not UTF-8"));
  }
  return absl::OkStatus();
}

}  // namespace

size_t Tag::MemoryBytes() const {
  // Of an entry of a map, beside its texts.
  constexpr size_t kEntryBytes = 128;
  size_t bytes = sizeof(Tag) + name.size() + unit.size() + description.size();
  for (const auto& [code, state] : states) bytes += kEntryBytes + state.size();
  for (const auto& [key, value] : attributes) bytes += kEntryBytes + key.size() + value.size();
  return bytes;
}

Interpolation DefaultInterpolation(ValueType type) {
  return IsFloat(type) ? Interpolation::kSloped : Interpolation::kStepped;
}

bool IsValidUtf8(absl::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto byte = [&](size_t k) { return static_cast<unsigned char>(text[k]); };
    const unsigned char lead = byte(i);
    size_t length = lead < 0x80                   ? 1
                    : lead >= 0xC2 && lead < 0xE0 ? 2
                    : (lead & 0xF0) == 0xE0       ? 3
                    : lead >= 0xF0 && lead < 0xF5 ? 4
                                                  : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xC0) != 0x80) return false;
    }
    if (length == 3 && ((lead == 0xE0 && byte(i + 1) < 0xA0) || (lead == 0xED && byte(i + 1) >= 0xA0)))
      return false;
    if (length == 4 && ((lead == 0xF0 && byte(i + 1) < 0x90) || (lead == 0xF4 && byte(i + 1) >= 0x90)))
      return false;
    i += length;
  }
  return true;
}

absl::Status ValidateTagName(absl::string_view name) {
  const std::string shown = absl::CHexEscape(name.substr(0, 80));
  if (name.empty()) return absl::InvalidArgumentError("a tag's name must not be empty");
  if (name.size() > kTagNameBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("tag name '", shown, "...' has ", name.size(),
                                                   " bytes; the limit is ", kTagNameBytesMax));
  }
  if (!IsValidUtf8(name))
    return absl::InvalidArgumentError(absl::StrCat("tag name '", shown, "' is not UTF-8"));
  if (name.front() == ' ' || name.back() == ' ') {
    return absl::InvalidArgumentError(absl::StrCat("tag name '", shown, "' begins or ends with a space"));
  }
  for (unsigned char c : name) {
    if (c < 0x20 || c == 0x7F || c == '*' || c == '?' || c == '[') {
      return absl::InvalidArgumentError(
          absl::StrCat("tag name '", shown, "' has a control character or one of * ? ["));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateTag(const Tag& tag) {
  RETURN_IF_ERROR(ValidateTagName(tag.name));
  const auto invalid = [&](auto... what) {
    return absl::InvalidArgumentError(absl::StrCat("tag '", tag.name, "': ", what...));
  };
  if (!IsKnownValueType(static_cast<uint8_t>(tag.type))) return invalid("unknown value type");
  if (tag.interpolation != Interpolation::kStepped && tag.interpolation != Interpolation::kSloped) {
    return invalid("interpolation must be stepped or sloped");
  }
  if (tag.interpolation == Interpolation::kSloped && !IsFloat(tag.type) && tag.type != ValueType::kInt64) {
    return invalid("a ", ValueTypeName(tag.type), " tag is always stepped");
  }
  RETURN_IF_ERROR(CheckText(tag.name, "unit", tag.unit, kTagUnitBytesMax));
  RETURN_IF_ERROR(CheckText(tag.name, "description", tag.description, kTagTextBytesMax));
  if (tag.stale_after < absl::ZeroDuration() || tag.stale_after > kTagStaleAfterMax ||
      tag.stale_after != absl::Floor(tag.stale_after, absl::Seconds(1))) {
    return invalid("stale after ", absl::FormatDuration(tag.stale_after),
                   "; it is whole seconds, at most 36,500 days, and 0 for never");
  }
  if (tag.type != ValueType::kDigital && !tag.states.empty()) {
    return invalid("only a digital tag has states, this one is ", ValueTypeName(tag.type));
  }
  if (tag.states.size() > kTagStatesMax) {
    return invalid("has ", tag.states.size(), " states; the limit is ", kTagStatesMax);
  }
  for (const auto& [code, state] : tag.states) {
    RETURN_IF_ERROR(CheckText(tag.name, absl::StrCat("state ", code), state, kTagStateBytesMax));
  }
  if (tag.attributes.size() > kTagAttributesMax) {
    return invalid("has ", tag.attributes.size(), " attributes; the limit is ", kTagAttributesMax);
  }
  for (const auto& [key, value] : tag.attributes) {
    if (key.empty()) return invalid("an attribute has no name");
    RETURN_IF_ERROR(CheckText(tag.name, "attribute name", key, kTagAttributeBytesMax));
    RETURN_IF_ERROR(CheckText(tag.name, absl::StrCat("attribute ", key), value, kTagAttributeBytesMax));
  }
  return absl::OkStatus();
}

}  // namespace historian
