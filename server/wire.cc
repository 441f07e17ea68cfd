#include "server/wire.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/model/status_macros.h"
#include "storage/platform/simd.h"
#include "storage/units/unit_meaning.h"

namespace historian::server {
namespace {

constexpr Timestamp kNever = std::numeric_limits<Timestamp>::max();

// first + count * unit, or kNever when that does not fit: never a valid time by accident.
Timestamp Later(Timestamp first, uint64_t count, uint64_t unit) {
  const unsigned __int128 ahead = static_cast<unsigned __int128>(count) * unit;
  const unsigned __int128 room = Elapsed(first, kNever);
  return ahead >= room ? kNever
                       : static_cast<Timestamp>(static_cast<uint64_t>(first) + static_cast<uint64_t>(ahead));
}

HISTORIAN_SIMD void AddOffsets(uint64_t first, const uint32_t* offsets, size_t size, uint64_t unit,
                               Timestamp* times) {
  for (size_t i = 0; i < size; ++i) times[i] = static_cast<Timestamp>(first + offsets[i] * unit);
}

HISTORIAN_SIMD void AddSteps(uint64_t first, uint64_t step, size_t size, Timestamp* times) {
  for (size_t i = 0; i < size; ++i) times[i] = static_cast<Timestamp>(first + i * step);
}

// Columns of one place in a producer's frames differ in size by a few samples: with a few more than asked for
// the next one fits, too.
template <typename T>
void ReserveWithRoom(std::vector<T>* v, size_t size) {
  constexpr size_t kRoomMax = 64;
  if (v->capacity() < size) v->reserve(size + std::min(size / 4, kRoomMax));
}

// How many samples the times alone stand for: as many as the values for the regular form.
size_t CountOf(const v1::Times& times, size_t values) {
  switch (times.form_case()) {
    case v1::Times::kExplicit:
      return times.explicit_().at_size();
    case v1::Times::kOffsets:
      return times.offsets().offsets_size();
    case v1::Times::kRegular:
      return values;
    case v1::Times::FORM_NOT_SET:
      return 0;
  }
  return 0;
}

// Requires CountOf(from) == size. Empty when well-formed, else what is wrong.
absl::string_view FillTimes(const v1::Times& from, size_t size, std::vector<Timestamp>* to) {
  ReserveWithRoom(to, size);
  switch (from.form_case()) {
    case v1::Times::kExplicit:
      to->assign(from.explicit_().at().data(), from.explicit_().at().data() + size);
      return "";
    case v1::Times::kOffsets: {
      const v1::Times::Offsets& form = from.offsets();
      if (form.unit_ns() == 0) return "times have offsets in units of 0 ns";
      const uint32_t* offsets = form.offsets().data();
      const uint64_t unit = form.unit_ns();
      to->resize(size);
      Timestamp* times = to->data();
      if (Later(form.first(), std::numeric_limits<uint32_t>::max(), unit) != kNever) {
        AddOffsets(static_cast<uint64_t>(form.first()), offsets, size, unit, times);
      } else {
        for (size_t i = 0; i < size; ++i) times[i] = Later(form.first(), offsets[i], unit);
      }
      return "";
    }
    case v1::Times::kRegular: {
      const v1::Times::Regular& form = from.regular();
      if (form.step_ns() == 0 && size > 1) return "times have a step of 0 ns";
      to->resize(size);
      Timestamp* times = to->data();
      if (Later(form.first(), size, form.step_ns()) != kNever) {
        AddSteps(static_cast<uint64_t>(form.first()), form.step_ns(), size, times);
      } else {
        for (size_t i = 0; i < size; ++i) times[i] = Later(form.first(), i, form.step_ns());
      }
      return "";
    }
    case v1::Times::FORM_NOT_SET:
      to->clear();
      return "";
  }
  return "";
}

// The first time, for a Rejection; 0 when there is none.
Timestamp FirstTime(const v1::Times& times) {
  switch (times.form_case()) {
    case v1::Times::kExplicit:
      return times.explicit_().at_size() == 0 ? 0 : times.explicit_().at(0);
    case v1::Times::kOffsets:
      return times.offsets().offsets_size() == 0
                 ? 0
                 : Later(times.offsets().first(), times.offsets().offsets(0), times.offsets().unit_ns());
    case v1::Times::kRegular:
      return times.regular().first();
    case v1::Times::FORM_NOT_SET:
      return 0;
  }
  return 0;
}

size_t CountOf(const v1::Values& values) {
  switch (values.kind_case()) {
    case v1::Values::kFloat64:
      return values.float64().values_size();
    case v1::Values::kFloat32:
      return values.float32().values_size();
    case v1::Values::kInt64:
      return values.int64().values_size();
    case v1::Values::kBool:
      return values.bool_().values_size();
    case v1::Values::kDigital:
      return values.digital().values_size();
    case v1::Values::kString:
      return values.string().values_size();
    case v1::Values::KIND_NOT_SET:
      return 0;
  }
  return 0;
}

// Requires CountOf(from) == size, and values to have a kind.
ValueType FillValues(const v1::Values& from, size_t size, std::vector<ValueBits>* to, StringColumn* strings) {
  strings->Clear();
  ReserveWithRoom(to, size);
  switch (from.kind_case()) {
    case v1::Values::kFloat64: {
      const auto& values = from.float64().values();
      to->resize(size);
      if (size > 0) std::memcpy(to->data(), values.data(), size * sizeof(double));
      return ValueType::kFloat64;
    }
    case v1::Values::kFloat32: {
      const auto& values = from.float32().values();
      to->resize(size);
      const float* data = values.data();
      for (size_t i = 0; i < size; ++i) (*to)[i] = BitsOfFloat32(data[i]);
      return ValueType::kFloat32;
    }
    case v1::Values::kInt64: {
      const auto& values = from.int64().values();
      const auto* bits = reinterpret_cast<const ValueBits*>(values.data());
      to->assign(bits, bits + values.size());
      return ValueType::kInt64;
    }
    case v1::Values::kBool: {
      const auto& values = from.bool_().values();
      to->assign(values.begin(), values.end());
      return ValueType::kBool;
    }
    case v1::Values::kDigital: {
      const auto& values = from.digital().values();
      to->assign(values.begin(), values.end());
      return ValueType::kDigital;
    }
    case v1::Values::kString:
    case v1::Values::KIND_NOT_SET:
      break;
  }
  to->clear();
  for (const std::string& value : from.string().values()) to->push_back(strings->Add(value));
  return ValueType::kString;
}

// Empty when the runs ascend within `size` and do not overlap, else what is wrong. *to becomes empty when all
// are Good.
std::string FillQualities(const v1::Qualities& from, size_t size, std::vector<Quality>* to) {
  to->clear();
  if (from.count_size() != from.first_size() || from.quality_size() != from.first_size()) {
    return absl::StrCat("quality runs have ", from.first_size(), " begins, ", from.count_size(),
                        " counts and ", from.quality_size(), " qualities");
  }
  uint64_t end = 0;
  for (int i = 0; i < from.first_size(); ++i) {
    const uint32_t first = from.first(i), count = from.count(i);
    const uint64_t run_end = uint64_t{first} + count;
    if (first < end)
      return absl::StrCat("the quality run from ", first, " overlaps or precedes the one before");
    if (run_end > size) {
      return absl::StrCat("a quality run covers samples ", first, " to ", run_end, " of ", size);
    }
    end = run_end;
    if (from.quality(i) == kGood || count == 0) continue;
    if (to->empty()) to->resize(size, kGood);
    std::fill(to->begin() + first, to->begin() + static_cast<ptrdiff_t>(run_end), from.quality(i));
  }
  return "";
}

class FrameReader {
 public:
  FrameReader(const v1::Frame& from, Frame* frame, FrameNotes* notes)
      : from_(from), frame_(frame), notes_(notes) {}

