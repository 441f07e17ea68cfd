#include "storage/upkeep/housekeeping.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/format/key.h"
#include "storage/model/closing.h"
#include "storage/model/status_macros.h"
#include "storage/platform/background.h"
#include "storage/platform/monotonic.h"
#include "storage/upkeep/expiry.h"

namespace historian {
namespace {

// How often the thread looks for work; more often when a shorter delay is configured.
constexpr absl::Duration kPeriod = absl::Seconds(1);
constexpr absl::Duration kPeriodMin = absl::Milliseconds(10);
// The clock is said to be ahead of the believed time when it is by more than this. Weeks expire, so less is no matter.
constexpr absl::Duration kBehindMax = absl::Hours(24);

// So many seals of less than this are settled although new ones come all the time: a seal has files of its own in each
// partition, however little it has to say.
constexpr uint64_t kSmallSealsMax = 256;
constexpr uint64_t kSmallSealSamples = 4096;

// A long partition that is over and has been settled is rewritten when so much of it is late, or it came at so many times.
constexpr uint64_t kLateShareWorthSettling = 64;
constexpr uint64_t kLateMovesMax = 16;

bool HasManySmallSeals(const PartitionState& state) {
  return state.seals >= kSmallSealsMax && state.unsettled_samples / state.seals < kSmallSealSamples;
}

Keep KeepOf(const ExpiredTable& expired, TagId tag, int32_t week) {
  const Expired* const of_tag = expired.Of(tag);
  if (of_tag == nullptr || !of_tag->HasRaw(week)) return Keep::kAll;
  return of_tag->HasAll(week) ? Keep::kNothing : Keep::kRollups;
}

// Tags whose open samples are counted before it is asked whether to go on.
constexpr TagId kTagsAtOnce = 1024;

std::string WeekFrom(int32_t partition) {
  return absl::StrCat(
      format::IsLongPartition(partition) ? "slow tags in the 16 weeks from " : "the week from ",
      FormatTimestamp(format::PartitionStart(partition)));
}

}  // namespace

void Housekeeping::Start() {
  {
    absl::MutexLock lock(&mu_);
    for (const auto& [partition, state] : house_.partitions.All()) {
      unsettled_since_[partition] = MonotonicTime::Now();
      if (state.garbage) garbage_.push_back({partition, state.settled, {}, /*dropped=*/false});
    }
  }
  thread_ = std::thread([this] { Run(); });
}

void Housekeeping::Close() {
  absl::MutexLock lock(&mu_);
  closing_ = true;
  wake_.SignalAll();
}

void Housekeeping::Stop() {
  Close();
  if (!thread_.joinable()) return;
  thread_.join();
  house_.note_damage(house_.believed.Keep(/*now=*/true));
}

void Housekeeping::NoteSealed(const std::vector<PartitionTable::Partition>& partitions) {
  absl::MutexLock lock(&mu_);
  for (const auto& [partition, state] : partitions) unsettled_since_[partition] = MonotonicTime::Now();
}

absl::StatusOr<uint64_t> Housekeeping::SettleAll(const KeepGoing& keep_going) {
  absl::MutexLock lock(&mu_);
  if (closing_) return ArchiveIsClosing();
  return settle_all_.Ask(&mu_, &wake_, keep_going);
}

absl::StatusOr<RetentionResult> Housekeeping::ApplyRetention(const RetentionOrder& order,
                                                             const KeepGoing& keep_going) {
  if (order.dry_run) {
    Timestamp now = house_.believed.Look(house_.newest_received()).time;
    if (order.witness.has_value()) {
      RETURN_IF_ERROR(house_.believed.Check(*order.witness));
      now = house_.clock.Now();
    }
    ASSIGN_OR_RETURN(const Retention::Outcome outcome,
                     house_.retention.Apply(house_.tags, now, /*commit=*/false, keep_going));
    // What is open would be sealed first.
    ExpiringSamples open;
    for (TagId tag = 1; outcome.tags > 0 && tag <= house_.tags.last_id(); ++tag) {
      if (tag % kTagsAtOnce == 0) RETURN_IF_ERROR(GoOn(keep_going));
      if (outcome.expired->Of(tag) != nullptr) AddExpiring(house_.open(tag), outcome, house_.tags, &open);
    }
    ASSIGN_OR_RETURN(RetentionResult result, Plan(outcome, std::move(open), keep_going));
    result.as_of = now;
    return result;
  }
  if (order.witness.has_value()) RETURN_IF_ERROR(house_.believed.Vouch(*order.witness));
  absl::MutexLock lock(&mu_);
  if (closing_) return ArchiveIsClosing();
  return retain_.Ask(&mu_, &wake_, keep_going);
}

Housekeeping::Stats Housekeeping::GetStats() const {
  absl::MutexLock lock(&mu_);
  return stats_;
}

void Housekeeping::Run() {
  YieldToAllOther();
  const absl::Duration period =
      std::clamp(std::min(house_.options.settle_delay, house_.options.retention_period), kPeriodMin, kPeriod);
  const auto wanted = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return closing_ || settle_all_.is_asked() || retain_.is_asked();
  };
  while (true) {
    bool settle_all, retain;
    uint64_t settle_begun, retain_begun;
    {
      absl::MutexLock lock(&mu_);
      wake_.AwaitFor(&mu_, period, wanted);
      settle_all = settle_all_.is_asked();
      settle_begun = settle_all_.Begin();
      retain = retain_.is_asked();
      retain_begun = retain_.Begin();
      if (closing_ && !settle_all && !retain) return;
    }
    CollectGarbage();
    house_.believed.Look(house_.newest_received());
    house_.note_damage(house_.believed.Keep(/*now=*/false));
    if (retain || RetentionIsDue()) {
      retention_tried_ = MonotonicTime::Now();
      absl::StatusOr<RetentionResult> answer = Retain();
      if (!answer.ok()) house_.note_damage(answer.status());
      absl::MutexLock lock(&mu_);
      stats_.retention = answer.ok() ? CheckClock() : answer.status();
      if (retain) retain_.Answer(retain_begun, std::move(answer));
    }
    if (settle_all) {
      absl::StatusOr<uint64_t> answer = SettleDirty();
      CollectGarbage();
      absl::MutexLock lock(&mu_);
      settle_all_.Answer(settle_begun, std::move(answer));
      continue;
    }
    for (const PartitionTable::Partition& partition : house_.partitions.All()) {
      if (closing_ || !SettleIsDue(partition)) continue;
      const absl::Status status = Settle(partition.first, Pace::kGivingWay);
      if (!status.ok()) house_.note_damage(status);
    }
  }
}

