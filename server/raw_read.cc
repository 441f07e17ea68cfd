#include "server/raw_read.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/answer_unit.h"
#include "server/continuation.h"
#include "server/read_plan.h"
#include "server/selection.h"
#include "server/wire.h"
#include "storage/checksum/checksum.h"
#include "storage/model/status_macros.h"

namespace historian::server {
namespace {

// A frame of strings ends when it has reached so much: large enough to be cheap, small enough to be on its way soon.
constexpr size_t kFrameBytes = 256 * 1024;
// The time of a bound that does not exist, where its edge is not given, from the entry before it.
constexpr int64_t kBeyond = kNanosPerSecond;

Timestamp Valid(Timestamp time) { return std::clamp(time, kTimestampMin, kTimestampMax); }

// What is to be read, and where bounds are missing in the answer.
struct Plan {
  AskedRead asked;
  RawRequest request;  // Its range may be beyond the times that samples have.
  // By OPC UA's rules, with bounds: where the read begins, and where it ends if that was said.
  bool tells_missing = false;
  Timestamp begin = 0;
  std::optional<Timestamp> end;
  bool at_one_time = false;  // Both are one.
};

// ---- The request

Timestamp Behind(Timestamp time) { return time == std::numeric_limits<Timestamp>::max() ? time : time + 1; }

absl::Status PlanByTimes(const v1::ReadRawRequest& request, Plan* plan) {
  if (request.start() > request.end()) {
    return absl::InvalidArgumentError(absl::StrCat("start ", FormatTimestamp(request.start()),
                                                   " is after end ", FormatTimestamp(request.end()),
                                                   "; opc_ua reads so, newest first"));
  }
  plan->asked.start = request.start();
  plan->asked.end = request.end();
  plan->request.start = request.start();
  plan->request.end = request.end();
  return absl::OkStatus();
}

absl::Status PlanByOpcUa(const v1::ReadRawRequest& request, Plan* plan) {
  if (request.reverse()) {
    return absl::InvalidArgumentError(
        "reverse is set, and opc_ua: by OPC UA's rules a read goes from start to end, so start > end is the "
        "reverse");
  }
  if (!request.has_start() && !request.has_end()) {
    return absl::InvalidArgumentError("neither start nor end is given, and opc_ua needs one of them");
  }
  if ((!request.has_start() || !request.has_end()) && request.limit() == 0) {
    return absl::InvalidArgumentError(absl::StrCat("only ", request.has_start() ? "start" : "end",
                                                   " is given: a limit must say where the read ends"));
  }
  AskedRead& asked = plan->asked;
  if (request.has_start()) asked.start = request.start();
  if (request.has_end()) asked.end = request.end();
  RawRequest& raw = plan->request;
  raw.reverse = !asked.start.has_value() || (asked.end.has_value() && *asked.start > *asked.end);
  raw.outer_bound_if_needed = true;
  plan->begin = asked.start.has_value() ? *asked.start : *asked.end;
  if (asked.start.has_value()) plan->end = asked.end;
  plan->at_one_time = plan->end == plan->begin;
  plan->tells_missing = request.bounds();
  if (raw.reverse) {
    raw.start = plan->end.has_value() ? Behind(*plan->end) : std::numeric_limits<Timestamp>::min();
    raw.end = Behind(plan->begin);
  } else {
    raw.start = plan->begin;
    raw.end =
        plan->at_one_time ? Behind(plan->begin) : plan->end.value_or(std::numeric_limits<Timestamp>::max());
  }
  return absl::OkStatus();
}

absl::Status CheckFilter(const v1::SampleFilter& filter, const Tag& tag) {
  const bool by_value = filter.has_minimum() || filter.has_maximum();
  const bool is_number = IsFloat(tag.type) || tag.type == ValueType::kInt64;
  if (by_value && !is_number) {
    return absl::InvalidArgumentError(absl::StrCat(TagLabel(tag), " is of type ", ValueTypeName(tag.type),
                                                   ", which is not filtered by value"));
  }
  if (std::isnan(filter.minimum()) || std::isnan(filter.maximum())) {
    return absl::InvalidArgumentError("a limit of the filter is NaN, which no value is above or below");
  }
  if (filter.has_minimum() && filter.has_maximum() && filter.minimum() > filter.maximum()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the filter's minimum ", filter.minimum(), " is above its maximum ", filter.maximum()));
  }
  if (!filter.states().empty() && tag.type != ValueType::kDigital && tag.type != ValueType::kBool) {
    return absl::InvalidArgumentError(absl::StrCat(TagLabel(tag), " is of type ", ValueTypeName(tag.type),
                                                   ", which has no states to filter by"));
  }
  if (static_cast<size_t>(filter.states_size()) > kFilterStatesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a filter by ", filter.states_size(), " states; the limit is ", kFilterStatesMax));
  }
  return absl::OkStatus();
}

// In the tag's own unit.
SampleFilter FilterOf(const v1::SampleFilter& from, const AnswerUnit& unit) {
  SampleFilter filter;
  if (from.good() || from.uncertain() || from.bad()) {
    filter.good = from.good();
    filter.uncertain = from.uncertain();
    filter.bad = from.bad();
  }
  if (from.has_minimum() || from.has_maximum()) {
    const double infinity = std::numeric_limits<double>::infinity();
    filter.values = unit.OwnRange(from.has_minimum() ? from.minimum() : -infinity,
                                  from.has_maximum() ? from.maximum() : infinity);
  }
  filter.states.assign(from.states().begin(), from.states().end());
  std::sort(filter.states.begin(), filter.states.end());
  return filter;
}

// Of what a continuation must share with the request that it belongs to. DO NOT CHANGE: clients keep continuations.
uint64_t ChecksumOf(const v1::SampleFilter& filter, absl::string_view unit) {
  std::string bytes;
  const auto append = [&](uint64_t value) {
    for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  };
  append((filter.good() ? 1 : 0) | (filter.uncertain() ? 2 : 0) | (filter.bad() ? 4 : 0) |
         (filter.has_minimum() ? 8 : 0) | (filter.has_maximum() ? 16 : 0));
  append(std::bit_cast<uint64_t>(filter.minimum()));
  append(std::bit_cast<uint64_t>(filter.maximum()));
  for (const uint32_t state : filter.states()) append(state);
  if (filter.has_minimum() || filter.has_maximum()) absl::StrAppend(&bytes, unit);
  // 0 is a read without a filter.
  return std::max<uint64_t>(1, ChainedChecksum(0, bytes));
}

// ---- The answer

class RawSource final : public FrameSource {
 public:
  RawSource(Plan plan, AnswerUnit unit, uint64_t limit, std::unique_ptr<RawReader> reader)
      : plan_(std::move(plan)),
        unit_(std::move(unit)),
        left_(limit == 0 ? UINT64_MAX : limit),
        reader_(std::move(reader)),
        last_(plan_.request.resume_after),
        begun_(last_.has_value() || !plan_.tells_missing),
        ended_(!plan_.tells_missing) {}

