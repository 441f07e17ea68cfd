#include "tools/histctl/lib/quality_text.h"

#include <cstdint>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace historian::histctl {
namespace {

struct Known {
  absl::string_view text;
  Quality quality;
};

constexpr Quality kBadConfigurationError = 0x80890000, kBadNotConnected = 0x808A0000,
                  kBadDeviceFailure = 0x808B0000, kBadSensorFailure = 0x808C0000,
                  kBadOutOfService = 0x808D0000, kBadNoCommunication = 0x80310000,
                  kBadCommunicationError = 0x80050000, kBadTimeout = 0x800A0000,
                  kBadWaitingForInitialData = 0x80320000, kBadOutOfRange = 0x803C0000,
                  kBadUnexpectedError = 0x80010000, kGoodLocalOverride = 0x00960000,
                  kUncertainNoCommunicationLastUsableValue = 0x408F0000,
                  kUncertainLastUsableValue = 0x40900000, kUncertainSubstituteValue = 0x40910000,
                  kUncertainSensorNotAccurate = 0x40930000, kUncertainEngineeringUnitsExceeded = 0x40940000,
                  kUncertainSubNormal = 0x40950000;

// Of AVEVA PI's system digital states those that say why there is no value; and others alike.
constexpr Known kStates[] = {
    {"access denied", kBad},
    {"arc off-line", kBadNoData},
    {"bad", kBad},
    {"bad data", kBad},
    {"bad input", kBad},
    {"bad output", kBad},
    {"bad quality", kBad},
    {"bad total", kBad},
    {"bad value", kBad},
    {"bad_quality", kBad},
    {"calc crash", kBadUnexpectedError},
    {"calc failed", kBadUnexpectedError},
    {"calc off", kBadOutOfService},
    {"calc overflow", kBadOutOfRange},
    {"calc timeout", kBadTimeout},
    {"comm fail", kBadCommunicationError},
    {"comm failure", kBadCommunicationError},
    {"configure", kBadConfigurationError},
    {"data loss", kBadNoData},
    {"dcs failed", kBadDeviceFailure},
    {"device fail", kBadDeviceFailure},
    {"disconnect", kBadNotConnected},
    {"equip fail", kBadDeviceFailure},
    {"error", kBadUnexpectedError},
    {"failed", kBad},
    {"i/o timeout", kBadNoCommunication},
    {"inp outrange", kBadOutOfRange},
    {"intf shut", kBadNoCommunication},
    {"invalid data", kBad},
    {"invalid float", kBad},
    {"no data", kBadNoData},
    {"no input", kBadNoData},
    {"no result", kBadNoData},
    {"no sample", kBadNoData},
    {"not connect", kBadNotConnected},
    {"not connected", kBadNotConnected},
    {"out of range", kBadOutOfRange},
    {"out of serv", kBadOutOfService},
    {"out of service", kBadOutOfService},
    {"over range", kBadOutOfRange},
    {"pt created", kBadWaitingForInitialData},
    {"scan error", kBadCommunicationError},
    {"scan off", kBadOutOfService},
    {"scan timeout", kBadTimeout},
    {"sensor fail", kBadSensorFailure},
    {"set to bad", kBad},
    {"shutdown", kBadOutOfService},
    {"under range", kBadOutOfRange},
    {"unit down", kBadOutOfService},
    {"#div/0!", kBad},
    {"#n/a", kBadNoData},
    {"#name?", kBad},
    {"#null!", kBad},
    {"#num!", kBad},
    {"#ref!", kBad},
    {"#value!", kBad},
};

// Beside a value.
constexpr Known kWords[] = {
    {"ok", kGood},
    {"bad", kBad},
    {"questionable", kUncertain},
    {"doubtful", kUncertain},
    {"substituted", kUncertainSubstituteValue},
    // Building controllers of the Niagara framework; several may stand in one pair of braces.
    {"alarm", kGood},
    {"disabled", kBadOutOfService},
    {"down", kBadNoCommunication},
    {"fault", kBadDeviceFailure},
    {"null", kBadNoData},
    {"overridden", kGoodLocalOverride},
    {"stale", kUncertainLastUsableValue},
    {"unackedalarm", kGood},
    // Hourly emissions of the US EPA (40 CFR part 75): how an hour was found.
    {"measured", kGood},
    {"calculated", kGood},
    {"measured and substitute", kUncertainSubstituteValue},
    {"substitute", kUncertainSubstituteValue},
    {"lme", kGood},
    {"other", kUncertain},
    {"unknown code", kUncertain},
};

// OPC Data Access 3.00, 6.8: bits 7..6 quality, 5..2 why, 1..0 limits.
constexpr Quality kBadReasons[] = {kBad,
                                   kBadConfigurationError,
                                   kBadNotConnected,
                                   kBadDeviceFailure,
                                   kBadSensorFailure,
                                   kBadNoCommunication,  // The last known value.
                                   kBadNoCommunication,
                                   kBadOutOfService,
                                   kBadWaitingForInitialData};

std::optional<Quality> QualityOfDa(uint32_t code) {
  if (code > 0xFFFF) return std::nullopt;
  const uint32_t why = (code >> 2) & 0xF;
  switch ((code >> 6) & 3) {
    case 0:
      return why < std::size(kBadReasons) ? kBadReasons[why] : kBad;
    case 1:
      return why == 1   ? kUncertainLastUsableValue
             : why == 4 ? kUncertainSensorNotAccurate
             : why == 5 ? kUncertainEngineeringUnitsExceeded
             : why == 6 ? kUncertainSubNormal
                        : kUncertain;
    case 3:
      return why == 6 ? kGoodLocalOverride : kGood;
    default:
      return std::nullopt;
  }
}

template <size_t N>
std::optional<Quality> Find(const Known (&known)[N], absl::string_view text) {
  for (const Known& one : known) {
    if (absl::EqualsIgnoreCase(one.text, text)) return one.quality;
  }
  return std::nullopt;
}

// "{fault,down}": the worst of them.
std::optional<Quality> QualityOfWords(absl::string_view text) {
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') return Find(kWords, text);
  Quality worst = kGood;
  for (absl::string_view word : absl::StrSplit(text.substr(1, text.size() - 2), ',')) {
    word = absl::StripAsciiWhitespace(word);
    const std::optional<Quality> one = word.empty() ? kGood : Find(kWords, word);
    if (!one) return std::nullopt;
    if (*one > worst) worst = *one;
  }
  return worst;
}

}  // namespace