// ---- Settling

bool Housekeeping::SettleIsDue(const PartitionTable::Partition& partition) {
  const auto& [number, state] = partition;
  if (!state.dirty()) return false;
  {
    absl::MutexLock lock(&mu_);
    if (HasManySmallSeals(state)) {
      return MonotonicTime::Now() - settle_tried_[number] >= house_.options.settle_delay;
    }
    if (MonotonicTime::Now() - unsettled_since_[number] < house_.options.settle_delay) return false;
  }
  const bool over = format::PartitionEnd(number) <= house_.clock.Now();
  if (!format::IsLongPartition(number)) return over || state.late_samples >= state.samples / 4;
  // Weeks come in one after the other; what came in once is as dense as it gets. Those that are not over are not waited for,
  // nor those that could not be settled.
  for (int32_t week = format::FirstWeek(number); week < format::EndWeek(number); ++week) {
    if (format::PartitionEnd(week) > house_.clock.Now() || !house_.partitions.Get(week).dirty()) continue;
    absl::MutexLock lock(&mu_);
    if (settle_tried_[week] < unsettled_since_[week]) return false;
  }
  if (over && state.settled > 0) {
    return state.seals >= kLateMovesMax || state.unsettled_samples >= state.samples / kLateShareWorthSettling;
  }
  const bool has_parts = state.settled > 0 || state.seals > 1;
  return over || (has_parts && state.unsettled_samples >= state.samples / 4);
}

