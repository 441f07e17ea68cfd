#include "tests/campaign.h"

#include <cstdio>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"

namespace historian::testing {
namespace {

// Set by main.
std::optional<double> seconds;
std::optional<uint64_t> seed;

bool Take(absl::string_view flag) {
  double length = 0;
  uint64_t number = 0;
  if (absl::ConsumePrefix(&flag, "--seconds=") && absl::SimpleAtod(flag, &length) && length >= 0) {
    seconds = length;
  } else if (absl::ConsumePrefix(&flag, "--seed=") && absl::SimpleAtoi(flag, &number)) {
    seed = number;
  } else {
    return false;
  }
  return true;
}

}  // namespace

absl::Duration CampaignLength(absl::Duration usual) {
  return seconds.has_value() ? absl::Seconds(*seconds) : usual;
}
uint64_t CampaignSeed(uint64_t usual) { return seed.value_or(usual); }

}  // namespace historian::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (historian::testing::Take(argv[i])) continue;
    std::fprintf(stderr, "usage: %s [--seconds=N] [--seed=N], and googletest's flags\n", argv[0]);
    return 2;
  }
  return RUN_ALL_TESTS();
}