  // Of all frames.
  v1::RawFrame& frame() { return frame_; }

  absl::StatusOr<Step> Next(grpc::ByteBuffer* frame) override {
    if (next_ == batch_.size()) {
      ASSIGN_OR_RETURN(const bool more, Refill());
      if (!more) return Step::kEnd;
    }
    const size_t count = std::min<uint64_t>({batch_.size() - next_, left_, CountThatFits()});
    ColumnToWire(plan_.asked.tag, unit_.type(), batch_.View().Slice(next_, count), frame_.mutable_samples());
    const Timestamp last = batch_.times[next_ + count - 1];
    next_ += count;
    left_ -= count;
    if (left_ > 0) {
      *frame = SerializeMessage(frame_);
      // The status then travels with the frame, which spares a short answer a second one.
      return next_ == batch_.size() && ended_ && reader_->AtEnd() ? Step::kLastFrame : Step::kFrame;
    }
    // The limit ended it; only if something follows is there a way to go on.
    bool more = next_ < batch_.size();
    if (!more) {
      ASSIGN_OR_RETURN(more, Refill());
    }
    if (more) frame_.set_continuation(EncodeContinuation(plan_.asked, last));
    *frame = SerializeMessage(frame_);
    return Step::kLastFrame;
  }

 private:
  bool reverse() const { return plan_.request.reverse; }
  // Whether a is at b, or beyond it in the direction of the read.
  bool Reaches(Timestamp a, Timestamp b) const { return reverse() ? a <= b : a >= b; }

  // Replaces the batch by the next entries; false at the end.
  absl::StatusOr<bool> Refill() {
    next_ = 0;
    while (true) {
      batch_.Clear();
      ASSIGN_OR_RETURN(const bool more, reader_->Next(&batch_));
      unit_.Convert(&batch_);
      if (!begun_ && (!batch_.empty() || !more)) Begin();
      if (!batch_.empty()) {
        last_ = batch_.times.back();
        // A short answer is one frame.
        if (!ended_ && reader_->AtEnd()) End();
        return true;
      }
      if (more) continue;
      if (ended_) return false;
      End();
      return !batch_.empty();
    }
  }

  // Puts what the read begins with in front of the first samples, if it does not exist.
  void Begin() {
    begun_ = true;
    // A sample at the edge or before it is the bound.
    if (!batch_.empty() && (batch_.times[0] == plan_.begin || !Reaches(batch_.times[0], plan_.begin))) return;
    Samples all;
    AddMissing(plan_.begin, &all);
    all.Append(unit_.type(), batch_.View());
    batch_ = std::move(all);
  }

  // What the read ends with, if it does not exist.
  void End() {
    ended_ = true;
    if (last_.has_value() && plan_.end.has_value() && Reaches(*last_, *plan_.end) &&
        !(plan_.at_one_time && *last_ == plan_.begin)) {
      return;
    }
    if (plan_.end.has_value()) {
      AddMissing(*plan_.end, &batch_);
    } else if (reverse()) {
      AddMissing(std::max(Valid(*last_), kTimestampMin + kBeyond) - kBeyond, &batch_);
    } else {
      AddMissing(std::min(Valid(*last_), kTimestampMax - kBeyond) + kBeyond, &batch_);
    }
  }

