#include "storage/model/quality.h"

#include <algorithm>
#include <cctype>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace historian {
namespace {

struct NamedQuality {
  Quality code;
  const char* name;
};

// Source: OPC Foundation, Opc.Ua.StatusCodes.csv; the codes that apply to a stored data value.
constexpr NamedQuality kNames[] = {
    {0x00000000, "Good"},
    {0x00960000, "GoodLocalOverride"},
    {0x00A20000, "GoodEntryInserted"},
    {0x00A30000, "GoodEntryReplaced"},
    {0x00A50000, "GoodNoData"},
    {0x00A60000, "GoodMoreData"},
    {0x00D90000, "GoodDataIgnored"},
    {0x00DC0000, "GoodEdited"},
    {0x00E00000, "GoodDependentValueChanged"},
    {0x40000000, "Uncertain"},
    {0x408F0000, "UncertainNoCommunicationLastUsableValue"},
    {0x40900000, "UncertainLastUsableValue"},
    {0x40910000, "UncertainSubstituteValue"},
    {0x40920000, "UncertainInitialValue"},
    {0x40930000, "UncertainSensorNotAccurate"},
    {0x40940000, "UncertainEngineeringUnitsExceeded"},
    {0x40950000, "UncertainSubNormal"},
    {0x40A40000, "UncertainDataSubNormal"},
    {0x40DE0000, "UncertainDominantValueChanged"},
    {0x40E20000, "UncertainDependentValueChanged"},
    {0x80000000, "Bad"},
    {0x80010000, "BadUnexpectedError"},
    {0x80020000, "BadInternalError"},
    {0x80030000, "BadOutOfMemory"},
    {0x80050000, "BadCommunicationError"},
    {0x800A0000, "BadTimeout"},
    {0x80310000, "BadNoCommunication"},
    {0x80320000, "BadWaitingForInitialData"},
    {0x80340000, "BadNodeIdUnknown"},
    {0x803A0000, "BadNotReadable"},
    {0x803C0000, "BadOutOfRange"},
    {0x803D0000, "BadNotSupported"},
    {0x80740000, "BadTypeMismatch"},
    {0x80890000, "BadConfigurationError"},
    {0x808A0000, "BadNotConnected"},
    {0x808B0000, "BadDeviceFailure"},
    {0x808C0000, "BadSensorFailure"},
    {0x808D0000, "BadOutOfService"},
    {0x809B0000, "BadNoData"},
    {0x80D70000, "BadBoundNotFound"},
    {0x80D80000, "BadBoundNotSupported"},
    {0x80E10000, "BadDominantValueChanged"},
    {0x80E30000, "BadDependentValueChanged"},
};

constexpr Quality kSubCodeMask = 0xFFFF0000;

std::string Folded(absl::string_view name) {
  std::string folded;
  for (char c : name) {
    if (c != '_') folded.push_back(absl::ascii_tolower(c));
  }
  return folded;
}

}  // namespace

std::string QualityName(Quality q) {
  std::string text;
  for (const NamedQuality& named : kNames) {
    if (named.code == (q & kSubCodeMask)) text = named.name;
  }
  if (text.empty()) {
    constexpr const char* kSeverities[] = {"Good", "Uncertain", "Bad", "Reserved"};
    text = absl::StrFormat("%s(0x%08X)", kSeverities[q >> 30], q & kSubCodeMask);
  }
  if ((q & 0xFFFF) == 0) return text;
  Quality info = q & 0xFFFF;
  const auto take = [&](Quality mask, Quality bits, absl::string_view name) {
    if ((info & mask) != bits) return;
    absl::StrAppend(&text, ", ", name);
    info &= ~bits;
  };
  const bool data_value = (info & 0x0C00) == 0x0400;
  if (data_value) {
    take(0x0003, 0x0001, "Calculated");
    take(0x0003, 0x0002, "Interpolated");
    take(0x0004, 0x0004, "Partial");
    take(0x0008, 0x0008, "ExtraData");
    take(0x0010, 0x0010, "MultipleValues");
    take(0x0300, 0x0300, "Constant");
    take(0x0300, 0x0100, "LimitLow");
    take(0x0300, 0x0200, "LimitHigh");
    take(0x0080, 0x0080, "Overflow");
    info &= ~Quality{0x0400};
  }
  if (info != 0) absl::StrAppend(&text, absl::StrFormat(", 0x%04X", info));
  return text;
}

absl::StatusOr<Quality> ParseQuality(absl::string_view text) {
  const absl::string_view trimmed = absl::StripAsciiWhitespace(text);
  Quality code = 0;
  absl::string_view digits = trimmed;
  const bool is_number = absl::ConsumePrefix(&digits, "0x") || absl::ConsumePrefix(&digits, "0X")
                             ? absl::SimpleHexAtoi(digits, &code)
                             : absl::SimpleAtoi(trimmed, &code);
  if (is_number) {
    if (IsKnownQuality(code)) return code;
    return absl::InvalidArgumentError(
        absl::StrFormat("quality 0x%08X has the reserved severity or reserved bits set", code));
  }
  const std::string folded = Folded(trimmed);
  for (const NamedQuality& named : kNames) {
    if (Folded(named.name) == folded) return named.code;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", text,
                   "' is not a quality: expected Good, Uncertain, Bad, an OPC UA name such as "
                   "BadNoCommunication, or a code such as 0x80310000"));
}

}  // namespace historian
