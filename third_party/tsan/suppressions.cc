// ThreadSanitizer's suppressions, linked in: a child process that a test starts has them as well, wherever it
// runs.
//
// Only for libraries that are not instrumented, and so hide their own synchronisation. called_from_lib makes
// TSan look away from the libc calls (memcpy, free, ...) that such a library makes; locks and threads are
// still seen. What our own code does wrong by way of our own memory is still found.

#ifndef __SANITIZE_THREAD__
#error "Only for --config=tsan."
#endif

extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:librocksdb.so\n"
         "";
}
