// Loaded before a program (LD_PRELOAD), it sets that program's clock as a person would, without setting the machine's. The
// file $HISTORIAN_CLOCK_FILE holds the nanoseconds by which the clock is ahead, as eight bytes; whoever writes it sets the
// clock.
//
// It does what the kernel does: CLOCK_REALTIME jumps, and a wait until a time of that clock ends when the clock gets there,
// wherever it was when the wait began. CLOCK_MONOTONIC goes on.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace {

constexpr int64_t kSecond = 1'000'000'000;
// A wait looks at the clock anew this often.
constexpr int64_t kSlice = 10'000'000;

const std::atomic<int64_t>* Ahead() {
  static const std::atomic<int64_t>* const ahead = [] {
    static const std::atomic<int64_t> zero{0};
    const char* const path = getenv("HISTORIAN_CLOCK_FILE");
    const int file = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return &zero;
    void* const map = mmap(nullptr, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    return map == MAP_FAILED ? &zero : static_cast<const std::atomic<int64_t>*>(map);
  }();
  return ahead;
}

template <class Function>
Function Real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

int64_t Nanos(const timespec& time) { return time.tv_sec * kSecond + time.tv_nsec; }

timespec FromNanos(int64_t nanos) {
  timespec time{nanos / kSecond, nanos % kSecond};
  if (time.tv_nsec < 0) {
    time.tv_nsec += kSecond;
    --time.tv_sec;
  }
  return time;
}

int64_t MachineNow() {
  static const auto real = Real<int (*)(clockid_t, timespec*)>("clock_gettime");
  timespec time;
  real(CLOCK_REALTIME, &time);
  return Nanos(time);
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) {
  static const auto real = Real<int (*)(clockid_t, timespec*)>("clock_gettime");
  const int result = real(clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    *time = FromNanos(Nanos(*time) + Ahead()->load());
  }
  return result;
}

int gettimeofday(timeval* time, void*) {
  const int64_t now = MachineNow() + Ahead()->load();
  time->tv_sec = now / kSecond;
  time->tv_usec = now % kSecond / 1000;
  return 0;
}

time_t time(time_t* to) {
  const time_t now = (MachineNow() + Ahead()->load()) / kSecond;
  if (to != nullptr) *to = now;
  return now;
}

// Abseil waits by futexes, which it calls itself.
long syscall(long number, ...) {
  static const auto real = Real<long (*)(long, long, long, long, long, long, long)>("syscall");
  va_list list;
  va_start(list, number);
  long a[6];
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  const bool waits_for_clock = number == SYS_futex && (a[1] & FUTEX_CLOCK_REALTIME) != 0 && a[3] != 0 &&
                               (a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
  if (!waits_for_clock) return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  const int64_t until = Nanos(*reinterpret_cast<const timespec*>(a[3]));
  while (true) {
    const int64_t left = until - (MachineNow() + Ahead()->load());
    if (left <= 0) {
      errno = ETIMEDOUT;
      return -1;
    }
    const timespec slice = FromNanos(MachineNow() + std::min(left, kSlice));
    const long result = real(number, a[0], a[1], a[2], reinterpret_cast<long>(&slice), a[4], a[5]);
    if (result == 0 || errno != ETIMEDOUT) return result;
  }
}

}  // extern "C"
