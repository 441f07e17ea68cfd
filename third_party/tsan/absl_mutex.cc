// Tells ThreadSanitizer what absl::Mutex does.
//
// Why:     Debian's libabsl_synchronization.so is not compiled with -fsanitize=thread. TSan sees neither its
// atomic
//          operations nor its waits, so that everything a Mutex guards looks like a data race.
// How:     the functions below have the names of the library's. The dynamic linker finds those of the
// executable first, also
//          for calls from within shared libraries. Each announces itself to TSan and goes on to the library's
//          own (RTLD_NEXT).
// What:    only the innermost functions, as the library calls its own by their public names, too:
// AwaitWithTimeout() comes by
//          way of AwaitCommon(), LockWhenWithTimeout() of LockWhenWithDeadline(), Barrier of Lock() and
//          Await().
// Holds:   for Abseil 20220623. When a later one calls its functions in another way, absl_mutex_test fails
// under tsan. Threads: any.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

#ifndef __SANITIZE_THREAD__
#error "Only for --config=tsan."
#endif

namespace {

using absl::synchronization_internal::KernelTimeout;

// The library's function of that name. A member function is called like a free one that takes the object
// first.
template <typename Function>
Function* Library(const char* mangled_name) {
  void* const found = dlsym(RTLD_NEXT, mangled_name);
  if (found == nullptr) {
    std::fprintf(stderr, "third_party/tsan: no %s in the libraries: another version of Abseil?\n",
                 mangled_name);
    std::abort();
  }
  return reinterpret_cast<Function*>(found);
}

#define LIBRARY(function, mangled_name) \
  static const auto library = Library<function>("_ZN4absl7debian3" mangled_name)
#define CONST_LIBRARY(function, mangled_name) \
  static const auto library = Library<function>("_ZNK4absl7debian3" mangled_name)

// The mutex that this thread is just locking or unlocking, if any. Meanwhile TSan looks away from what the
// thread does.
thread_local const void* in_transition = nullptr;

class Transition {
 public:
  explicit Transition(const void* mutex) : outer_(in_transition) { in_transition = mutex; }
  ~Transition() { in_transition = outer_; }
  Transition(const Transition&) = delete;
  Transition& operator=(const Transition&) = delete;