  void Read() {
    frame_->sequence = from_.sequence();
    frame_->columns.resize(from_.columns_size());
    size_t kept = 0;
    for (int i = 0; i < from_.columns_size(); ++i) {
      if (ReadColumn(i, &frame_->columns[kept])) ++kept;
    }
    frame_->columns.resize(kept);
    frame_->snapshots.resize(from_.snapshots_size());
    kept = 0;
    for (int i = 0; i < from_.snapshots_size(); ++i) {
      if (ReadSnapshot(i, &frame_->snapshots[kept])) ++kept;
    }
    frame_->snapshots.resize(kept);
  }

 private:
  // False when nothing of it is kept.
  bool ReadColumn(int index, FrameColumn* to) {
    const v1::Column& from = from_.columns(index);
    const size_t values = CountOf(from.values());
    const size_t times = CountOf(from.times(), values);
    const auto reject = [&](std::string what) {
      Reject(index, false, std::max(times, values), from.tag_id(), FirstTime(from.times()),
             absl::StrCat("column ", index, " of tag ", from.tag_id(), ": ", what));
      return false;
    };
    if (times != values) {
      return reject(absl::StrCat(
          times, " times", from.times().form_case() == v1::Times::FORM_NOT_SET ? " (no form set)" : "",
          " and ", values, " values",
          from.values().kind_case() == v1::Values::KIND_NOT_SET ? " (no kind set)" : ""));
    }
    if (values == 0) return false;  // An empty column is none.
    to->tag = from.tag_id();
    to->index = index;
    if (absl::string_view wrong = FillTimes(from.times(), values, &to->samples.times); !wrong.empty()) {
      return reject(std::string(wrong));
    }
    if (std::string wrong = FillQualities(from.qualities(), values, &to->samples.qualities); !wrong.empty()) {
      return reject(std::move(wrong));
    }
    to->type = FillValues(from.values(), values, &to->samples.values, &to->samples.strings);
    return true;
  }

