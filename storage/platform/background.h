// File: storage/platform/background.h
//
// For threads whose work waits for nobody: archives settle on one.
#ifndef HISTORIAN_STORAGE_PLATFORM_BACKGROUND_H_
#define HISTORIAN_STORAGE_PLATFORM_BACKGROUND_H_

#include <cstdint>

namespace historian {

// From now on the calling thread, and it alone, yields to all other work as far as the system allows.
void YieldToAllOther();

// Keeps long work out of the way of others when processors are short. Yielding alone does not: the work takes
// what is left of every processor, and with it the caches, the memory's bandwidth and half of a core that two
// threads share. So a thread that has to wait for a processor works for a tenth of the time only, until it
// need not wait any more.
//
// Threads: the one that made it.
class BackgroundPace {
 public:
  BackgroundPace();
  ~BackgroundPace();
  BackgroundPace(const BackgroundPace&) = delete;
  BackgroundPace& operator=(const BackgroundPace&) = delete;

  // Called every few milliseconds of work, or more often; a call costs a fraction of a microsecond. Rests
  // for at most kRestNsMax when it is time to.
  void MayRest();

  // A thread's time on a processor, and waiting for one.
  struct Usage {
    uint64_t worked_ns = 0;
    uint64_t waited_ns = 0;
  };
  // How long to rest after this; nothing when it waited for less than a fifth of the time.
  static uint64_t RestNs(Usage since_last_rest);

  // Work between two looks at the usage.
  static constexpr uint64_t kLookNs = 10'000'000;
  static constexpr uint64_t kRestNsMax = 200'000'000;

 private:
  // What the system has counted. All zero where it does not count.
  Usage Now() const;

  const int counts_;  // The open file of the system's counts, or -1.
  Usage looked_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_PLATFORM_BACKGROUND_H_
