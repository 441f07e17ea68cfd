#include "tools/histctl/exit_code.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace historian::histctl {
namespace {

constexpr char kPayload[] = "historian/histctl/exit_code";

absl::Status Marked(absl::Status status, ExitCode code) {
  status.SetPayload(kPayload, absl::Cord(absl::StrCat(static_cast<int>(code))));
  return status;
}

}  // namespace

absl::Status StoppedError(absl::string_view message) {
  return Marked(absl::AbortedError(message), kExitSomeFailed);
}
absl::Status UsageError(absl::string_view message) {
  return Marked(absl::InvalidArgumentError(message), kExitUsage);
}
absl::Status LocalFileError(absl::string_view message) {
  return Marked(absl::UnknownError(message), kExitLocalFile);
}
absl::Status DamagedError(absl::string_view message) {
  return Marked(absl::DataLossError(message), kExitDamaged);
}
absl::Status InterruptedError(absl::string_view message) {
  return Marked(absl::CancelledError(message), kExitInterrupted);
}

ExitCode ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return kExitOk;
  int code = 0;
  if (const auto payload = status.GetPayload(kPayload);
      payload.has_value() && absl::SimpleAtoi(std::string(*payload), &code)) {
    return static_cast<ExitCode>(code);
  }
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return kExitNotFound;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return kExitUnreachable;
    case absl::StatusCode::kDataLoss:
      return kExitDamaged;
    default:
      return kExitRefused;
  }
}

}  // namespace historian::histctl
