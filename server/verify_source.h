// File: server/verify_source.h
//
// A verification of the archive as a stream of answers. It runs on a thread of its own that yields to all
// other work, and waits if the client does not take what it found.
#ifndef HISTORIAN_SERVER_VERIFY_SOURCE_H_
#define HISTORIAN_SERVER_VERIFY_SOURCE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
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

// Of several verifications the newest goes on. One that is slow, or whose client is, keeps nobody out. Threads: any number.
class NewestVerify {
 public:
  // The number of a verification that begins, asked for from `peer`: those before it end.
  uint64_t Begin(std::string peer) ABSL_LOCKS_EXCLUDED(mu_);
  // Errors: Aborted, a newer one than that number has begun.
  absl::Status Check(uint64_t number) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  mutable absl::Mutex mu_;
  uint64_t newest_ ABSL_GUARDED_BY(mu_) = 0;
  std::string peer_ ABSL_GUARDED_BY(mu_);  // Of the newest.
};

class VerifySource final : public FrameSource {
 public:
  // Ends early when `stopping` becomes true, or when a newer one begins. All must outlive the source.
  VerifySource(Archive& archive, VerifyOptions options, NewestVerify& newest, std::string peer,
               const std::atomic<bool>& stopping);
  ~VerifySource() override;

  // Waits up to about a second for damage or progress to report.
  absl::StatusOr<Step> Next(grpc::ByteBuffer* frame) override;

 private:
  void Run(const VerifyOptions& options);

  Archive& archive_;
  NewestVerify& newest_;
  const uint64_t number_;
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