 private:
  const void* const outer_;
};

template <typename Call>
void Locking(absl::Mutex* mutex, unsigned flags, Call&& call) {
  __tsan_mutex_pre_lock(mutex, flags);
  {
    Transition transition(mutex);
    call();
  }
  __tsan_mutex_post_lock(mutex, flags, 0);
}

template <typename Call>
bool Trying(absl::Mutex* mutex, unsigned flags, Call&& call) {
  flags |= __tsan_mutex_try_lock;
  __tsan_mutex_pre_lock(mutex, flags);
  const bool locked = call();
  __tsan_mutex_post_lock(mutex, locked ? flags : flags | __tsan_mutex_try_lock_failed, 0);
  return locked;
}

// The mutex may be gone by the time `call` returns: another thread may have locked and destroyed it. TSan's
// own functions only use its address.
template <typename Call>
void Unlocking(absl::Mutex* mutex, unsigned flags, Call&& call) {
  __tsan_mutex_pre_unlock(mutex, flags);
  {
    Transition transition(mutex);
    call();
  }
  __tsan_mutex_post_unlock(mutex, flags);
}

// Whoever waits for a condition leaves it with the mutex, where others find it in Queue() and evaluate it.
void* Queue(const void* mutex) { return const_cast<char*>(static_cast<const char*>(mutex)) + 1; }

template <typename Call>
bool LockingWhen(absl::Mutex* mutex, unsigned flags, Call&& call) {
  __tsan_release(Queue(mutex));
  bool result = false;
  Locking(mutex, flags, [&] { result = call(); });
  return result;
}

// A wait lets go of the mutex and takes it again, in the way it was held.
template <typename Call>
bool Waiting(absl::Mutex* mutex, Call&& call) {
  static_assert(sizeof(absl::Mutex) == sizeof(std::intptr_t));
  constexpr std::intptr_t kHeldExclusively = 0x8;  // kMuWriter in Abseil's mutex.cc.
  const std::intptr_t state =
      reinterpret_cast<const std::atomic<std::intptr_t>*>(mutex)->load(std::memory_order_relaxed);
  const unsigned flags = (state & kHeldExclusively) != 0 ? 0 : __tsan_mutex_read_lock;
  Unlocking(mutex, flags, [] {});
  return LockingWhen(mutex, flags, call);
}

// Where Notification and BlockingCounter keep the atomic variable that carries their happens-before.
void* AfterMutex(const void* object) {
  return const_cast<char*>(static_cast<const char*>(object)) + sizeof(absl::Mutex);
}

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

Mutex::~Mutex() {
  LIBRARY(void(Mutex*), "5MutexD1Ev");
  library(this);
  __tsan_mutex_destroy(this, __tsan_mutex_not_static);
}

void Mutex::Lock() {
  LIBRARY(void(Mutex*), "5Mutex4LockEv");
  Locking(this, 0, [&] { library(this); });
}

void Mutex::Unlock() {
  LIBRARY(void(Mutex*), "5Mutex6UnlockEv");
  Unlocking(this, 0, [&] { library(this); });
}

bool Mutex::TryLock() {
  LIBRARY(bool(Mutex*), "5Mutex7TryLockEv");
  return Trying(this, 0, [&] { return library(this); });
}

void Mutex::ReaderLock() {
  LIBRARY(void(Mutex*), "5Mutex10ReaderLockEv");
  Locking(this, __tsan_mutex_read_lock, [&] { library(this); });
}

void Mutex::ReaderUnlock() {
  LIBRARY(void(Mutex*), "5Mutex12ReaderUnlockEv");
  Unlocking(this, __tsan_mutex_read_lock, [&] { library(this); });
}

bool Mutex::ReaderTryLock() {
  LIBRARY(bool(Mutex*), "5Mutex13ReaderTryLockEv");
  return Trying(this, __tsan_mutex_read_lock, [&] { return library(this); });
}

void Mutex::LockWhen(const Condition& cond) {
  LIBRARY(void(Mutex*, const Condition&), "5Mutex8LockWhenERKNS0_9ConditionE");
  LockingWhen(this, 0, [&] { return library(this, cond), true; });
}

bool Mutex::LockWhenWithDeadline(const Condition& cond, Time deadline) {
  LIBRARY(bool(Mutex*, const Condition&, Time), "5Mutex20LockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  return LockingWhen(this, 0, [&] { return library(this, cond, deadline); });
}

void Mutex::ReaderLockWhen(const Condition& cond) {
  LIBRARY(void(Mutex*, const Condition&), "5Mutex14ReaderLockWhenERKNS0_9ConditionE");
  LockingWhen(this, __tsan_mutex_read_lock, [&] { return library(this, cond), true; });
}

bool Mutex::ReaderLockWhenWithDeadline(const Condition& cond, Time deadline) {
  LIBRARY(bool(Mutex*, const Condition&, Time),
          "5Mutex26ReaderLockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  return LockingWhen(this, __tsan_mutex_read_lock, [&] { return library(this, cond, deadline); });
}

// Await(), AwaitWithTimeout() and AwaitWithDeadline() come here, once they have found that the condition does
// not hold yet.
bool Mutex::AwaitCommon(const Condition& cond, KernelTimeout timeout) {
  LIBRARY(bool(Mutex*, const Condition&, KernelTimeout),
          "5Mutex11AwaitCommonERKNS0_9ConditionENS0_24synchronization_internal13KernelTimeoutE");
  return Waiting(this, [&] { return library(this, cond, timeout); });
}

// All of CondVar's waits come here. Signals need no word: what a waiter may rely on, the mutex gives it.
bool CondVar::WaitCommon(Mutex* mutex, KernelTimeout timeout) {
  LIBRARY(bool(CondVar*, Mutex*, KernelTimeout),
          "7CondVar10WaitCommonEPNS0_5MutexENS0_24synchronization_internal13KernelTimeoutE");
  return Waiting(mutex, [&] { return library(this, mutex, timeout); });
}

// A condition is evaluated with its mutex held, but perhaps inside Lock(), or inside another thread's
// Unlock(). TSan is looking away there and believes the mutex free; have it look at the condition, which runs
// our code, as one that holds the mutex.
bool Condition::Eval() const {
  CONST_LIBRARY(bool(const Condition*), "9Condition4EvalEv");
  void* const mutex = const_cast<void*>(in_transition);
  if (mutex == nullptr) return library(this);
  __tsan_mutex_pre_divert(mutex, 0);
  __tsan_acquire(mutex);
  __tsan_acquire(Queue(mutex));
  bool holds = false;
  {
    Transition none(nullptr);
    holds = library(this);
  }
  __tsan_release(mutex);
  __tsan_mutex_post_divert(mutex, 0);
  return holds;
}

// Whoever finds that it has been notified has read an atomic variable, without the mutex. HasBeenNotified()
// is inline, and TSan sees it read.
void Notification::Notify() {
  LIBRARY(void(Notification*), "12Notification6NotifyEv");
  static_assert(sizeof(Notification) == 2 * sizeof(Mutex));
  __tsan_release(AfterMutex(this));
  library(this);
}

void Notification::WaitForNotification() const {
  CONST_LIBRARY(void(const Notification*), "12Notification19WaitForNotificationEv");
  library(this);
  __tsan_acquire(AfterMutex(this));
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  CONST_LIBRARY(bool(const Notification*, Duration),
                "12Notification30WaitForNotificationWithTimeoutENS0_8DurationE");
  const bool notified = library(this, timeout);
  if (notified) __tsan_acquire(AfterMutex(this));
  return notified;
}

bool Notification::WaitForNotificationWithDeadline(Time deadline) const {
  CONST_LIBRARY(bool(const Notification*, Time),
                "12Notification31WaitForNotificationWithDeadlineENS0_4TimeE");
  const bool notified = library(this, deadline);
  if (notified) __tsan_acquire(AfterMutex(this));
  return notified;
}

// All but the last decrement by an atomic operation, without the mutex.
bool BlockingCounter::DecrementCount() {
  LIBRARY(bool(BlockingCounter*), "15BlockingCounter14DecrementCountEv");
  void* const count = AfterMutex(this);
  __tsan_release(count);
  const bool last = library(this);
  // Not after any but the last, when the counter may be gone; then the address alone is used.
  if (last) __tsan_acquire(count);
  return last;
}

void BlockingCounter::Wait() {
  LIBRARY(void(BlockingCounter*), "15BlockingCounter4WaitEv");
  library(this);
  __tsan_acquire(AfterMutex(this));
}

ABSL_NAMESPACE_END
}  // namespace absl
