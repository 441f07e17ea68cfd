// File: storage/model/quality.h
//
// The quality of a sample: an OPC UA StatusCode (OPC 10000-4, 7.39) for data values.
//
//   bits 31..30  severity: 00 Good, 01 Uncertain, 10 Bad (11 is reserved and refused)
//   bits 29..28  reserved, zero
//   bits 27..16  sub-code: why
//   bits 15..0   structure and semantics changed, information type, limit bits, historian bits
#ifndef HISTORIAN_STORAGE_MODEL_QUALITY_H_
#define HISTORIAN_STORAGE_MODEL_QUALITY_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace historian {

using Quality = uint32_t;

enum class Severity : uint8_t { kGood = 0, kUncertain = 1, kBad = 2 };

inline constexpr Quality kGood = 0x00000000;
inline constexpr Quality kUncertain = 0x40000000;
inline constexpr Quality kBad = 0x80000000;

// Sub-codes that Historian itself answers with (OPC 10000-4 and 10000-11, Annex A).
inline constexpr Quality kGoodNoData = 0x00A50000;
inline constexpr Quality kUncertainDataSubNormal = 0x40A40000;
inline constexpr Quality kBadNoData = 0x809B0000;
inline constexpr Quality kBadOutOfRange = 0x803C0000;
inline constexpr Quality kBadNoBound = 0x80D70000;

// Information bits of values that Historian computed (OPC 10000-13, 5.3.3): information type DataValue, and
// one of the historian bits. Neither Calculated nor Interpolated: Raw.
inline constexpr Quality kInfoDataValue = 0x00000400;
inline constexpr Quality kInfoCalculated = 0x00000401;
inline constexpr Quality kInfoInterpolated = 0x00000402;
inline constexpr Quality kInfoPartial = 0x00000404;
inline constexpr Quality kInfoExtraData = 0x00000408;
inline constexpr Quality kInfoMultipleValues = 0x00000410;

// What a device says of a value that it cuts off (OPC 10000-4, 7.39.2).
inline constexpr Quality kInfoLimitLow = 0x00000500;
inline constexpr Quality kInfoLimitHigh = 0x00000600;
inline constexpr Quality kInfoLimitConstant = 0x00000700;
inline constexpr Quality kInfoOverflow = 0x00000480;

// The severity and the sub-code, without the bits below them.
constexpr Quality CodeOf(Quality q) { return q & 0xFFFF0000; }

// Requires IsKnownQuality(q).
constexpr Severity SeverityOf(Quality q) { return static_cast<Severity>(q >> 30); }
constexpr bool IsGood(Quality q) { return (q >> 30) == 0; }
constexpr bool IsUncertain(Quality q) { return (q >> 30) == 1; }
constexpr bool IsBad(Quality q) { return (q >> 30) == 2; }

// False for a code with the reserved severity or reserved bits set: such a sample is refused.
constexpr bool IsKnownQuality(Quality q) { return (q >> 30) != 3 && (q & 0x30000000) == 0; }

// Returns "Good", "BadNoCommunication" or the like; a code without a name of its own is its severity and
// hexadecimal: "Uncertain(0x40120000)". Information bits follow: "Good, Calculated, Partial".
std::string QualityName(Quality q);

// Reads a name (case-insensitive, underscores ignored: "Bad_NoCommunication" is "BadNoCommunication") or a
// number ("0x80310000", "0"), and information bits after commas; so all that QualityName returns of a known quality.
// Errors: InvalidArgument, a name is unknown, or the code is not IsKnownQuality.
absl::StatusOr<Quality> ParseQuality(absl::string_view text);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_QUALITY_H_