absl::StatusOr<uint64_t> Housekeeping::SettleDirty() {
  uint64_t weeks = 0;
  for (const bool is_long : {false, true}) {  // What weeks have of slow tags goes there.
    for (const auto& [partition, state] : house_.partitions.All()) {
      if (!state.dirty() || format::IsLongPartition(partition) != is_long) continue;
      RETURN_IF_ERROR(Settle(partition, Pace::kSteady));
      if (!is_long) ++weeks;
    }
  }
  return weeks;
}

absl::Status Housekeeping::Settle(int32_t partition, Pace pace) {
  const auto take_seals = [this](uint64_t count) {
    absl::MutexLock lock(&house_.steps.mu());
    return house_.steps.TakeSeals(count);
  };
  {
    absl::MutexLock lock(&mu_);
    // Not at once again, if this fails.
    unsettled_since_[partition] = settle_tried_[partition] = MonotonicTime::Now();
  }
  const auto annotated = [partition](const absl::Status& status) {
    return Annotate(status, absl::StrCat("settling ", WeekFrom(partition)));
  };
  // The old blocks go only when the new ones are there.
  const uint64_t needed = house_.partitions.Get(partition).bytes + house_.disk_reserve_bytes();
  if (const uint64_t free = house_.store.Stats().free_bytes; free < needed) {
    return annotated(absl::ResourceExhaustedError(
        absl::StrCat("it takes ", needed >> 20, " MiB of free disk space, there are ", free >> 20)));
  }
  const auto type_of = [this](TagId id) -> std::optional<ValueType> {
    const std::shared_ptr<const Tag> tag = house_.tags.Find(id);
    return tag == nullptr ? std::nullopt : std::optional<ValueType>(tag->type);
  };
  BackgroundPace background;
  const auto keep_going = [this, pace, &background] {
    if (pace == Pace::kGivingWay && !closing_) background.MayRest();
    return closing_ ? ArchiveIsClosing() : absl::OkStatus();
  };
  const std::shared_ptr<const ExpiredTable> expired = house_.retention.expired();
  const auto keep = [&expired](TagId id, int32_t week) { return KeepOf(*expired, id, week); };
  if (format::IsLongPartition(partition) && HasAnyWeek(*expired, partition)) {
    const absl::StatusOr<std::vector<int32_t>> weeks =
        WeeksToSettleFirst(house_.store, partition, keep, keep_going);
    if (!weeks.ok()) return annotated(weeks.status());
    for (const int32_t week : *weeks) RETURN_IF_ERROR(Settle(week, pace));
  }
  const uint64_t seal = take_seals(1);
  RETURN_IF_ERROR(annotated(DropExpiredSuperseded(partition, *expired)));
  absl::StatusOr<Step> step = SettlePartition(house_.store, house_.versions,
                                              {.partition = partition,
                                               .settled = house_.partitions.Get(partition).settled,
                                               .seal = seal,
                                               .take_seals = take_seals,
                                               .slow_samples_max = house_.options.slow_samples_max,
                                               .type_of = type_of,
                                               .keep = keep},
                                              keep_going);
  if (!step.ok()) return annotated(step.status());
  uint64_t bytes = 0;
  bool moves = false;
  for (const auto& [to, added] : step->blocks.added) {
    bytes += added.bytes;
    moves |= to != partition && added.blocks > 0;
  }
  {
    absl::MutexLock lock(&house_.steps.mu());
    RETURN_IF_ERROR(annotated(TakeIn(*std::move(step), /*dropped=*/false)));
  }
  absl::MutexLock lock(&mu_);
  if (moves) unsettled_since_[format::LongPartitionOfWeek(partition)] = MonotonicTime::Now();
  ++stats_.settles;
  stats_.settled_bytes += bytes;
  return absl::OkStatus();
}

absl::Status Housekeeping::DropExpiredSuperseded(int32_t partition, const ExpiredTable& expired) {
  const auto keep = [&expired](TagId id, int32_t week) { return KeepOf(expired, id, week); };
  for (int32_t week = format::FirstWeek(partition); week < format::EndWeek(partition); ++week) {
    if (expired.HasAny(week)) RETURN_IF_ERROR(DropSuperseded(house_.store, week, keep));
  }
  return absl::OkStatus();
}

