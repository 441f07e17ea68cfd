// What every user of absl::Mutex relies on, with plain variables beside it. Under --config=tsan a failure
// here means that absl_mutex.cc and the library have drifted apart; look there before believing any other
// report.
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/barrier.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace historian {
namespace {

constexpr int kThreads = 4;
constexpr int kRounds = 500;

template <typename Body>
void InThreads(Body body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back([&body, i] { body(i); });
  for (std::thread& thread : threads) thread.join();
}

TEST(AbslMutex, GuardsWritersAndReaders) {
  absl::Mutex mutex;
  std::int64_t count = 0;
  std::atomic<int> tried = 0;
  InThreads([&](int) {
    for (int i = 0; i < kRounds; ++i) {
      {
        absl::MutexLock lock(&mutex);
        ++count;
      }
      {
        absl::ReaderMutexLock lock(&mutex);
        EXPECT_GT(count, 0);
      }
      if (mutex.TryLock()) {
        ++count;
        ++tried;
        mutex.Unlock();
      }
      if (mutex.ReaderTryLock()) {
        EXPECT_GT(count, 0);
        mutex.ReaderUnlock();
      }
      absl::ReleasableMutexLock lock(&mutex);
      ++count;
      lock.Release();
    }
  });
  EXPECT_EQ(count, 2 * kThreads * kRounds + tried);
}

// Each thread waits for its turn in another way; whoever unlocks evaluates the others' conditions.
TEST(AbslMutex, GuardsWhatConditionsRead) {
  absl::Mutex mutex;
  int turn = 0;
  int readers = 0;
  InThreads([&](int self) {
    const auto mine = [&turn, self] { return turn % kThreads == self; };
    const auto mine_or_readers = [&] { return turn % kThreads == self || readers > kThreads; };
    for (int i = 0; i < kRounds; ++i) {
      switch ((i + self) % 4) {
        case 0:
          mutex.LockWhen(absl::Condition(&mine));
          break;
        case 1:
          EXPECT_TRUE(mutex.LockWhenWithTimeout(absl::Condition(&mine), absl::Minutes(5)));
          break;
        case 2:
          mutex.Lock();
          mutex.Await(absl::Condition(&mine));
          break;
        case 3:
          // Held by readers until it is this thread's turn, which stays so.
          mutex.ReaderLock();
          EXPECT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&mine_or_readers), absl::Minutes(5)));
          mutex.ReaderUnlock();
          mutex.Lock();
          break;
      }
      EXPECT_EQ(turn % kThreads, self);
      ++turn;
      mutex.Unlock();
    }
  });
  EXPECT_EQ(turn, kThreads * kRounds);
}

TEST(AbslMutex, GuardsAcrossATimeout) {
  absl::Mutex mutex;
  std::int64_t count = 0;
  const auto never = [&count] { return count < 0; };
  InThreads([&](int) {
    for (int i = 0; i < 20; ++i) {
      absl::MutexLock lock(&mutex);
      EXPECT_FALSE(mutex.AwaitWithTimeout(absl::Condition(&never), absl::Microseconds(100)));
      ++count;
    }
  });
  EXPECT_EQ(count, 20 * kThreads);
}

TEST(AbslCondVar, GivesTheMutexBack) {
  absl::Mutex mutex;
  absl::CondVar changed;
  int turn = 0;
  InThreads([&](int self) {
    for (int i = 0; i < kRounds; ++i) {
      absl::MutexLock lock(&mutex);
      while (turn % kThreads != self) {
        if (i % 2 == 0) {
          changed.Wait(&mutex);
        } else {
          changed.WaitWithTimeout(&mutex, absl::Minutes(5));
        }
      }
      ++turn;
      changed.SignalAll();
    }
  });
  EXPECT_EQ(turn, kThreads * kRounds);
}

TEST(AbslNotification, CarriesWhatCameBefore) {
  for (int i = 0; i < 50; ++i) {
    auto done = std::make_unique<absl::Notification>();
    int value = 0;
    std::thread setter([&value, i, set = done.get()] {
      value = i + 1;
      set->Notify();
    });
    if (i % 2 == 0) {
      done->WaitForNotification();
    } else {
      while (!done->HasBeenNotified()) std::this_thread::yield();
    }
    EXPECT_EQ(value, i + 1);
    // The setter may still be inside Notify(): this waits for it.
    done.reset();
    setter.join();
  }
}

TEST(AbslBlockingCounter, CarriesWhatCameBeforeEachDecrement) {
  for (int i = 0; i < 50; ++i) {
    std::vector<int> values(kThreads, 0);
    std::vector<std::thread> threads;
    {
      absl::BlockingCounter left(kThreads);
      for (int& value : values) {
        threads.emplace_back([&value, &left] {
          value = 1;
          left.DecrementCount();
        });
      }
      left.Wait();
    }
    EXPECT_EQ(values, std::vector<int>(kThreads, 1));
    for (std::thread& thread : threads) thread.join();
  }
}

TEST(AbslBarrier, CarriesWhatCameBefore) {
  std::vector<int> values(kThreads, 0);
  auto* const barrier = new absl::Barrier(kThreads);
  InThreads([&](int self) {
    values[self] = 1;
    const bool last = barrier->Block();
    EXPECT_EQ(values, std::vector<int>(kThreads, 1));
    if (last) delete barrier;
  });
}

#ifdef __SANITIZE_THREAD__
// Else silence would mean nothing.
TEST(AbslMutexDeathTest, ARaceBesideTheMutexIsStillFound) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto race = [] {
    absl::Mutex mutex;
    int guarded = 0;
    int unguarded = 0;
    InThreads([&](int) {
      for (int i = 0; i < kRounds; ++i) {
        ++unguarded;
        absl::ReaderMutexLock lock(&mutex);
        EXPECT_EQ(guarded, 0);
      }
    });
    std::exit(0);
  };
  EXPECT_EXIT(race(), testing::ExitedWithCode(66), "data race");
}
#endif

}  // namespace
}  // namespace historian