  void AddMissing(Timestamp time, Samples* to) const {
    if (unit_.type() == ValueType::kString) {
      to->AddString(Valid(time), "", kBadNoBound);
    } else {
      to->Add(Valid(time), 0, kBadNoBound);
    }
  }

  // Strings may be long: fewer of them make a frame, but at least one does.
  size_t CountThatFits() const {
    if (unit_.type() != ValueType::kString) return kRawBatchMax;
    const SamplesView view = batch_.View();
    size_t bytes = 0;
    size_t count = 0;
    while (next_ + count < view.size && count < kRawBatchMax) {
      bytes += view.StringAt(next_ + count).size() + 16;
      if (count > 0 && bytes > kFrameBytes) break;
      ++count;
    }
    return count;
  }

  const Plan plan_;
  const AnswerUnit unit_;
  uint64_t left_;
  const std::unique_ptr<RawReader> reader_;
  std::optional<Timestamp> last_;  // Of the entries so far, those of earlier parts among them.
  bool begun_;                     // Whether a bound that does not exist where the read begins has been told.
  bool ended_;                     // The same where it ends.
  Samples batch_;
  size_t next_ = 0;  // In batch_.
  v1::RawFrame frame_;
};

}  // namespace

Run WhereToReadRaw(const v1::ReadRawRequest& request) {
  if (request.has_as_of() || request.has_filter()) return Run::kOnPool;
  if (request.opc_ua() && (!request.has_start() || !request.has_end())) return Run::kOnPool;
  const auto [first, last] = std::minmax({request.start(), request.end()});
  // A range the wrong way round is refused, which is quick.
  const bool is_quick = !request.opc_ua() && request.start() >= request.end();
  return is_quick || Elapsed(first, last) <= kQuickNanos ? Run::kHere : Run::kOnPool;
}

absl::StatusOr<std::unique_ptr<FrameSource>> OpenRawRead(ServiceEnv& env, const v1::ReadRawRequest& request,
                                                         const KeepGoing& keep_going, CallRecord& record) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const Tag> tag, FindTagOf(record.tags(), Right::kRead, request));
  record.Describe([tag, start = request.start(), end = request.end()] {
    return absl::StrCat("tag ", tag->id, " '", tag->name, "' ", FormatTimestamp(start), " to ",
                        FormatTimestamp(end));
  });
  Plan plan{.asked = {.tag = tag->id,
                      .bounds = request.bounds(),
                      .reverse = request.reverse(),
                      .opc_ua = request.opc_ua()},
            .request = {.tag = tag->id, .bounds = request.bounds(), .reverse = request.reverse()}};
  RETURN_IF_ERROR(request.opc_ua() ? PlanByOpcUa(request, &plan) : PlanByTimes(request, &plan));
  if (request.has_filter()) {
    RETURN_IF_ERROR(CheckFilter(request.filter(), *tag));
    plan.asked.filter = ChecksumOf(request.filter(), request.unit());
  }
  ASSIGN_OR_RETURN(Version as_of, AsOfOf(env.archive.versions(), request));
  if (!request.continuation().empty()) {
    ASSIGN_OR_RETURN(const Continuation continuation, DecodeContinuation(request.continuation(), plan.asked));
    const bool goes_on = request.as_of().at_case() == v1::AsOf::kTime && continuation.as_of != kVersionNow;
    if (goes_on) {
      ASSIGN_OR_RETURN(as_of, env.archive.versions().Resolve({.version = continuation.as_of}));
    } else if (as_of != continuation.as_of) {
      return absl::InvalidArgumentError(
          continuation.as_of == kVersionNow
              ? "the continuation belongs to another request: one without as_of"
              : absl::StrCat("the continuation belongs to another request: as of version ",
                             continuation.as_of));
    }
    plan.request.resume_after = continuation.last;
  }
  plan.asked.as_of = as_of;
  plan.request.as_of = as_of;

  ASSIGN_OR_RETURN(AnswerUnits units, AnswerUnits::Make(env.archive.tags(), as_of, request.unit()));
  ASSIGN_OR_RETURN(const std::shared_ptr<const Tag> then, units.Then(tag->id));
  ASSIGN_OR_RETURN(AnswerUnit unit, units.For(*then));
  if (request.has_filter()) plan.request.filter = FilterOf(request.filter(), unit);
  ASSIGN_OR_RETURN(std::unique_ptr<RawReader> reader, env.archive.ReadRaw(plan.request, keep_going));
  auto source =
      std::make_unique<RawSource>(std::move(plan), std::move(unit), request.limit(), std::move(reader));
  source->frame().set_version(AnsweredVersion(env.archive.versions(), as_of));
  source->frame().set_unit(request.unit().empty() ? then->unit : request.unit());
  return source;
}

}  // namespace historian::server