absl::StatusOr<Quality> ReadQuality(absl::string_view text, QualityCodes codes) {
  text = absl::StripAsciiWhitespace(text);
  if (text.empty()) return kGood;
  uint32_t code = 0;
  if (codes == QualityCodes::kOpcDa && absl::SimpleAtoi(text, &code)) {
    if (const std::optional<Quality> quality = QualityOfDa(code)) return *quality;
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no quality of OPC DA (192 is good)"));
  }
  if (const std::optional<Quality> quality = QualityOfWords(text)) return *quality;
  return ParseQuality(text);
}

std::optional<QualityCodes> FindQualityCodes(absl::Span<const absl::string_view> texts) {
  bool zeros = false, da = false, ua = false;
  for (const absl::string_view text : texts) {
    uint32_t code = 0;
    if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(text), &code)) continue;
    if (code == 0) zeros = true;
    // A code of OPC UA this low says only where a good value comes from.
    if (code >= 16 && code <= 0xFFFF) da = true;
    if (code > 0xFFFF) ua = true;
  }
  if (da && !ua) return QualityCodes::kOpcDa;
  if (zeros && !ua) return std::nullopt;
  return QualityCodes::kOpcUa;
}

bool IsQualityWord(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  uint32_t code = 0;
  if (text.empty() || absl::SimpleAtoi(text, &code)) return false;
  return QualityOfWords(text).has_value() || ParseQuality(text).ok();
}

std::optional<Quality> QualityOfState(absl::string_view text) {
  return Find(kStates, absl::StripAsciiWhitespace(text));
}

}  // namespace historian::histctl
