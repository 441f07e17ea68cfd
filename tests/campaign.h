// File: tests/campaign.h
//
// What the campaigns have in common: tests that try things at random against a real server or data directory, for seconds
// in every run of the tests and for hours when told. They take the same flags; CONTRIBUTING.md lists them.
//
//   --seconds=N   for how long; it ends with the round that is under way then
//   --seed=N      of what is random. A campaign prints the seeds of its rounds, or of all of them
//
// Link //tests:campaign in the place of gtest_main.
#ifndef HISTORIAN_TESTS_CAMPAIGN_H_
#define HISTORIAN_TESTS_CAMPAIGN_H_

#include <cstdint>

#include "absl/time/time.h"

namespace historian::testing {

// What the flags say, or `usual`.
absl::Duration CampaignLength(absl::Duration usual);
uint64_t CampaignSeed(uint64_t usual);

}  // namespace historian::testing

#endif  // HISTORIAN_TESTS_CAMPAIGN_H_