absl::Status Housekeeping::TakeIn(Step step, bool dropped) {
  const Step::Place place = *step.rewritten;
  RETURN_IF_ERROR(house_.steps.Commit(std::move(step)).status());
  garbage_.push_back({place.partition, place.seal, house_.pins.Turn(), dropped});
  return absl::OkStatus();
}

// ---- Retention

bool Housekeeping::RetentionIsDue() {
  if (MonotonicTime::Now() - retention_tried_ < house_.options.retention_period) return false;
  if (house_.retention.Rules().empty()) return false;
  if (house_.retention.SinceRulesChanged() < house_.options.retention_period) return false;
  if (house_.believed.Get().wait == absl::ZeroDuration()) return true;
  retention_tried_ = MonotonicTime::Now();
  absl::MutexLock lock(&mu_);
  stats_.retention = CheckClock();
  return false;
}

absl::Status Housekeeping::CheckClock() const {
  const BelievedTime::State state = house_.believed.Get();
  const absl::string_view what_to_do =
      "; if the clock is right, say so with histctl retention apply --clock-is-right";
  if (state.wait > absl::ZeroDuration()) {
    return absl::FailedPreconditionError(
        absl::StrCat("retention rules are not applied for another ",
                     absl::FormatDuration(absl::Ceil(state.wait, absl::Minutes(1))),
                     ", because the time has leapt to ", FormatTimestamp(state.time), what_to_do));
  }
  if (state.behind() > kBehindMax) {
    return absl::FailedPreconditionError(
        absl::StrCat("retention rules are applied as of ", FormatTimestamp(state.time),
                     ", although the clock says ", FormatTimestamp(state.clock),
                     ": no sample of that time has come, and the server has not run that long", what_to_do));
  }
  return absl::OkStatus();
}

absl::StatusOr<RetentionResult> Housekeeping::Plan(const Retention::Outcome& outcome, ExpiringSamples open,
                                                   const KeepGoing& keep_going) {
  RetentionResult result;
  ExpiringSamples expiring = open;
  for (const auto& [partition, state] : house_.partitions.All()) {
    if (format::FirstWeek(partition) >= outcome.expired->end()) continue;
    if (closing_) return ArchiveIsClosing();
    RETURN_IF_ERROR(AddExpiring(house_.store, partition, outcome, house_.tags, keep_going, &expiring));
    ASSIGN_OR_RETURN(
        const std::optional<RetentionResult::Partition> judged,
        JudgePartition(house_.store, partition, state, *outcome.expired, house_.tags.last_id(), keep_going));
    if (!judged.has_value()) continue;
    result.partitions.push_back(*judged);
    if (judged->action == RetentionResult::Action::kWait) continue;
    result.samples += judged->samples;
    result.bytes += judged->bytes;
  }
  for (const int32_t partition : open.Partitions()) {
    const uint64_t samples = open.SamplesOf(partition);
    auto place =
        std::lower_bound(result.partitions.begin(), result.partitions.end(), partition,
                         [](const RetentionResult::Partition& a, int32_t b) { return a.partition < b; });
    if (place == result.partitions.end() || place->partition != partition) {
      place =
          result.partitions.insert(place, {.partition = partition, .action = RetentionResult::Action::kDrop});
    }
    place->samples += samples;
    if (place->action != RetentionResult::Action::kWait) result.samples += samples;
  }
  expiring.Sum(&result);
  return result;
}

void Housekeeping::NoteExpired(const std::vector<RetentionResult::ByRule>& rules) {
  absl::MutexLock lock(&mu_);
  for (const RetentionResult::ByRule& rule : rules) {
    stats_.expired_samples += rule.samples;
    stats_.expired_weeks += rule.partitions.size();
    stats_.expiries.push_back({.number = ++expiries_,
                               .rule = rule.rule,
                               .tags = rule.tags,
                               .samples = rule.samples,
                               .weeks = rule.partitions.size(),
                               .first = format::PartitionStart(rule.partitions.front()),
                               .end = format::PartitionEnd(rule.partitions.back())});
  }
  if (stats_.expiries.size() > kExpiriesMax) {
    stats_.expiries.erase(stats_.expiries.begin(), stats_.expiries.end() - kExpiriesMax);
  }
}

