#include "storage/write/memory_gate.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "boost/asio/executor_work_guard.hpp"
#include "boost/asio/post.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MemoryGateTest : public testing::Test {
 protected:
  MemoryGateTest() : work_(io_.get_executor()), thread_([this] { io_.run(); }) { MakeGate(absl::Hours(1)); }
  ~MemoryGateTest() override {
    gate_->Close(absl::UnavailableError("closing"));
    work_.reset();
    thread_.join();
  }

  void MakeGate(absl::Duration wait_max) {
    gate_ = std::make_unique<MemoryGate>(
        io_, MemoryGate::Limits{.frame_bytes = 100, .budget_bytes = 7 << 20, .wait_max = wait_max},
        [this] { return MemoryGate::Tails{.bytes = tails_.load(), .limit_bytes = 1000}; });
  }

  // Waits for memory, and notes under this number what became of it.
  void Wait(int number, uint64_t bytes) {
    gate_->Wait(bytes, [this, number](absl::Status status) {
      absl::MutexLock lock(&mu_);
      answers_.push_back(absl::StrCat(number, " ", absl::StatusCodeToString(status.code())));
      last_ = status;
    });
  }
  // The answers once everything that was posted has run.
  std::vector<std::string> Answers() {
    absl::Notification done;
    boost::asio::post(io_, [&] { done.Notify(); });
    done.WaitForNotification();
    absl::MutexLock lock(&mu_);
    return answers_;
  }
  void AwaitAnswers(size_t count) {
    const auto there = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return answers_.size() >= count; };
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(&there));
  }

  std::atomic<uint64_t> tails_{0};
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
  std::unique_ptr<MemoryGate> gate_;
  absl::Mutex mu_;
  std::vector<std::string> answers_ ABSL_GUARDED_BY(mu_);
  absl::Status last_ ABSL_GUARDED_BY(mu_);
};

TEST_F(MemoryGateTest, LetsInUntilTheFramesAreAtTheirLimit) {
  EXPECT_TRUE(gate_->Take(60).ok());
  EXPECT_TRUE(gate_->Take(60).ok()) << "one frame more than the limit";
  const absl::Status refused = gate_->Take(1);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("the budget is 7 MiB"));
  EXPECT_EQ(gate_->frame_bytes(), 120);
  gate_->Release(60);
  EXPECT_TRUE(gate_->Take(1).ok());
}

TEST_F(MemoryGateTest, AFrameAboveTheLimitIsLetInAlone) {
  EXPECT_TRUE(gate_->Take(5000).ok());
  EXPECT_FALSE(gate_->Take(1).ok());
}

TEST_F(MemoryGateTest, ThoseThatWaitAreLetInInTheirOrder) {
  ASSERT_TRUE(gate_->Take(100).ok());
  Wait(1, 90);
  Wait(2, 20);
  Wait(3, 1);
  EXPECT_THAT(Answers(), IsEmpty());
  gate_->Release(100);
  EXPECT_THAT(Answers(), ElementsAre("1 OK", "2 OK"));
  EXPECT_FALSE(gate_->Take(1).ok()) << "nobody overtakes the third";
  gate_->Release(90);
  EXPECT_THAT(Answers(), ElementsAre("1 OK", "2 OK", "3 OK"));
  EXPECT_EQ(gate_->frame_bytes(), 21);
}

TEST_F(MemoryGateTest, WhereThereIsRoomNobodyWaits) {
  Wait(1, 10);
  EXPECT_THAT(Answers(), ElementsAre("1 OK"));
}

TEST_F(MemoryGateTest, TailsThatHaveShrunkLetIn) {
  tails_ = 1000;
  EXPECT_EQ(gate_->Take(1).code(), absl::StatusCode::kResourceExhausted);
  Wait(1, 10);
  gate_->Look();
  EXPECT_THAT(Answers(), IsEmpty());
  tails_ = 999;
  gate_->Look();
  EXPECT_THAT(Answers(), ElementsAre("1 OK"));
}

TEST_F(MemoryGateTest, WhatHasWaitedLongEnoughIsRefused) {
  MakeGate(absl::Milliseconds(20));
  ASSERT_TRUE(gate_->Take(100).ok());
  Wait(1, 10);
  Wait(2, 10);
  AwaitAnswers(2);
  EXPECT_THAT(Answers(), ElementsAre("1 RESOURCE_EXHAUSTED", "2 RESOURCE_EXHAUSTED"));
  {
    absl::MutexLock lock(&mu_);
    EXPECT_THAT(std::string(last_.message()), HasSubstr("no memory for more samples"));
  }
  EXPECT_EQ(gate_->frame_bytes(), 100);
  Wait(3, 10);  // The timer goes on.
  AwaitAnswers(3);
  gate_->Release(100);
  EXPECT_TRUE(gate_->Take(1).ok());
}

TEST_F(MemoryGateTest, ThoseThatWaitCanBeRefused) {
  ASSERT_TRUE(gate_->Take(100).ok());
  Wait(1, 10);
  gate_->RefuseWaiting(absl::ResourceExhaustedError("the disk is full"));
  EXPECT_THAT(Answers(), ElementsAre("1 RESOURCE_EXHAUSTED"));
  gate_->Release(100);
  Wait(2, 10);
  EXPECT_THAT(Answers(), ElementsAre("1 RESOURCE_EXHAUSTED", "2 OK"));
}

TEST_F(MemoryGateTest, ClosingWakesAllAndLetsNobodyIn) {
  ASSERT_TRUE(gate_->Take(100).ok());
  Wait(1, 10);
  Wait(2, 10);
  gate_->Close(absl::UnavailableError("closing"));
  EXPECT_THAT(Answers(), ElementsAre("1 UNAVAILABLE", "2 UNAVAILABLE"));
  Wait(3, 10);
  EXPECT_THAT(Answers(), ElementsAre("1 UNAVAILABLE", "2 UNAVAILABLE", "3 UNAVAILABLE"));
  EXPECT_EQ(gate_->Take(1).code(), absl::StatusCode::kUnavailable);
}

// Frames of many threads, each given back by its callback: none is forgotten.
TEST_F(MemoryGateTest, NoWakeUpIsLost) {
  constexpr int kThreads = 4, kFrames = 2000;
  absl::BlockingCounter let_in(kThreads * kFrames);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kFrames; ++i) {
        if (gate_->Take(40).ok()) {
          gate_->Release(40);
          let_in.DecrementCount();
          continue;
        }
        gate_->Wait(40, [&](absl::Status status) {
          EXPECT_TRUE(status.ok()) << status;
          gate_->Release(40);
          let_in.DecrementCount();
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  let_in.Wait();
  EXPECT_EQ(gate_->frame_bytes(), 0);
}

}  // namespace
}  // namespace historian
