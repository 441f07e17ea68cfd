#include "storage/write/producer_reset.h"

#include "absl/strings/str_cat.h"

namespace historian {
namespace {

// Kind of the journal record, beside those of frames and marks. DO NOT CHANGE: stored.
constexpr char kKindReset = 17;

}  // namespace

std::string EncodeProducerReset(absl::string_view producer) {
  return absl::StrCat(std::string(1, kKindReset), producer);
}

bool IsProducerReset(absl::string_view record) { return !record.empty() && record[0] == kKindReset; }

absl::StatusOr<std::string> DecodeProducerReset(absl::string_view record) {
  if (!IsProducerReset(record) || record.size() == 1) {
    return absl::DataLossError("journal record: not a producer's reset");
  }
  return std::string(record.substr(1));
}

}  // namespace historian
