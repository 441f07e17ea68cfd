#include "storage/upkeep/errand.h"

#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace historian {
namespace {

TEST(Errand, WhoAsksWhileItIsDoneWaitsForTheNextTime) {
  absl::Mutex mu;
  CondVar wake;
  Errand<int> errand;
  int asked = 0;
  std::vector<std::thread> callers;
  std::vector<absl::StatusOr<int>> answers(3, absl::StatusOr<int>(0));
  const auto ask = [&](int k) {
    callers.emplace_back([&, k] {
      absl::MutexLock lock(&mu);
      ++asked;
      answers[k] = errand.Ask(&mu, &wake, nullptr);
    });
    absl::MutexLock lock(&mu);
    const auto all_asked = [&] { return asked == k + 1; };
    mu.Await(absl::Condition(&all_asked));
  };
  EXPECT_FALSE(errand.is_asked());
  ask(0);
  ask(1);
  uint64_t begun;
  {
    absl::MutexLock lock(&mu);
    EXPECT_TRUE(errand.is_asked());
    begun = errand.Begin();
  }
  ask(2);
  {
    absl::MutexLock lock(&mu);
    errand.Answer(begun, 7);
    EXPECT_TRUE(errand.is_asked()) << "the third came too late for this answer";
  }
  callers[0].join();
  callers[1].join();
  EXPECT_EQ(answers[0].value(), 7);
  EXPECT_EQ(answers[1].value(), 7);
  {
    absl::MutexLock lock(&mu);
    errand.Answer(errand.Begin(), absl::AbortedError("not this time"));
    EXPECT_FALSE(errand.is_asked());
  }
  callers[2].join();
  EXPECT_EQ(answers[2].status(), absl::AbortedError("not this time"));
}

TEST(Errand, WhoGivesUpWaitingTakesNothingBack) {
  absl::Mutex mu;
  CondVar wake;
  Errand<int> errand;
  absl::MutexLock lock(&mu);
  EXPECT_EQ(errand.Ask(&mu, &wake, [] { return absl::CancelledError("gone"); }).status(),
            absl::CancelledError("gone"));
  EXPECT_TRUE(errand.is_asked());
}

}  // namespace
}  // namespace historian
