// File: tools/histctl/lib/quality_text.h
//
// What other systems write for a quality, beside a value or in its place.
//
//   beside   OPC UA names and codes; OPC DA codes (192 is good); {ok}, {fault} of building controllers; Measured, Substitute of
//            emission monitors
//   instead  I/O Timeout, Bad Input, No Data, ... : the system states of AVEVA PI, and what spreadsheets put for an error
//            (#N/A). Such a sample has no value, so that its quality is a Bad one
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_QUALITY_TEXT_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_QUALITY_TEXT_H_

#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/model/quality.h"

namespace historian::histctl {

// How the numbers of a column of qualities are meant.
enum class QualityCodes {
  kOpcUa,  // 0 is Good.
  kOpcDa,  // 0 is Bad, 192 is Good (OPC Data Access 3.00, section 6.8).
};

// Surrounding spaces and case are ignored; an empty text is Good. Errors: InvalidArgument, names the text.
absl::StatusOr<Quality> ReadQuality(absl::string_view text, QualityCodes codes);

// How the numbers of these texts are meant. Nothing: there are zeros and no other numbers, so that nobody can tell.
std::optional<QualityCodes> FindQualityCodes(absl::Span<const absl::string_view> texts);

// Whether a text is one that ReadQuality reads, and not only as a number.
bool IsQualityWord(absl::string_view text);

// The quality of a text that stands in the place of a number; nothing if it is not known to be such a one.
std::optional<Quality> QualityOfState(absl::string_view text);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_QUALITY_TEXT_H_
