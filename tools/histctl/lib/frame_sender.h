// File: tools/histctl/lib/frame_sender.h
//
// Sends numbered frames to the server, each stored exactly once.
//
// client::Writer gives frames their numbers itself, going on where the server stands when it connects. Here
// the numbers mean rows of a file, so they must be the caller's: a server that already has frame N
// acknowledges it again without storing it twice, whatever was under way when an earlier import was killed.
//
// A lost link (UNAVAILABLE, a full disk, anything that may pass) is opened again with growing pauses, and
// what was not acknowledged is sent again; `retry_for` after the last acknowledgement it is given up.
//
// Threads: one calls; on_ack comes from another.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_FRAME_SENDER_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_FRAME_SENDER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/connection.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/sync_stream.h"
#include "proto/historian/v1/ingest.grpc.pb.h"
#include "storage/platform/monotonic.h"
#include "tools/histctl/lib/import_frames.h"

namespace historian::histctl {

struct FrameSenderOptions {
  std::string producer;
  absl::Duration retry_for = absl::Minutes(10);
  // If frames wait and none is acknowledged for this long, the link is taken for dead.
  absl::Duration ack_timeout = absl::Minutes(1);
  size_t bytes_in_flight_max = 8 * 1024 * 1024;
  // Rejected samples of a frame. Must not call the sender.
  std::function<void(const v1::Rejection&, const ImportFrame&)> on_rejection;
  // "the server is away (...), trying again": for people.
  std::function<void(absl::string_view)> on_notice;
  const std::atomic<bool>* interrupted = nullptr;  // Set: everything ends soon, with Cancelled.
};

struct FrameSenderCounts {
  uint64_t frames_acknowledged = 0;  // Of those sent by this.
  uint64_t samples_acknowledged = 0;
  // As the server counts them. What it stored just before a link was lost is acknowledged, but in neither.
  uint64_t samples_stored = 0;
  uint64_t samples_rejected = 0;
  uint64_t reconnects = 0;
};

class FrameSender {
 public:
  FrameSender(const client::Connection& connection, FrameSenderOptions options);
  ~FrameSender();
  FrameSender(const FrameSender&) = delete;
  FrameSender& operator=(const FrameSender&) = delete;

  // Opens the stream; *acknowledged is the last frame the server has of this producer: the caller goes on
  // with the next. A server that is away is waited for, as in Send. Errors: as there.
  absl::Status Open(uint64_t* acknowledged);

  // Numbers rise. Waits while too much is in flight. Errors: what ended the stream for good; Unavailable
  // after retry_for; Cancelled.
  absl::Status Send(ImportFrame frame);

  // Waits until everything is acknowledged, and ends the stream.
  absl::Status Finish();

  FrameSenderCounts counts() const;

 private:
  using Stream = grpc::ClientReaderWriter<v1::WriteRequest, v1::WriteAck>;
  struct Waiting {
    std::shared_ptr<const ImportFrame> frame;
    size_t bytes = 0;
  };

  // One attempt: stream, opening message, first acknowledgement, reading thread.
  absl::Status Connect(uint64_t* acknowledged);
  // Ends what Connect began; the stream's status.
  absl::Status Disconnect();
  // After a lost link: until it stands again and everything waiting is sent again.
  void TellLost(const absl::Status& status);
  // Waits for *pause, or until interrupted, and doubles it.
  void Pause(absl::Duration* pause);
  absl::Status Reconnect();
  void ReadAcks();
  void OnAck(const v1::WriteAck& ack) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Watch();
  bool Interrupted() const { return options_.interrupted != nullptr && options_.interrupted->load(); }

  const FrameSenderOptions options_;
  const client::Connection connection_;
  const std::unique_ptr<v1::Ingest::Stub> stub_;
  std::unique_ptr<Stream> stream_;
  std::thread reader_;
  std::thread watcher_;

  mutable absl::Mutex mutex_;
  CondVar changed_;
  std::unique_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(mutex_);
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);  // Not acknowledged, oldest first.
  size_t bytes_in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;  // The reading thread has not met the stream's end.
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool opening_ ABSL_GUARDED_BY(mutex_) = false;  // The first acknowledgement has not come.
  bool stalled_ ABSL_GUARDED_BY(mutex_) = false;
  MonotonicTime last_progress_ ABSL_GUARDED_BY(mutex_);
  FrameSenderCounts counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_FRAME_SENDER_H_
