#include "storage/upkeep/believed_time.h"

#include <memory>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/kv/memory_store.h"

namespace historian {
namespace {

using ::testing::HasSubstr;

constexpr Timestamp kNothing = INT64_MIN;
constexpr int64_t kHour = 3600 * kNanosPerSecond, kDay = 24 * kHour, kYear = 365 * kDay;
constexpr Timestamp kStart = 1'767'225'600 * kNanosPerSecond;  // 2026-01-01

class BelievedTimeTest : public testing::Test {
 protected:
  BelievedTimeTest() { Restart(); }

  void Restart() {
    if (believed_ != nullptr) {
      EXPECT_TRUE(believed_->Keep(/*now=*/true).ok());
    }
    believed_ = nullptr;
    believed_ = *BelievedTime::Open(*store_, clock_, /*known=*/kStart);
  }

  const std::unique_ptr<kv::Store> store_ = kv::NewMemoryStore();
  SimulatedClock clock_{kStart};
  std::unique_ptr<BelievedTime> believed_;
};

TEST_F(BelievedTimeTest, GoesWithTheClockWhileTheServerRuns) {
  for (int day = 1; day <= 400; ++day) {
    clock_.Advance(kDay);
    const BelievedTime::State state = believed_->Look(kNothing);
    EXPECT_EQ(state.time, kStart + day * kDay);
    EXPECT_EQ(state.behind(), absl::ZeroDuration());
    EXPECT_EQ(state.wait, absl::ZeroDuration());
  }
}

TEST_F(BelievedTimeTest, AStepForwardIsNotBelieved) {
  clock_.Set(kStart + kYear);
  EXPECT_EQ(believed_->Look(kNothing).time, kStart);
  clock_.Advance(kHour);
  const BelievedTime::State state = believed_->Look(kNothing);
  EXPECT_EQ(state.time, kStart + kHour);
  EXPECT_EQ(state.clock, kStart + kYear + kHour);
  EXPECT_EQ(state.behind(), absl::Nanoseconds(kYear));
}

TEST_F(BelievedTimeTest, ManyStartsAreNotBelievedEither) {
  for (int start = 1; start <= 20; ++start) {
    clock_.Set(kStart + start * 27 * kDay);
    Restart();
    EXPECT_EQ(believed_->Look(kNothing).time, kStart);
  }
}

TEST_F(BelievedTimeTest, FallsWithTheClockAndStaysThere) {
  clock_.Advance(kDay);
  believed_->Look(kNothing);
  clock_.Set(kStart - kYear);
  EXPECT_EQ(believed_->Look(kNothing).time, kStart - kYear);
  ASSERT_TRUE(believed_->Keep(/*now=*/false).ok());
  clock_.Set(kStart + kDay);
  EXPECT_EQ(believed_->Look(kNothing).time, kStart - kYear);
  believed_ = *BelievedTime::Open(*store_, clock_, kStart);  // As after a crash.
  EXPECT_EQ(believed_->Look(kNothing).time, kStart - kYear);
}

TEST_F(BelievedTimeTest, AClockThatWasWrongWhenTheArchiveWasMadeIsNoWitnessLater) {
  clock_.Set(kStart - kYear);
  EXPECT_EQ(believed_->Look(kNothing).time, kStart - kYear);
  Restart();
  clock_.Set(kStart);
  EXPECT_EQ(believed_->Look(kNothing).time, kStart - kYear);
}

TEST_F(BelievedTimeTest, SamplesAreAWitnessThatIsThoughtOver) {
  // Stopped for 60 days; collectors then send what is new.
  clock_.Set(kStart + 60 * kDay);
  Restart();
  BelievedTime::State state = believed_->Look(kStart + 60 * kDay - kNanosPerSecond);
  EXPECT_EQ(state.time, kStart + 60 * kDay - kNanosPerSecond);
  EXPECT_EQ(state.wait, BelievedTime::kThinkOver);
  clock_.Advance(23 * kHour);
  state = believed_->Look(kStart + 60 * kDay + 23 * kHour);
  EXPECT_EQ(state.wait, absl::Hours(1));
  clock_.Advance(kHour);
  EXPECT_EQ(believed_->Look(kStart + 61 * kDay).wait, absl::ZeroDuration());
}

TEST_F(BelievedTimeTest, SamplesOfAnotherYearAreNoWitnessForTheClock) {
  clock_.Set(kStart + kYear);  // Wrong; the collectors' clocks are right.
  EXPECT_EQ(believed_->Look(kStart + kHour / 2).time, kStart + kHour / 2);
  EXPECT_EQ(believed_->Get().wait, absl::ZeroDuration());
  // Old samples take nothing back.
  EXPECT_EQ(believed_->Look(kStart - kYear).time, kStart + kHour / 2);
  // And no sample carries it beyond the clock.
  EXPECT_EQ(believed_->Look(kStart + 2 * kYear).time, kStart + kYear);
}

TEST_F(BelievedTimeTest, APersonIsAWitness) {
  clock_.Set(kStart + kYear);
  const absl::Status refused = believed_->Vouch(kStart);
  EXPECT_TRUE(absl::IsInvalidArgument(refused));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("2027-01-01"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("2026-01-01"));
  EXPECT_EQ(believed_->Look(kNothing).time, kStart);
  ASSERT_TRUE(believed_->Vouch(kStart + kYear + kHour / 2).ok());
  EXPECT_EQ(believed_->Look(kNothing).time, kStart + kYear);
  EXPECT_EQ(believed_->Get().wait, absl::ZeroDuration());
}

TEST_F(BelievedTimeTest, IsWrittenDownOnceInAWhile) {
  clock_.Advance(kHour);
  believed_->Look(kNothing);
  ASSERT_TRUE(believed_->Keep(/*now=*/false).ok());
  clock_.Advance(kNanosPerSecond);
  believed_->Look(kNothing);
  ASSERT_TRUE(believed_->Keep(/*now=*/false).ok());  // Too soon to be written again.
  believed_ = *BelievedTime::Open(*store_, clock_, kStart);
  EXPECT_EQ(believed_->Get().time, kStart + kHour);
}

}  // namespace
}  // namespace historian
