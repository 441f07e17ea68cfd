#include "storage/upkeep/believed_time.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/record/v1/records.pb.h"
#include "storage/format/record_keys.h"
#include "storage/model/status_macros.h"

namespace historian {
namespace {

// After a crash at most so much is to be believed anew.
constexpr absl::Duration kKeepEvery = absl::Minutes(10);

}  // namespace

absl::StatusOr<std::unique_ptr<BelievedTime>> BelievedTime::Open(kv::Store& store, const Clock& clock,
                                                                 Timestamp known, absl::Status* damage) {
  const absl::StatusOr<std::optional<std::string>> bytes = store.Get(kv::Space::kMeta, kBelievedTimeKey);
  record::v1::BelievedTimeRecord record;
  absl::Status status = bytes.status();
  if (bytes.ok() && bytes->has_value() && !record.ParseFromString(**bytes)) {
    status = absl::DataLossError("the record of the believed time is damaged");
  }
  if (!status.ok()) {
    if (damage == nullptr || !absl::IsDataLoss(status)) return status;
    *damage = status;
  }
  if (!status.ok() || !bytes->has_value()) {
    return std::unique_ptr<BelievedTime>(new BelievedTime(store, clock, std::min(known, clock.Now())));
  }
  auto believed =
      std::unique_ptr<BelievedTime>(new BelievedTime(store, clock, std::min(record.time(), clock.Now())));
  absl::MutexLock lock(&believed->mu_);
  believed->kept_ = record.time();
  return believed;
}

BelievedTime::BelievedTime(kv::Store& store, const Clock& clock, Timestamp time)
    : store_(store), clock_(clock), time_(time), kept_(kTimestampMin), looked_(clock.Monotonic()) {}

BelievedTime::State BelievedTime::Look(Timestamp newest_received) {
  absl::MutexLock lock(&mu_);
  const Timestamp clock = clock_.Now();
  const MonotonicTime now = clock_.Monotonic();
  const Timestamp ran = time_ + absl::ToInt64Nanoseconds(now - looked_);
  looked_ = now;
  time_ = std::min(clock, std::max(ran, newest_received));
  if (time_ - ran > absl::ToInt64Nanoseconds(kLeap)) leapt_ = now;
  return StateLocked();
}

BelievedTime::State BelievedTime::Get() const {
  absl::MutexLock lock(&mu_);
  return StateLocked();
}

BelievedTime::State BelievedTime::StateLocked() const {
  const absl::Duration since = clock_.Monotonic() - leapt_;
  return {.time = time_,
          .clock = std::max(clock_.Now(), time_),
          .wait = std::max(kThinkOver - since, absl::ZeroDuration())};
}

absl::Status BelievedTime::Check(Timestamp witness) const {
  const Timestamp clock = clock_.Now();
  const Timestamp apart = absl::ToInt64Nanoseconds(kLeap);
  if (witness >= clock - apart && witness <= clock + apart) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the server's clock says ", FormatTimestamp(clock),
                                                 ", the witness ", FormatTimestamp(witness),
                                                 ": one of them is wrong"));
}

absl::Status BelievedTime::Vouch(Timestamp witness) {
  RETURN_IF_ERROR(Check(witness));
  absl::MutexLock lock(&mu_);
  time_ = clock_.Now();
  looked_ = clock_.Monotonic();
  leapt_ = MonotonicTime::InfinitePast();
  return absl::OkStatus();
}

absl::Status BelievedTime::Keep(bool now) {
  Timestamp time;
  {
    absl::MutexLock lock(&mu_);
    // A fall is written down at once: what was written before is not to be believed again.
    if (!now && time_ >= kept_ && time_ - kept_ < absl::ToInt64Nanoseconds(kKeepEvery))
      return absl::OkStatus();
    time = time_;
  }
  record::v1::BelievedTimeRecord record;
  record.set_time(time);
  kv::Batch batch;
  batch.Put(kBelievedTimeKey, record.SerializeAsString());
  RETURN_IF_ERROR(Annotate(store_.Write(batch), "writing the believed time"));
  absl::MutexLock lock(&mu_);
  kept_ = time;
  return absl::OkStatus();
}

}  // namespace historian
