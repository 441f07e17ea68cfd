#include "tools/histctl/exit_code.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace historian::histctl {
namespace {

TEST(ExitCode, IsThatOfTheMarkOrOfTheServersAnswer) {
  const struct {
    absl::Status status;
    ExitCode code;
  } kCases[] = {
      {absl::OkStatus(), kExitOk},
      {StoppedError("x"), kExitSomeFailed},
      {UsageError("x"), kExitUsage},
      {LocalFileError("x"), kExitLocalFile},
      {DamagedError("x"), kExitDamaged},
      {InterruptedError("x"), kExitInterrupted},
      {absl::NotFoundError("x"), kExitNotFound},
      {absl::UnavailableError("x"), kExitUnreachable},
      {absl::DeadlineExceededError("x"), kExitUnreachable},
      {absl::DataLossError("x"), kExitDamaged},
      {absl::InvalidArgumentError("x"), kExitRefused},
      {absl::PermissionDeniedError("x"), kExitRefused},
      {absl::ResourceExhaustedError("x"), kExitRefused},
      {absl::InternalError("x"), kExitRefused},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(ExitCodeOf(c.status), c.code) << c.status;
    // --help lists it.
    EXPECT_TRUE(absl::StrContains(kExitCodesHelp, absl::StrCat("\n  ", static_cast<int>(c.code), " ")))
        << c.code;
  }
}

}  // namespace
}  // namespace historian::histctl
