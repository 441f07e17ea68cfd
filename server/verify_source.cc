#include "server/verify_source.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/historian/v1/admin.pb.h"
#include "server/wire.h"
#include "storage/platform/background.h"
#include "storage/platform/monotonic.h"

namespace historian::server {
namespace {

// Held for a client that is slow; in one answer at most as many.
constexpr size_t kDamagesHeldMax = 500;
constexpr absl::Duration kLookPeriod = absl::Milliseconds(50);

}  // namespace

uint64_t NewestVerify::Begin(std::string peer) {
  absl::MutexLock lock(&mu_);
  peer_ = std::move(peer);
  return ++newest_;
}

absl::Status NewestVerify::Check(uint64_t number) const {
  absl::MutexLock lock(&mu_);
  if (number == newest_) return absl::OkStatus();
  return absl::AbortedError(
      absl::StrCat("a newer verification, asked for from ", peer_, ", took the place of this one"));
}

VerifySource::VerifySource(Archive& archive, VerifyOptions options, NewestVerify& newest, std::string peer,
                           const std::atomic<bool>& stopping)
    : archive_(archive),
      newest_(newest),
      number_(newest.Begin(std::move(peer))),
      stopping_(stopping),
      begin_(MonotonicTime::Now()) {
  thread_ = std::thread([this, options = std::move(options)] { Run(options); });
}

VerifySource::~VerifySource() {
  abandoned_.store(true);
  thread_.join();
}

void VerifySource::Run(const VerifyOptions& options) {
  YieldToAllOther();
  const auto keep_going = [this] {
    if (abandoned_.load()) return absl::CancelledError("the client is gone");
    if (stopping_.load()) return absl::UnavailableError("the server is stopping");
    return newest_.Check(number_);
  };
  const auto on_damage = [this, &keep_going](const Damage& damage) {
    absl::MutexLock lock(&mu_);
    const auto has_room = [this]()
                              ABSL_NO_THREAD_SAFETY_ANALYSIS { return damages_.size() < kDamagesHeldMax; };
    while (keep_going().ok() && !changed_.AwaitFor(&mu_, kLookPeriod, has_room)) {
    }
    damages_.push_back(damage);
    changed_.SignalAll();
  };
  const auto on_progress = [this](const VerifyCounts& counts) {
    absl::MutexLock lock(&mu_);
    counts_ = counts;
    progress_ = true;
    changed_.SignalAll();
  };
  absl::StatusOr<VerifyCounts> counts = archive_.upkeep().Verify(
      options, {.on_damage = on_damage, .on_progress = on_progress, .keep_going = keep_going});
  absl::MutexLock lock(&mu_);
  if (counts.ok()) counts_ = *counts;
  ended_ = counts.status();
  changed_.SignalAll();
}

absl::StatusOr<FrameSource::Step> VerifySource::Next(grpc::ByteBuffer* frame) {
  v1::VerifyResponse response;
  VerifyCounts counts;
  {
    absl::MutexLock lock(&mu_);
    const auto has_news = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return progress_ || !damages_.empty() || ended_.has_value();
    };
    changed_.AwaitFor(&mu_, absl::Seconds(1), has_news);
    if (ended_.has_value() && !ended_->ok()) return *ended_;
    for (const Damage& damage : damages_) DamageToWire(damage, archive_.tags(), response.add_damage());
    damages_.clear();
    changed_.SignalAll();
    progress_ = false;
    counts = counts_;
    response.set_done(ended_.has_value());
  }
  VerifyCountsToWire(counts, &response);
  response.set_seconds(absl::ToDoubleSeconds(MonotonicTime::Now() - begin_));
  *frame = SerializeMessage(response);
  return response.done() ? Step::kLastFrame : Step::kFrame;
}

}  // namespace historian::server