absl::StatusOr<RetentionResult> Housekeeping::Retain() {
  const Timestamp now = house_.believed.Get().time;
  ASSIGN_OR_RETURN(
      const Retention::Outcome outcome,
      house_.retention.Apply(house_.tags, now, /*commit=*/true, nullptr,
                             // What is open of it goes too, or into blocks from which rollups are made.
                             house_.seal));
  std::map<int32_t, PartitionState> states;
  for (const auto& [partition, state] : house_.partitions.All()) states[partition] = state;
  ASSIGN_OR_RETURN(RetentionResult result, Plan(outcome, ExpiringSamples(), nullptr));
  result.as_of = now;
  NoteExpired(result.rules);
  // Whole partitions first: they need no room. One that cannot be rewritten (no room, damage) leaves the
  // others to be done.
  absl::Status failure;
  for (const RetentionResult::Action action :
       {RetentionResult::Action::kDrop, RetentionResult::Action::kRewrite}) {
    for (const RetentionResult::Partition& partition : result.partitions) {
      if (partition.action != action || closing_) continue;
      failure.Update(action == RetentionResult::Action::kDrop
                         ? Drop(partition.partition, states[partition.partition])
                         : Settle(partition.partition, Pace::kSteady));
    }
  }
  CollectGarbage();
  RETURN_IF_ERROR(failure);
  return result;
}

absl::Status Housekeeping::Drop(int32_t partition, const PartitionState& judged) {
  absl::Status status;
  {
    absl::MutexLock lock(&house_.steps.mu());
    if (house_.partitions.Get(partition).last_seal != judged.last_seal)
      return absl::OkStatus();  // Next time.
    absl::StatusOr<Step> nothing = DropPartition(house_.store, partition, house_.steps.TakeSeals());
    status = nothing.ok() ? TakeIn(*std::move(nothing), /*dropped=*/true) : nothing.status();
  }
  // Superseded statements of slow tags lie with the weeks, beside those of others.
  if (status.ok() && format::IsLongPartition(partition)) {
    status = DropExpiredSuperseded(partition, *house_.retention.expired());
  }
  return Annotate(status, absl::StrCat("dropping ", WeekFrom(partition)));
}

// ---- Garbage

void Housekeeping::CollectGarbage() {
  for (; !garbage_.empty() && garbage_.front().readers.expired(); garbage_.pop_front()) {
    const Garbage& garbage = garbage_.front();
    absl::Status status =
        house_.store.DeleteRange(kv::Space::kPages, format::PagesPrefix(garbage.partition, 0),
                                 format::PagesPrefix(garbage.partition, garbage.seal));
    if (status.ok()) {
      absl::MutexLock lock(&house_.steps.mu());
      const PartitionState state = house_.partitions.Get(garbage.partition);
      if (state.settled != garbage.seal) continue;  // There is newer garbage.
      // Of a partition that was dropped, files go at once that compaction would have to find.
      for (const kv::Space space : {kv::Space::kHeads, kv::Space::kRollups, kv::Space::kSuperseded}) {
        if (!garbage.dropped || !status.ok()) break;
        const std::string begin = format::PartitionPrefix(garbage.partition),
                          end = format::PartitionPrefix(garbage.partition + 1);
        const std::unique_ptr<kv::Cursor> cursor = house_.store.NewCursor(space, end);
        cursor->Seek(begin);
        status = cursor->status();
        // The long partition may have brought something since.
        if (status.ok() && !cursor->Valid()) status = house_.store.DeleteRange(space, begin, end);
      }
      if (status.ok()) {
        Step step;
        step.cleaned = Step::Place{garbage.partition, garbage.seal};
        status = house_.steps.Commit(std::move(step)).status();
      }
    }
    if (!status.ok()) {
      house_.note_damage(status);
      return;  // Tried again.
    }
  }
}

}  // namespace historian
