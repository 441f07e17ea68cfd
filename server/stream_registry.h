// File: server/stream_registry.h
//
// The answer streams that are being sent, so that those whose client stopped reading can be ended.
// Threads: any number.
#ifndef HISTORIAN_SERVER_STREAM_REGISTRY_H_
#define HISTORIAN_SERVER_STREAM_REGISTRY_H_

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/platform/monotonic.h"

namespace historian::server {

class IdleStream {
 public:
  virtual ~IdleStream() = default;
  // Ends the stream if its client has taken nothing of its answer for longer than `patience`. A write stream goes by
  // limits of its own.
  virtual void EndIfIdle(MonotonicTime now, absl::Duration patience) = 0;
};

class StreamRegistry {
 public:
  // Waits for a thread that is still leaving Remove.
  ~StreamRegistry() { absl::MutexLock lock(&mu_); }

  void Add(const std::shared_ptr<IdleStream>& stream) {
    absl::MutexLock lock(&mu_);
    streams_[stream.get()] = stream;
  }
  void Remove(IdleStream* stream) {
    absl::MutexLock lock(&mu_);
    streams_.erase(stream);
  }
  // To be called once in a while, and, with less patience, when others have no place.
  void EndIdle(MonotonicTime now, absl::Duration patience) {
    std::vector<std::shared_ptr<IdleStream>> streams;
    {
      absl::MutexLock lock(&mu_);
      for (const auto& [key, stream] : streams_) {
        if (auto alive = stream.lock()) streams.push_back(std::move(alive));
      }
    }
    for (const auto& stream : streams) stream->EndIfIdle(now, patience);
  }

 private:
  absl::Mutex mu_;
  absl::flat_hash_map<IdleStream*, std::weak_ptr<IdleStream>> streams_ ABSL_GUARDED_BY(mu_);
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_STREAM_REGISTRY_H_
