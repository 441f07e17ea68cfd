// File: storage/platform/background.h
//
// For threads whose work nobody waits for, such as the one on which an archive settles.
#ifndef HISTORIAN_STORAGE_PLATFORM_BACKGROUND_H_
#define HISTORIAN_STORAGE_PLATFORM_BACKGROUND_H_

#include <cstdint>

namespace historian {

// From now on the calling thread, and it alone, yields to all other work as far as the system allows.
void YieldToAllOther();

// Keeps long work out of the way of others when processors are short. Yielding alone does not: the work takes
// what is left of every processor, and with it the caches, the memory's bandwidth and half of a core that two
// threads share. So a thread that has to wait for a processor works for only a tenth of the time, until it no
// longer has to wait.
//
// Threads: the one that made it.
class BackgroundPace {
 public:
  BackgroundPace();
  ~BackgroundPace();
  BackgroundPace(const BackgroundPace&) = delete;
  BackgroundPace& operator=(const BackgroundPace&) = delete;

  // Rests, if it is time to, for at most kRestNsMax. To be called every few milliseconds of work, or more
  // often; a call costs a fraction of a microsecond.
  void MayRest();

  // How long a thread was on a processor, and how long it waited for one.
  struct Usage {
    uint64_t worked_ns = 0;
    uint64_t waited_ns = 0;
  };
  // Returns how long to rest after this much; 0 if the thread waited for less than a fifth of the time.
  static uint64_t RestNs(Usage since_last_rest);

  // Work between two looks at the usage.
  static constexpr uint64_t kLookNs = 10'000'000;
  static constexpr uint64_t kRestNsMax = 200'000'000;

 private:
  // What the system has counted for the thread; zeros if the system does not count.
  Usage Now() const;

  const int counts_;  // The open file of the system's counts, or -1.
  Usage looked_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_PLATFORM_BACKGROUND_H_
