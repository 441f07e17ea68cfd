// File: server/verify_source.h
//
// A verification of the archive as a stream of answers. It runs on a thread of its own that yields to all
// other work, and waits if the client does not take what it found.
#ifndef HISTORIAN_SERVER_VERIFY_SOURCE_H_
#define HISTORIAN_SERVER_VERIFY_SOURCE_H_

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/call.h"
#include "storage/archive/archive.h"
#include "storage/platform/monotonic.h"

namespace historian::server {

class VerifySource final : public FrameSource {
 public:
  // Clears `running` at the end, and ends early when `stopping` becomes true. All must outlive the source.
  VerifySource(Archive& archive, VerifyOptions options, std::atomic<bool>& running,
               const std::atomic<bool>& stopping);
  ~VerifySource() override;

  // Waits up to about a second for damage or progress to report.
  absl::StatusOr<Step> Next(grpc::ByteBuffer* frame) override;

 private:
  void Run(const VerifyOptions& options);

  Archive& archive_;
  std::atomic<bool>& running_;
  const std::atomic<bool>& stopping_;
  const MonotonicTime begin_;
  std::atomic<bool> abandoned_{false};

  absl::Mutex mu_;
  CondVar changed_;
  std::vector<Damage> damages_ ABSL_GUARDED_BY(mu_);  // Not reported yet.
  VerifyCounts counts_ ABSL_GUARDED_BY(mu_);
  bool progress_ ABSL_GUARDED_BY(mu_) = false;  // counts_ are newer than what was reported.
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(mu_);

  std::thread thread_;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_VERIFY_SOURCE_H_
