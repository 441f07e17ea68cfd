// File: tools/histbench/sync_probe.h
//
// Asks the disk itself, ten times a second, how long a small synced write takes now: the control when
// something else waits.
//
// Threads: any.
#ifndef HISTORIAN_TOOLS_HISTBENCH_SYNC_PROBE_H_
#define HISTORIAN_TOOLS_HISTBENCH_SYNC_PROBE_H_

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/platform/monotonic.h"

namespace historian::histbench {

class SyncProbe {
 public:
  // Writes 4 KiB over and over to a file in the directory; removes it at the end.
  explicit SyncProbe(const std::string& directory);
  ~SyncProbe();

  // All so far, in ms.
  std::vector<double> TookMs() const;
  // The longest one that was under way at some time between, in ms; 0: none.
  double LongestMs(MonotonicTime from, MonotonicTime to) const;

 private:
  struct Took {
    MonotonicTime begin;
    MonotonicTime end;
  };
  void Run();

  const std::string path_;
  const int file_;
  std::atomic<bool> stop_{false};
  mutable absl::Mutex mutex_;
  std::vector<Took> took_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace historian::histbench

#endif  // HISTORIAN_TOOLS_HISTBENCH_SYNC_PROBE_H_