  bool ReadSnapshot(int index, FrameSnapshot* to) {
    const v1::Snapshot& from = from_.snapshots(index);
    const size_t values = CountOf(from.values());
    const size_t tags = from.tag_ids_size();
    const auto reject = [&](std::string what) {
      Reject(index, true, std::max(tags, values), tags == 0 ? 0 : from.tag_ids(0), from.time(),
             absl::StrCat("snapshot ", index, " at ", FormatTimestamp(from.time()), ": ", what));
      return false;
    };
    if (tags != values) {
      return reject(
          absl::StrCat(tags, " tags and ", values, " values",
                       from.values().kind_case() == v1::Values::KIND_NOT_SET ? " (no kind set)" : ""));
    }
    if (values == 0) return false;
    if (std::string wrong = FillQualities(from.qualities(), values, &to->qualities); !wrong.empty()) {
      return reject(std::move(wrong));
    }
    to->time = from.time();
    to->index = index;
    to->tags.assign(from.tag_ids().begin(), from.tag_ids().end());
    to->type = FillValues(from.values(), values, &to->values, &to->strings);
    return true;
  }

  void Reject(int index, bool in_snapshot, size_t count, TagId tag, Timestamp time, std::string message) {
    notes_->rejected += count;
    if (notes_->rejections.size() >= kRejectionsListedMax) return;
    notes_->rejections.push_back({.sequence = from_.sequence(),
                                  .index = static_cast<uint32_t>(index),
                                  .in_snapshot = in_snapshot,
                                  .first = 0,
                                  .count = static_cast<uint32_t>(count),
                                  .tag = tag,
                                  .time = time,
                                  .reason = RejectionReason::kLengthMismatch,
                                  .message = std::move(message)});
  }

