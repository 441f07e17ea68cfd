#include "server/call_memory.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint64_t kMiB = uint64_t{1} << 20;

class CallMemoryTest : public testing::Test {
 protected:
  void RunPosted() {
    while (!posted_.empty()) {
      auto ready = std::move(posted_.front());
      posted_.erase(posted_.begin());
      ready();
    }
  }

  std::vector<absl::AnyInvocable<void()>> posted_;
  CallMemory memory_{100 * kMiB,
                     [this](absl::AnyInvocable<void()> ready) { posted_.push_back(std::move(ready)); }};
};

TEST_F(CallMemoryTest, GivesBackWhatItTook) {
  {
    CallMemory::Hold hold(memory_);
    EXPECT_TRUE(hold.Grow(60 * kMiB, "the request").ok());
    EXPECT_TRUE(hold.Grow(20 * kMiB, "the answer").ok());
    EXPECT_EQ(memory_.used_bytes(), 80 * kMiB);
    CallMemory::Hold moved = std::move(hold);
    EXPECT_EQ(memory_.used_bytes(), 80 * kMiB);
  }
  EXPECT_EQ(memory_.used_bytes(), 0);
}

TEST_F(CallMemoryTest, ShrinksButDoesNotGrowByThat) {
  CallMemory::Hold hold(memory_);
  ASSERT_TRUE(hold.Grow(50 * kMiB, "the request").ok());
  hold.ShrinkTo(60 * kMiB);
  EXPECT_EQ(memory_.used_bytes(), 50 * kMiB);
  hold.ShrinkTo(20 * kMiB);
  EXPECT_EQ(memory_.used_bytes(), 20 * kMiB);
}

TEST_F(CallMemoryTest, SaysWhetherToRepeatOrToAskForLess) {
  CallMemory::Hold other(memory_), hold(memory_);
  ASSERT_TRUE(other.Grow(60 * kMiB, "the request").ok());
  const absl::Status later = hold.Grow(41 * kMiB, "the answer");
  EXPECT_TRUE(absl::IsResourceExhausted(later));
  EXPECT_THAT(std::string(later.message()), HasSubstr("the answer takes 41 MiB"));
  EXPECT_THAT(std::string(later.message()), HasSubstr("repeat the call later"));
  const absl::Status never = hold.Grow(101 * kMiB, "the answer");
  EXPECT_TRUE(absl::IsResourceExhausted(never));
  EXPECT_THAT(std::string(never.message()), HasSubstr("limits.memory_budget"));
  EXPECT_THAT(std::string(never.message()), HasSubstr("ask for less"));
  EXPECT_EQ(memory_.used_bytes(), 60 * kMiB);
}

TEST_F(CallMemoryTest, AnAnswerIsMeasuredWhileItGrows) {
  CallMemory::Hold hold(memory_);
  int steps = 0;
  while (hold.Grow(kMiB, "the answer").ok()) ++steps;
  EXPECT_EQ(steps, 87);
}

TEST_F(CallMemoryTest, WritesLeaveHalfToReads) {
  CallMemory::Hold one(memory_, CallMemory::Use::kWrites), two(memory_, CallMemory::Use::kWrites),
      three(memory_, CallMemory::Use::kWrites), read(memory_);
  int ready = 0;
  ASSERT_TRUE(memory_.Wait(&one, 30 * kMiB, "a frame", [&] { ++ready; }).ok());
  ASSERT_TRUE(memory_.Wait(&two, 30 * kMiB, "a frame", [&] { ++ready; }).ok());
  EXPECT_FALSE(three.Grow(30 * kMiB, "a frame").ok());
  RunPosted();
  EXPECT_EQ(ready, 1);
  EXPECT_TRUE(read.Grow(60 * kMiB, "the answer").ok());
  // What reads have is not the writers'.
  one.Release();
  RunPosted();
  EXPECT_EQ(ready, 2);
  two.Release();
  read.Release();
  // One message may take more than half.
  ASSERT_TRUE(memory_.Wait(&one, 87 * kMiB, "a frame", [&] { ++ready; }).ok());
  RunPosted();
  EXPECT_EQ(ready, 3);
}

// Their owners may wait behind the message.
TEST_F(CallMemoryTest, SparesHoldUpNoMessage) {
  std::vector<std::unique_ptr<CallMemory::Hold>> spares;
  do {
    spares.push_back(std::make_unique<CallMemory::Hold>(memory_, CallMemory::Use::kSpares));
  } while (spares.back()->GrowIfPlenty(kMiB));
  EXPECT_EQ(memory_.used_bytes(), 6 * kMiB);
  CallMemory::Hold message(memory_, CallMemory::Use::kWrites);
  int ready = 0;
  ASSERT_TRUE(memory_.Wait(&message, memory_.most_bytes(), "a frame", [&] { ++ready; }).ok());
  RunPosted();
  EXPECT_EQ(ready, 1);
}

TEST_F(CallMemoryTest, TheLastPartIsForSmallCalls) {
  CallMemory::Hold large(memory_), second(memory_), small(memory_), grown(memory_),
      write(memory_, CallMemory::Use::kWrites);
  for (CallMemory::Hold* hold : {&large, &second}) {
    while (hold->Grow(kMiB / 4, "the answer").ok()) {
    }
  }
  EXPECT_TRUE(small.Grow(kMiB / 16, "the request").ok());
  EXPECT_TRUE(grown.Grow(kMiB / 32, "the request").ok());
  const absl::Status refused = grown.Grow(kMiB / 16, "the answer");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("takes 64 KiB of memory"));
  EXPECT_FALSE(write.Grow(kMiB / 32, "the request").ok());
}

TEST_F(CallMemoryTest, WhoWaitsHasItsTurn) {
  CallMemory::Hold first(memory_), second(memory_), third(memory_), fourth(memory_);
  std::vector<int> ready;
  ASSERT_TRUE(first.Grow(80 * kMiB, "").ok());
  ASSERT_TRUE(memory_.Wait(&second, 50 * kMiB, "a frame", [&] { ready.push_back(2); }).ok());
  ASSERT_TRUE(memory_.Wait(&third, 10 * kMiB, "a frame", [&] { ready.push_back(3); }).ok());
  RunPosted();
  EXPECT_THAT(ready, ElementsAre());  // Nobody overtakes.
  first.Release();
  RunPosted();
  EXPECT_THAT(ready, ElementsAre(2, 3));
  EXPECT_EQ(memory_.used_bytes(), 60 * kMiB);
  second.Release();
  third.Release();
  EXPECT_EQ(memory_.used_bytes(), 0);
  EXPECT_TRUE(
      absl::IsResourceExhausted(memory_.Wait(&fourth, 101 * kMiB, "a frame", [&] { ready.push_back(4); })));
}

}  // namespace
}  // namespace historian::server