  const v1::Frame& from_;
  Frame* const frame_;
  FrameNotes* const notes_;
};

void RejectionToWire(const Rejection& from, v1::Rejection* to) {
  to->set_sequence(from.sequence);
  to->set_column(from.index);
  to->set_in_snapshot(from.in_snapshot);
  to->set_first(from.first);
  to->set_count(from.count);
  to->set_tag_id(from.tag);
  to->set_time(from.time);
  to->set_reason(static_cast<v1::RejectionReason>(from.reason));
  to->set_message(from.message);
}

// The step of evenly spaced times (0 for one sample); false when they are not.
bool FindStep(const Timestamp* times, size_t size, uint64_t* step) {
  *step = 0;
  if (size < 2) return size == 1;
  if (times[1] <= times[0]) return false;
  *step = Elapsed(times[0], times[1]);
  for (size_t i = 2; i < size; ++i) {
    if (times[i] <= times[i - 1] || Elapsed(times[i - 1], times[i]) != *step) return false;
  }
  return true;
}

// Whether all times are times[0] plus an offset below 2^32 in units of kUnit, written to *to. A constant
// unit, because dividing by one is a multiplication.
template <uint64_t kUnit>
bool FillOffsets(const Timestamp* times, size_t size, v1::Times* to) {
  const Timestamp last = times[size - 1];
  if (last < times[0] || Elapsed(times[0], last) / kUnit > std::numeric_limits<uint32_t>::max()) return false;
  // The last is tried first: most times that do not fit are found out at once.
  if (Elapsed(times[0], last) % kUnit != 0) return false;
  auto* offsets = to->mutable_offsets();
  auto* field = offsets->mutable_offsets();
  field->Resize(static_cast<int>(size), 0);
  uint32_t* out = field->mutable_data();
  for (size_t i = 0; i < size; ++i) {
    const uint64_t ahead = Elapsed(times[0], times[i]);  // Huge when times do not ascend.
    const uint64_t units = ahead / kUnit;
    if (units * kUnit != ahead || units > std::numeric_limits<uint32_t>::max()) return false;
    out[i] = static_cast<uint32_t>(units);
  }
  offsets->set_first(times[0]);
  offsets->set_unit_ns(kUnit);
  return true;
}

}  // namespace

void FrameFromWire(const v1::Frame& from, Frame* frame, FrameNotes* notes) {
  *notes = FrameNotes();
  FrameReader(from, frame, notes).Read();
}

void TimesToWire(const Timestamp* times, size_t size, v1::Times* to) {
  to->Clear();
  if (size == 0) return;
  if (uint64_t step = 0; FindStep(times, size, &step)) {
    to->mutable_regular()->set_first(times[0]);
    to->mutable_regular()->set_step_ns(step);
    return;
  }
  if (FillOffsets<1>(times, size, to) || FillOffsets<1'000>(times, size, to) ||
      FillOffsets<1'000'000>(times, size, to) || FillOffsets<1'000'000'000>(times, size, to)) {
    return;
  }
  to->mutable_explicit_()->mutable_at()->Add(times, times + size);
}

void ValuesToWire(ValueType type, const ValueBits* values, size_t size, const StringColumn* strings,
                  v1::Values* to) {
  const int count = static_cast<int>(size);
  switch (type) {
    case ValueType::kFloat64: {
      auto* field = to->mutable_float64()->mutable_values();
      field->Resize(count, 0);
      if (size > 0) std::memcpy(field->mutable_data(), values, size * sizeof(double));
      return;
    }
    case ValueType::kFloat32: {
      auto* field = to->mutable_float32()->mutable_values();
      field->Resize(count, 0);
      float* out = field->mutable_data();
      for (size_t i = 0; i < size; ++i) out[i] = Float32OfBits(values[i]);
      return;
    }
    case ValueType::kInt64: {
      auto* field = to->mutable_int64()->mutable_values();
      field->Resize(count, 0);
      if (size > 0) std::memcpy(field->mutable_data(), values, size * sizeof(int64_t));
      return;
    }
    case ValueType::kBool: {
      auto* field = to->mutable_bool_()->mutable_values();
      field->Resize(count, false);
      bool* out = field->mutable_data();
      for (size_t i = 0; i < size; ++i) out[i] = values[i] != 0;
      return;
    }
    case ValueType::kDigital: {
      auto* field = to->mutable_digital()->mutable_values();
      field->Resize(count, 0);
      uint32_t* out = field->mutable_data();
      for (size_t i = 0; i < size; ++i) out[i] = static_cast<uint32_t>(values[i]);
      return;
    }
    case ValueType::kString: {
      auto* field = to->mutable_string()->mutable_values();
      field->Clear();
      field->Reserve(count);
      for (size_t i = 0; i < size; ++i) {
        const absl::string_view text = (*strings)[values[i]];
        field->Add()->assign(text.data(), text.size());
      }
      return;
    }
  }
}

void QualitiesToWire(const Quality* qualities, size_t size, v1::Qualities* to, Quality usual) {
  to->Clear();
  for (size_t first = 0; first < size;) {
    size_t end = first + 1;
    while (end < size && qualities[end] == qualities[first]) ++end;
    if (qualities[first] != usual) {
      to->add_first(static_cast<uint32_t>(first));
      to->add_count(static_cast<uint32_t>(end - first));
      to->add_quality(qualities[first]);
    }
    first = end;
  }
}

void ColumnToWire(TagId tag, ValueType type, const SamplesView& samples, v1::Column* to) {
  to->set_tag_id(tag);
  TimesToWire(samples.times, samples.size, to->mutable_times());
  ValuesToWire(type, samples.values, samples.size, samples.strings, to->mutable_values());
  SetQualities(samples.qualities, samples.size, to);
}

void AddMalformed(FrameNotes notes, WriteResult* result) {
  if (result->repeated || notes.rejected == 0) return;
  result->rejected += notes.rejected;
  result->rejections.insert(result->rejections.begin(), std::make_move_iterator(notes.rejections.begin()),
                            std::make_move_iterator(notes.rejections.end()));
}

void AddResult(const WriteResult& result, v1::WriteAck* ack) {
  ack->set_samples_stored(ack->samples_stored() + result.stored);
  ack->set_samples_rejected(ack->samples_rejected() + result.rejected);
  if (result.repeated) ack->set_frames_repeated(ack->frames_repeated() + 1);
  for (const Rejection& rejection : result.rejections) {
    if (ack->rejections_size() >= static_cast<int>(kRejectionsListedMax)) break;
    RejectionToWire(rejection, ack->add_rejections());
  }
}

static_assert(v1::REJECTION_REASON_UNKNOWN_TAG == static_cast<int>(RejectionReason::kUnknownTag) &&
              v1::REJECTION_REASON_RETIRED_TAG == static_cast<int>(RejectionReason::kRetiredTag) &&
              v1::REJECTION_REASON_WRONG_TYPE == static_cast<int>(RejectionReason::kWrongType) &&
              v1::REJECTION_REASON_LENGTH_MISMATCH == static_cast<int>(RejectionReason::kLengthMismatch) &&
              v1::REJECTION_REASON_TIME_OUT_OF_RANGE == static_cast<int>(RejectionReason::kTimeOutOfRange) &&
              v1::REJECTION_REASON_TIME_NOT_ASCENDING ==
                  static_cast<int>(RejectionReason::kTimeNotAscending) &&
              v1::REJECTION_REASON_UNKNOWN_QUALITY == static_cast<int>(RejectionReason::kUnknownQuality) &&
              v1::REJECTION_REASON_VALUE_TOO_LARGE == static_cast<int>(RejectionReason::kValueTooLarge) &&
              v1::REJECTION_REASON_EXPIRED == static_cast<int>(RejectionReason::kExpired) &&
              v1::REJECTION_REASON_NOT_PERMITTED == static_cast<int>(RejectionReason::kNotPermitted));

v1::ValueType ValueTypeToWire(ValueType type) { return static_cast<v1::ValueType>(type); }

static_assert(v1::VALUE_TYPE_FLOAT64 == static_cast<int>(ValueType::kFloat64) &&
              v1::VALUE_TYPE_FLOAT32 == static_cast<int>(ValueType::kFloat32) &&
              v1::VALUE_TYPE_INT64 == static_cast<int>(ValueType::kInt64) &&
              v1::VALUE_TYPE_BOOL == static_cast<int>(ValueType::kBool) &&
              v1::VALUE_TYPE_DIGITAL == static_cast<int>(ValueType::kDigital) &&
              v1::VALUE_TYPE_STRING == static_cast<int>(ValueType::kString));

absl::StatusOr<ValueType> ValueTypeFromWire(int type) {
  if (type < 1 || type > 6) {
    return absl::InvalidArgumentError(
        type == 0 ? "the value type is not given"
                  : absl::StrCat("unknown value type ", type, "; expected 1 (float64) to 6 (string)"));
  }
  return static_cast<ValueType>(type);
}

v1::Interpolation InterpolationToWire(Interpolation interpolation) {
  return interpolation == Interpolation::kStepped ? v1::INTERPOLATION_STEPPED : v1::INTERPOLATION_SLOPED;
}

absl::StatusOr<Interpolation> InterpolationFromWire(int interpolation) {
  if (interpolation == v1::INTERPOLATION_STEPPED) return Interpolation::kStepped;
  if (interpolation == v1::INTERPOLATION_SLOPED) return Interpolation::kSloped;
  return absl::InvalidArgumentError(
      absl::StrCat("unknown interpolation ", interpolation, "; expected 1 (stepped) or 2 (sloped)"));
}

v1::Aggregate AggregateToWire(Aggregate aggregate) { return static_cast<v1::Aggregate>(aggregate); }

absl::StatusOr<Aggregate> AggregateFromWire(int aggregate) {
  if (const AggregateInfo* info = FindAggregate(aggregate); info != nullptr) return info->id;
  return absl::InvalidArgumentError(
      absl::StrCat("unknown aggregate ", aggregate,
                   "; the known ones are the values of historian.v1.Aggregate (query.proto), but for 0"));
}

void TagToWire(const Tag& from, v1::Tag* to) {
  to->set_id(from.id);
  to->set_name(from.name);
  to->set_type(ValueTypeToWire(from.type));
  to->set_interpolation(InterpolationToWire(from.interpolation));
  to->set_unit(from.unit);
  to->set_description(from.description);
  for (const auto& [code, name] : from.states) (*to->mutable_states())[code] = name;
  for (const auto& [key, value] : from.attributes) (*to->mutable_attributes())[key] = value;
  to->set_stale_after_s(static_cast<uint32_t>(absl::ToInt64Seconds(from.stale_after)));
  to->set_retired(from.retired);
  to->set_created(from.created);
  to->set_updated(from.updated);
}

void UnitInfoToWire(absl::string_view unit, v1::UnitInfo* to) {
  const std::shared_ptr<const UnitMeaning> meaning = MeaningOfUnit(unit);
  to->set_known(meaning->known);
  to->set_ucum(meaning->ucum);
  to->set_quantity(meaning->quantity);
  to->set_si_unit(meaning->coherent);
  to->set_factor(meaning->factor);
  to->set_offset(meaning->offset);
  to->set_note(meaning->note);
}

absl::StatusOr<Tag> TagFromWire(const v1::Tag& from) {
  Tag to;
  to.name = from.name();
  const absl::StatusOr<ValueType> type = ValueTypeFromWire(from.type());
  if (!type.ok()) return Annotate(type.status(), absl::StrCat("tag '", from.name(), "'"));
  to.type = *type;
  to.interpolation = DefaultInterpolation(to.type);
  if (from.interpolation() != v1::INTERPOLATION_UNSPECIFIED) {
    const absl::StatusOr<Interpolation> interpolation = InterpolationFromWire(from.interpolation());
    if (!interpolation.ok()) return Annotate(interpolation.status(), absl::StrCat("tag '", from.name(), "'"));
    to.interpolation = *interpolation;
  }
  to.unit = from.unit();
  to.stale_after = absl::Seconds(from.stale_after_s());
  to.description = from.description();
  to.states = {from.states().begin(), from.states().end()};
  to.attributes = {from.attributes().begin(), from.attributes().end()};
  return to;
}

absl::StatusOr<TagChange> TagChangeFromWire(const v1::TagUpdate& from) {
  TagChange to;
  if (from.has_type()) {
    ASSIGN_OR_RETURN(to.type, ValueTypeFromWire(from.type()));
  }
  if (from.has_unit()) to.unit = from.unit();
  if (from.has_stale_after_s()) to.stale_after = absl::Seconds(from.stale_after_s());
  if (from.has_description()) to.description = from.description();
  if (from.has_interpolation()) {
    ASSIGN_OR_RETURN(to.interpolation, InterpolationFromWire(from.interpolation()));
  }
  to.set_states = {from.set_states().begin(), from.set_states().end()};
  to.remove_states = {from.remove_states().begin(), from.remove_states().end()};
  to.set_attributes = {from.set_attributes().begin(), from.set_attributes().end()};
  to.remove_attributes = {from.remove_attributes().begin(), from.remove_attributes().end()};
  return to;
}

void BlockIdToWire(const format::BlockId& from, v1::BlockKey* to) {
  to->set_partition(from.partition);
  to->set_tag_id(from.tag);
  to->set_first_time(from.first_time);
  to->set_seal(from.seal);
}

format::BlockId BlockIdFromWire(const v1::BlockKey& from) {
  return {.partition = from.partition(),
          .tag = from.tag_id(),
          .first_time = from.first_time(),
          .seal = from.seal()};
}

void BlockInfoToWire(const BlockInfo& from, v1::BlockInfo* to) {
  BlockIdToWire(from.id, to->mutable_key());
  to->set_first_time(from.first_time);
  to->set_last_time(from.last_time);
  to->set_samples(from.samples);
  to->set_pages(from.pages);
  to->set_head_bytes(from.head_bytes);
  to->set_payload_bytes(from.payload_bytes);
}

void VersionToWire(const ClosedVersion& from, v1::Version* to) {
  to->set_version(from.version);
  to->set_time(from.time);
  to->set_clock(from.clock);
  switch (from.cause) {
    case VersionCause::kSeal:
      to->set_cause(v1::Version::CAUSE_SEAL);
      break;
    case VersionCause::kMark:
      to->set_cause(v1::Version::CAUSE_MARK);
      break;
    case VersionCause::kPeriod:
      to->set_cause(v1::Version::CAUSE_PERIOD);
      break;
  }
  to->set_author(from.author);
  to->set_comment(from.comment);
}

void TagStorageToWire(TagId tag, const TagStorage& from, v1::TagStorage* to) {
  to->set_tag_id(tag);
  to->set_samples(from.samples);
  to->set_samples_open(from.samples_open);
  to->set_blocks(from.blocks);
  to->set_head_bytes(from.head_bytes);
  to->set_payload_bytes(from.payload_bytes);
  to->set_rollup_bytes(from.rollup_bytes);
  to->set_first_time(from.first_time);
  to->set_last_time(from.last_time);
}

namespace {

// On the wire 0 seconds are for ever.
uint64_t KeepToWire(absl::Duration keep) {
  return keep == absl::InfiniteDuration() ? 0 : static_cast<uint64_t>(absl::ToInt64Seconds(keep));
}
absl::Duration KeepFromWire(uint64_t seconds) {
  return seconds == 0 ? absl::InfiniteDuration() : absl::Seconds(seconds);
}

}  // namespace

void RetentionRuleToWire(const RetentionRule& from, v1::RetentionRule* to) {
  to->set_name(from.name);
  to->set_pattern(from.pattern);
  to->set_keep_raw_s(KeepToWire(from.keep_raw));
  to->set_keep_rollups_s(KeepToWire(from.keep_rollups));
  to->set_comment(from.comment);
  to->set_changed_by(from.changed_by);
  to->set_changed(from.changed);
}

RetentionRule RetentionRuleFromWire(const v1::RetentionRule& from) {
  return {.name = from.name(),
          .pattern = from.pattern(),
          .keep_raw = KeepFromWire(from.keep_raw_s()),
          .keep_rollups = KeepFromWire(from.keep_rollups_s()),
          .comment = from.comment(),
          .changed_by = from.changed_by()};
}

void LegalHoldToWire(const LegalHold& from, v1::LegalHold* to) {
  to->set_id(from.id);
  to->set_name(from.name);
  to->set_pattern(from.pattern);
  to->set_start(from.start);
  to->set_end(from.end);
  to->set_reason(from.reason);
  to->set_placed_by(from.placed_by);
  to->set_placed(from.placed);
  if (from.released.has_value()) {
    to->mutable_release()->set_reason(from.released->reason);
    to->mutable_release()->set_by(from.released->by);
    to->mutable_release()->set_at(from.released->at);
  }
}

static_assert(v1::ApplyRetentionResponse::Partition::ACTION_DROP ==
                  static_cast<int>(RetentionResult::Action::kDrop) &&
              v1::ApplyRetentionResponse::Partition::ACTION_REWRITE ==
                  static_cast<int>(RetentionResult::Action::kRewrite) &&
              v1::ApplyRetentionResponse::Partition::ACTION_WAIT ==
                  static_cast<int>(RetentionResult::Action::kWait));

void RetentionResultToWire(const RetentionResult& from, v1::ApplyRetentionResponse* to) {
  to->set_as_of(from.as_of);
  to->set_tags(from.tags);
  to->set_samples(from.samples);
  to->set_bytes(from.bytes);
  for (const RetentionResult::Partition& partition : from.partitions) {
    v1::ApplyRetentionResponse::Partition* out = to->add_partitions();
    out->set_start(format::PartitionStart(partition.partition));
    out->set_end(format::PartitionEnd(partition.partition));
    out->set_action(static_cast<v1::ApplyRetentionResponse::Partition::Action>(partition.action));
    out->set_samples(partition.samples);
    out->set_bytes(partition.bytes);
  }
}

void DamageToWire(const Damage& from, const TagRegistry& tags, v1::Damage* to) {
  const auto where = [&from] {
    switch (from.part) {
      case StoredPart::kBlock:
        return v1::Damage::WHERE_BLOCK;
      case StoredPart::kPage:
        return v1::Damage::WHERE_PAGE;
      case StoredPart::kRollup:
        return v1::Damage::WHERE_ROLLUP;
      case StoredPart::kSuperseded:
        return v1::Damage::WHERE_SUPERSEDED;
      case StoredPart::kTail:
        return v1::Damage::WHERE_OPEN_SAMPLES;
      case StoredPart::kRecord:
        return v1::Damage::WHERE_RECORD;
      case StoredPart::kJournal:
        return v1::Damage::WHERE_JOURNAL;
    }
    return v1::Damage::WHERE_UNSPECIFIED;
  };
  to->set_where(where());
  to->set_tag_id(from.tag);
  if (const std::shared_ptr<const Tag> tag = tags.Find(from.tag); tag != nullptr) to->set_tag_name(tag->name);
  to->set_first_time(from.first_time);
  to->set_last_time(from.last_time);
  to->set_message(from.what);
}

void VerifyCountsToWire(const VerifyCounts& from, v1::VerifyResponse* to) {
  to->set_tags(from.tags);
  to->set_blocks(from.blocks);
  to->set_pages(from.pages);
  to->set_samples(from.samples);
  to->set_rollups(from.rollups);
  to->set_records(from.records);
  to->set_bytes(from.bytes);
  to->set_damages(from.damages);
}

}  // namespace historian::server
