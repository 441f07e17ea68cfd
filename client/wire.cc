#include "client/wire.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"

namespace historian::client {
namespace {

using google::protobuf::RepeatedField;
using google::protobuf::RepeatedPtrField;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

absl::Status Malformed(absl::string_view what) {
  return absl::InternalError(absl::StrCat("the server's reply is malformed: ", what));
}

// Copies n elements in one go into an empty repeated field.
template <typename T, typename From>
void Assign(const From* from, size_t n, RepeatedField<T>* to) {
  to->Resize(static_cast<int>(n), T());
  T* out = to->mutable_data();
  if constexpr (sizeof(T) == sizeof(From)) {
    std::memcpy(out, from, n * sizeof(T));
  } else {
    for (size_t i = 0; i < n; ++i) out[i] = static_cast<T>(from[i]);
  }
}

// The offsets of ascending times in kUnit, if all are whole. The divisor is a constant so that the compiler
// multiplies instead of dividing.
template <uint64_t kUnit>
bool ToOffsets(absl::Span<const Timestamp> times, v1::Times* wire) {
  v1::Times::Offsets* offsets = wire->mutable_offsets();
  offsets->set_first(times[0]);
  offsets->set_unit_ns(kUnit);
  offsets->mutable_offsets()->Resize(static_cast<int>(times.size()), 0);
  uint32_t* out = offsets->mutable_offsets()->mutable_data();
  uint64_t rest = 0;
  for (size_t i = 0; i < times.size(); ++i) {
    const uint64_t elapsed = Elapsed(times[0], times[i]);
    const uint64_t offset = elapsed / kUnit;
    rest |= elapsed - offset * kUnit;
    out[i] = static_cast<uint32_t>(offset);
  }
  return rest == 0;
}

}  // namespace

absl::Status FromGrpc(const grpc::Status& status, absl::string_view asked) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      absl::StrCat(asked, ": ", status.error_message()));
}

// --- Tags

namespace {

// More than there is room for is more than the server takes.
uint32_t SecondsToWire(absl::Duration duration) {
  return static_cast<uint32_t>(std::clamp<int64_t>(absl::ToInt64Seconds(duration), 0, UINT32_MAX));
}

}  // namespace

v1::ValueType ToWire(ValueType type) { return static_cast<v1::ValueType>(type); }

v1::Interpolation ToWire(std::optional<Interpolation> interpolation) {
  return interpolation ? static_cast<v1::Interpolation>(*interpolation) : v1::INTERPOLATION_UNSPECIFIED;
}

void ToWire(const Tag& tag, v1::Tag* wire) {
  wire->set_id(tag.id);
  wire->set_name(tag.name);
  wire->set_type(ToWire(tag.type));
  wire->set_interpolation(ToWire(std::optional(tag.interpolation)));
  wire->set_stale_after_s(SecondsToWire(tag.stale_after));
  wire->set_unit(tag.unit);
  wire->set_description(tag.description);
  for (const auto& [code, name] : tag.states) (*wire->mutable_states())[code] = name;
  for (const auto& [name, value] : tag.attributes) (*wire->mutable_attributes())[name] = value;
  wire->set_retired(tag.retired);
  wire->set_created(tag.created);
  wire->set_updated(tag.updated);
}

void ToWire(const TagKey& key, v1::TagKey* wire) {
  if (const TagId* id = std::get_if<TagId>(&key)) {
    wire->set_id(*id);
  } else {
    wire->set_name(std::get<std::string>(key));
  }
}

void ToWire(const TagUpdate& update, v1::TagUpdate* wire) {
  ToWire(update.key, wire->mutable_key());
  if (update.type) wire->set_type(ToWire(*update.type));
  if (update.unit) wire->set_unit(*update.unit);
  if (update.description) wire->set_description(*update.description);
  if (update.stale_after) wire->set_stale_after_s(SecondsToWire(*update.stale_after));
  if (update.interpolation) wire->set_interpolation(ToWire(update.interpolation));
  for (const auto& [code, name] : update.set_states) (*wire->mutable_set_states())[code] = name;
  for (const uint32_t code : update.remove_states) wire->add_remove_states(code);
  for (const auto& [name, value] : update.set_attributes) (*wire->mutable_set_attributes())[name] = value;
  for (const std::string& name : update.remove_attributes) wire->add_remove_attributes(name);
}

void ToWire(const TagSelection& selection, v1::TagSelection* wire) {
  wire->mutable_ids()->Add(selection.ids.begin(), selection.ids.end());
  for (const std::string& name : selection.names) wire->add_names(name);
  wire->set_pattern(selection.pattern);
}

absl::StatusOr<ValueType> FromWire(v1::ValueType type) {
  if (type < 1 || type > 6) return Malformed(absl::StrCat("unknown value type ", static_cast<int>(type)));
  return static_cast<ValueType>(type);
}

absl::StatusOr<Tag> FromWire(const v1::Tag& wire) {
  if (wire.id() == 0) return Malformed("a tag without an id");
  Tag tag;
  tag.id = wire.id();
  tag.name = wire.name();
  ASSIGN_OR_RETURN(tag.type, FromWire(wire.type()));
  if (wire.interpolation() != v1::INTERPOLATION_STEPPED && wire.interpolation() != v1::INTERPOLATION_SLOPED) {
    return Malformed(absl::StrCat("tag ", wire.id(), " has unknown interpolation ",
                                  static_cast<int>(wire.interpolation())));
  }
  tag.interpolation = static_cast<Interpolation>(wire.interpolation());
  tag.unit = wire.unit();
  tag.description = wire.description();
  for (const auto& [code, name] : wire.states()) tag.states.emplace(code, name);
  for (const auto& [name, value] : wire.attributes()) tag.attributes.emplace(name, value);
  tag.stale_after = absl::Seconds(wire.stale_after_s());
  tag.retired = wire.retired();
  tag.created = wire.created();
  tag.updated = wire.updated();
  return tag;
}

absl::StatusOr<TagOutcome> FromWire(const v1::TagResult& wire) {
  TagOutcome outcome;
  const int code = wire.status().code();
  if (code != 0) {
    outcome.status = absl::Status(
        code > 0 && code <= 16 ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kUnknown,
        wire.status().message());
  }
  if (wire.has_tag()) {
    ASSIGN_OR_RETURN(outcome.tag, FromWire(wire.tag()));
    const v1::UnitInfo& unit = wire.tag().unit_info();
    outcome.unit_info = {.known = unit.known(),
                         .ucum = unit.ucum(),
                         .quantity = unit.quantity(),
                         .si_unit = unit.si_unit(),
                         .factor = unit.factor(),
                         .offset = unit.offset(),
                         .note = unit.note()};
  } else if (code == 0) {
    return Malformed("a tag result that is OK and has no tag");
  }
  return outcome;
}

WriteRejection FromWire(const v1::Rejection& wire) {
  return {.tag_id = wire.tag_id(),
          .time = wire.time(),
          .count = wire.count(),
          .reason = wire.reason(),
          .message = wire.message()};
}

// --- Samples, to the wire

void TimesToWire(absl::Span<const Timestamp> times, v1::Times* wire) {
  wire->Clear();
  if (times.empty()) {
    wire->mutable_explicit_();
    return;
  }
  const uint64_t step = times.size() < 2 ? 0 : Elapsed(times[0], times[1]);
  uint64_t differs = 0;
  bool ascending = true;
  for (size_t i = 1; i < times.size(); ++i) {
    differs |= Elapsed(times[i - 1], times[i]) ^ step;
    ascending &= times[i - 1] < times[i];
  }
  if (differs == 0 && ascending) {
    wire->mutable_regular()->set_first(times[0]);
    wire->mutable_regular()->set_step_ns(step);
    return;
  }
  // The finest unit in which the offsets fit 32 bits; if the times are no multiples of it, they are none of
  // a coarser one.
  if (ascending) {
    const uint64_t span = Elapsed(times.front(), times.back());
    constexpr uint64_t kMax = std::numeric_limits<uint32_t>::max();
    const bool fits = span <= kMax                   ? ToOffsets<1>(times, wire)
                      : span / 100 <= kMax           ? ToOffsets<100>(times, wire)
                      : span / 1'000 <= kMax         ? ToOffsets<1'000>(times, wire)
                      : span / 1'000'000 <= kMax     ? ToOffsets<1'000'000>(times, wire)
                      : span / 1'000'000'000 <= kMax ? ToOffsets<1'000'000'000>(times, wire)
                                                     : false;
    if (fits) return;
  }
  Assign(times.data(), times.size(), wire->mutable_explicit_()->mutable_at());
}

void ValuesToWire(ValueType type, absl::Span<const ValueBits> values, const StringColumn* strings,
                  v1::Values* wire) {
  wire->Clear();
  const size_t n = values.size();
  switch (type) {
    case ValueType::kFloat64:
      Assign(values.data(), n, wire->mutable_float64()->mutable_values());
      break;
    case ValueType::kFloat32: {
      RepeatedField<float>* floats = wire->mutable_float32()->mutable_values();
      floats->Resize(static_cast<int>(n), 0);
      float* out = floats->mutable_data();
      // By bits: a signalling NaN must not pass through a floating point register.
      for (size_t i = 0; i < n; ++i) {
        const uint32_t bits = static_cast<uint32_t>(values[i]);
        std::memcpy(out + i, &bits, sizeof(bits));
      }
      break;
    }
    case ValueType::kInt64:
      Assign(values.data(), n, wire->mutable_int64()->mutable_values());
      break;
    case ValueType::kBool:
      Assign(values.data(), n, wire->mutable_bool_()->mutable_values());
      break;
    case ValueType::kDigital:
      Assign(values.data(), n, wire->mutable_digital()->mutable_values());
      break;
    case ValueType::kString: {
      RepeatedPtrField<std::string>* out = wire->mutable_string()->mutable_values();
      out->Reserve(static_cast<int>(n));
      for (const ValueBits index : values) {
        const absl::string_view s = (*strings)[index];
        out->Add()->assign(s.data(), s.size());
      }
      break;
    }
  }
}

void QualitiesToWire(const Quality* qualities, size_t size, v1::Qualities* wire) {
  for (size_t i = 0; i < size;) {
    size_t end = i + 1;
    while (end < size && qualities[end] == qualities[i]) ++end;
    if (qualities[i] != kGood) {
      wire->add_first(static_cast<uint32_t>(i));
      wire->add_count(static_cast<uint32_t>(end - i));
      wire->add_quality(qualities[i]);
    }
    i = end;
  }
}

void ColumnToWire(TagId tag, ValueType type, const SamplesView& samples, v1::Column* wire) {
  wire->set_tag_id(tag);
  TimesToWire(absl::MakeConstSpan(samples.times, samples.size), wire->mutable_times());
  ValuesToWire(type, absl::MakeConstSpan(samples.values, samples.size), samples.strings,
               wire->mutable_values());
  if (samples.qualities != nullptr) {
    QualitiesToWire(samples.qualities, samples.size, wire->mutable_qualities());
  }
}

// --- Samples, from the wire

absl::StatusOr<ValuesShape> ShapeOf(const v1::Values& wire) {
  const auto shape = [](ValueType type, int size) { return ValuesShape{type, static_cast<size_t>(size)}; };
  switch (wire.kind_case()) {
    case v1::Values::kFloat64:
      return shape(ValueType::kFloat64, wire.float64().values_size());
    case v1::Values::kFloat32:
      return shape(ValueType::kFloat32, wire.float32().values_size());
    case v1::Values::kInt64:
      return shape(ValueType::kInt64, wire.int64().values_size());
    case v1::Values::kBool:
      return shape(ValueType::kBool, wire.bool_().values_size());
    case v1::Values::kDigital:
      return shape(ValueType::kDigital, wire.digital().values_size());
    case v1::Values::kString:
      return shape(ValueType::kString, wire.string().values_size());
    case v1::Values::KIND_NOT_SET:
      break;
  }
  return Malformed("values without a kind");
}

absl::Status TimesFromWire(const v1::Times& wire, size_t size, std::vector<Timestamp>* times) {
  times->clear();
  const auto mismatch = [&](int given) {
    return Malformed(absl::StrCat(given, " times for ", size, " values"));
  };
  switch (wire.form_case()) {
    case v1::Times::kExplicit: {
      const RepeatedField<int64_t>& at = wire.explicit_().at();
      if (static_cast<size_t>(at.size()) != size) return mismatch(at.size());
      times->assign(at.begin(), at.end());
      bool valid = true;
      for (const Timestamp t : *times) valid &= IsValidTimestamp(t);
      if (!valid) return Malformed("a time outside 1900 to 2200");
      return absl::OkStatus();
    }
    case v1::Times::kOffsets: {
      const v1::Times::Offsets& form = wire.offsets();
      if (static_cast<size_t>(form.offsets_size()) != size) return mismatch(form.offsets_size());
      if (form.unit_ns() == 0) return Malformed("time offsets with a unit of 0 ns");
      if (!IsValidTimestamp(form.first())) return Malformed("a first time outside 1900 to 2200");
      const uint64_t offset_max = Elapsed(form.first(), kTimestampMax) / form.unit_ns();
      const uint64_t first = static_cast<uint64_t>(form.first());
      const uint64_t unit = form.unit_ns();
      const uint32_t* offsets = form.offsets().data();
      times->resize(size);
      uint32_t largest = 0;
      for (size_t i = 0; i < size; ++i) {
        largest = std::max(largest, offsets[i]);
        (*times)[i] = static_cast<Timestamp>(first + offsets[i] * unit);
      }
      if (largest > offset_max) return Malformed("a time offset beyond 2200");
      return absl::OkStatus();
    }
    case v1::Times::kRegular: {
      const v1::Times::Regular& form = wire.regular();
      if (size == 0) return absl::OkStatus();
      if (!IsValidTimestamp(form.first())) return Malformed("a first time outside 1900 to 2200");
      const uint64_t step = form.step_ns();
      if (size > 1 && (step == 0 || size - 1 > Elapsed(form.first(), kTimestampMax) / step)) {
        return Malformed(absl::StrCat("regular times with a step of ", step, " ns for ", size, " values"));
      }
      times->resize(size);
      uint64_t t = static_cast<uint64_t>(form.first());
      for (size_t i = 0; i < size; ++i, t += step) (*times)[i] = static_cast<Timestamp>(t);
      return absl::OkStatus();
    }
    case v1::Times::FORM_NOT_SET:
      break;
  }
  if (size == 0) return absl::OkStatus();
  return Malformed("times without a form");
}

absl::Status ValuesFromWire(const v1::Values& wire, Samples* samples) {
  std::vector<ValueBits>& values = samples->values;
  values.clear();
  samples->strings.Clear();
  const auto copy = [&values](const auto& from) {
    values.resize(static_cast<size_t>(from.size()));
    for (int i = 0; i < from.size(); ++i) values[i] = static_cast<ValueBits>(from.Get(i));
  };
  switch (wire.kind_case()) {
    case v1::Values::kFloat64: {
      const RepeatedField<double>& from = wire.float64().values();
      values.resize(static_cast<size_t>(from.size()));
      if (!values.empty()) std::memcpy(values.data(), from.data(), values.size() * sizeof(double));
      return absl::OkStatus();
    }
    case v1::Values::kFloat32: {
      const RepeatedField<float>& from = wire.float32().values();
      values.resize(static_cast<size_t>(from.size()));
      for (size_t i = 0; i < values.size(); ++i) {
        uint32_t bits;
        std::memcpy(&bits, from.data() + i, sizeof(bits));
        values[i] = bits;
      }
      return absl::OkStatus();
    }
    case v1::Values::kInt64:
      copy(wire.int64().values());
      return absl::OkStatus();
    case v1::Values::kBool:
      copy(wire.bool_().values());
      return absl::OkStatus();
    case v1::Values::kDigital:
      copy(wire.digital().values());
      return absl::OkStatus();
    case v1::Values::kString:
      for (const std::string& s : wire.string().values()) values.push_back(samples->strings.Add(s));
      return absl::OkStatus();
    case v1::Values::KIND_NOT_SET:
      break;
  }
  return Malformed("values without a kind");
}

absl::Status QualitiesFromWire(const v1::Qualities& wire, size_t size, std::vector<Quality>* qualities,
                               Quality usual) {
  qualities->clear();
  if (wire.count_size() != wire.first_size() || wire.quality_size() != wire.first_size()) {
    return Malformed(absl::StrCat("quality runs with ", wire.first_size(), " begins, ", wire.count_size(),
                                  " counts and ", wire.quality_size(), " qualities"));
  }
  if (wire.first_size() == 0) return absl::OkStatus();
  qualities->resize(size, usual);
  uint64_t end = 0;
  for (int i = 0; i < wire.first_size(); ++i) {
    const uint32_t first = wire.first(i);
    const uint64_t run_end = uint64_t{first} + wire.count(i);
    if (first < end || run_end > size) {
      return Malformed(
          absl::StrCat("quality run [", first, ", ", run_end, ") after ", end, " of ", size, " samples"));
    }
    std::fill(qualities->begin() + first, qualities->begin() + static_cast<ptrdiff_t>(run_end),
              wire.quality(i));
    end = run_end;
  }
  return absl::OkStatus();
}

namespace {

// Everything but the tag, into a batch that may have held others before.
absl::Status SamplesFromWire(const v1::Times* times, const v1::Values& values, const v1::Qualities& qualities,
                             ValueType* type, Samples* samples) {
  ASSIGN_OR_RETURN(const ValuesShape shape, ShapeOf(values));
  *type = shape.type;
  RETURN_IF_ERROR(ValuesFromWire(values, samples));
  if (times != nullptr) RETURN_IF_ERROR(TimesFromWire(*times, shape.size, &samples->times));
  return QualitiesFromWire(qualities, shape.size, &samples->qualities);
}

}  // namespace

absl::Status FromWire(const v1::Column& wire, SampleBatch* batch) {
  batch->tag_id = wire.tag_id();
  if (wire.values().kind_case() == v1::Values::KIND_NOT_SET && wire.qualities().first().empty()) {
    batch->samples.Clear();
    return TimesFromWire(wire.times(), 0, &batch->samples.times);
  }
  return Annotate(
      SamplesFromWire(&wire.times(), wire.values(), wire.qualities(), &batch->type, &batch->samples),
      absl::StrCat("samples of tag ", wire.tag_id()));
}

absl::StatusOr<SampleBatch> FromWire(const v1::Column& wire) {
  SampleBatch batch;
  RETURN_IF_ERROR(FromWire(wire, &batch));
  return batch;
}

absl::StatusOr<Latest> FromWire(const v1::ReadLatestResponse& wire) {
  Latest latest;
  for (const v1::TagSamples& from : wire.samples()) {
    LatestSamples group;
    RETURN_IF_ERROR(SamplesFromWire(nullptr, from.values(), from.qualities(), &group.type, &group.samples));
    const size_t size = group.samples.values.size();
    if (static_cast<size_t>(from.times_size()) != size || static_cast<size_t>(from.tag_ids_size()) != size) {
      return Malformed(absl::StrCat(from.tag_ids_size(), " tags, ", from.times_size(), " times and ", size,
                                    " newest values"));
    }
    group.samples.times.assign(from.times().begin(), from.times().end());
    group.tag_ids.assign(from.tag_ids().begin(), from.tag_ids().end());
    latest.groups.push_back(std::move(group));
  }
  latest.now = wire.now();
  latest.stale.assign(wire.stale().begin(), wire.stale().end());
  latest.empty.assign(wire.empty().begin(), wire.empty().end());
  return latest;
}

absl::StatusOr<SampleBatch> FromWire(const v1::AtTimes& wire, absl::Span<const Timestamp> times) {
  SampleBatch batch;
  batch.tag_id = wire.tag_id();
  RETURN_IF_ERROR(SamplesFromWire(nullptr, wire.values(), wire.qualities(), &batch.type, &batch.samples));
  if (batch.samples.values.size() != times.size()) {
    return Malformed(absl::StrCat("tag ", wire.tag_id(), " has ", batch.samples.values.size(), " values for ",
                                  times.size(), " times"));
  }
  batch.samples.times.assign(times.begin(), times.end());
  return batch;
}

absl::StatusOr<ProcessedSeries> FromWire(const v1::ProcessedSeries& wire) {
  ProcessedSeries series;
  series.tag_id = wire.tag_id();
  series.start = wire.start();
  series.interval_ns = wire.interval_ns();
  for (const v1::ProcessedColumn& from : wire.columns()) {
    const AggregateInfo* const aggregate = FindAggregate(from.aggregate());
    if (aggregate == nullptr) {
      return Malformed(
          absl::StrCat("tag ", wire.tag_id(), " has unknown aggregate ", static_cast<int>(from.aggregate())));
    }
    ProcessedColumn column;
    column.aggregate = aggregate->id;
    switch (from.kind_case()) {
      case v1::ProcessedColumn::kFloats:
        column.values = std::vector<double>(from.floats().values().begin(), from.floats().values().end());
        break;
      case v1::ProcessedColumn::kIntegers:
        column.values =
            std::vector<int64_t>(from.integers().values().begin(), from.integers().values().end());
        break;
      case v1::ProcessedColumn::KIND_NOT_SET:
        return Malformed(absl::StrCat("tag ", wire.tag_id(), " has an aggregate without values"));
    }
    RETURN_IF_ERROR(QualitiesFromWire(from.status(), column.size(), &column.status, kGood | kInfoCalculated));
    if (from.times_size() != static_cast<int>(aggregate->has_own_time ? column.size() : 0)) {
      return Malformed(absl::StrCat("tag ", wire.tag_id(), " has ", from.times_size(), " times of ",
                                    column.size(), " values of ", aggregate->standard_name));
    }
    column.times.assign(from.times().begin(), from.times().end());
    column.unit = from.unit();
    series.columns.push_back(std::move(column));
  }
  if (wire.partly_good_size() != wire.good_shares_size()) {
    return Malformed(absl::StrCat("tag ", wire.tag_id(), " has ", wire.good_shares_size(), " shares of ",
                                  wire.partly_good_size(), " intervals"));
  }
  if (wire.partly_good_size() > 0) {
    series.good_shares.assign(series.columns.empty() ? 0 : series.columns[0].size(), 1.0);
    for (int i = 0; i < wire.partly_good_size(); ++i) {
      if (wire.partly_good(i) >= series.good_shares.size()) {
        return Malformed(
            absl::StrCat("tag ", wire.tag_id(), " has a share of interval ", wire.partly_good(i)));
      }
      series.good_shares[wire.partly_good(i)] = wire.good_shares(i);
    }
  }
  series.complete_until = wire.complete_until();
  return series;
}

absl::StatusOr<ProcessedIntervals> FromWire(const v1::ProcessedIntervals& wire) {
  ProcessedIntervals intervals{.edges = {wire.edges().begin(), wire.edges().end()},
                               .window = wire.window(),
                               .shift_names = {wire.shift_names().begin(), wire.shift_names().end()},
                               .shifts = {wire.shifts().begin(), wire.shifts().end()},
                               .tz_version = wire.tz_version()};
  if (intervals.window < 1 || intervals.edges.size() <= intervals.window) {
    return Malformed(
        absl::StrCat(intervals.edges.size(), " edges for windows of ", intervals.window, " intervals"));
  }
  if (!intervals.shifts.empty() && intervals.shifts.size() != intervals.size()) {
    return Malformed(absl::StrCat(intervals.shifts.size(), " shifts for ", intervals.size(), " intervals"));
  }
  for (const uint32_t shift : intervals.shifts) {
    if (shift >= intervals.shift_names.size())
      return Malformed(absl::StrCat("shift ", shift, " has no name"));
  }
  return intervals;
}

absl::Status SetIntervals(const std::shared_ptr<const ProcessedIntervals>& intervals,
                          ProcessedSeries* series) {
  if (intervals == nullptr) return Malformed("the first frame does not say which intervals there are");
  for (const ProcessedColumn& column : series->columns) {
    if (column.size() != intervals->size()) {
      return Malformed(absl::StrCat("tag ", series->tag_id, " has ", column.size(), " values for ",
                                    intervals->size(), " intervals"));
    }
  }
  series->intervals = intervals;
  return absl::OkStatus();
}

absl::StatusOr<PlotSeries> FromWire(const v1::PlotSeries& wire) {
  ASSIGN_OR_RETURN(SampleBatch batch, FromWire(wire.samples()));
  PlotSeries series;
  series.tag_id = batch.tag_id;
  series.type = batch.type;
  series.samples = std::move(batch.samples);
  series.not_good_columns.assign(wire.not_good_columns().begin(), wire.not_good_columns().end());
  if (wire.empty_first_size() != wire.empty_count_size()) {
    return Malformed(absl::StrCat("tag ", wire.samples().tag_id(), " has ", wire.empty_first_size(),
                                  " runs of empty columns, and the lengths of ", wire.empty_count_size()));
  }
  for (int i = 0; i < wire.empty_first_size(); ++i) {
    series.empty_columns.push_back({wire.empty_first(i), wire.empty_count(i)});
  }
  return series;
}

// --- Frames

void FrameEncoder::AddColumn(TagId tag, ValueType type, const SamplesView& samples) {
  v1::Column* column = google::protobuf::Arena::CreateMessage<v1::Column>(&arena_);
  ColumnToWire(tag, type, samples, column);
  Append(v1::Frame::kColumnsFieldNumber, *column, samples.size);
}

void FrameEncoder::AddSnapshot(Timestamp time, ValueType type, absl::Span<const TagId> tags,
                               absl::Span<const ValueBits> values, absl::Span<const Quality> qualities,
                               const StringColumn* strings) {
  v1::Snapshot* snapshot = google::protobuf::Arena::CreateMessage<v1::Snapshot>(&arena_);
  snapshot->set_time(time);
  Assign(tags.data(), tags.size(), snapshot->mutable_tag_ids());
  ValuesToWire(type, values, strings, snapshot->mutable_values());
  if (!qualities.empty()) QualitiesToWire(qualities.data(), tags.size(), snapshot->mutable_qualities());
  Append(v1::Frame::kSnapshotsFieldNumber, *snapshot, tags.size());
}

void FrameEncoder::Append(int field, const google::protobuf::MessageLite& message, size_t samples) {
  const size_t size = message.ByteSizeLong();
  const uint32_t key = WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  const size_t at = bytes_.size();
  const size_t head = CodedOutputStream::VarintSize32(key) + CodedOutputStream::VarintSize64(size);
  bytes_.resize(at + head + size);
  uint8_t* out = reinterpret_cast<uint8_t*>(bytes_.data()) + at;
  out = CodedOutputStream::WriteVarint32ToArray(key, out);
  out = CodedOutputStream::WriteVarint64ToArray(size, out);
  message.SerializeWithCachedSizesToArray(out);
  samples_ += samples;
  arena_.Reset();
}

std::string FrameEncoder::Take(std::string next) {
  samples_ = 0;
  next.clear();
  return std::exchange(bytes_, std::move(next));
}

std::string EncodedFrame(v1::Frame frame) {
  frame.clear_sequence();
  return frame.SerializeAsString();
}

std::string WriteRequestPrefix(uint64_t sequence, size_t encoded_frame_bytes) {
  const uint32_t sequence_key =
      WireFormatLite::MakeTag(v1::Frame::kSequenceFieldNumber, WireFormatLite::WIRETYPE_VARINT);
  const uint32_t frame_key =
      WireFormatLite::MakeTag(v1::WriteRequest::kFrameFieldNumber, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  const size_t frame_bytes = CodedOutputStream::VarintSize32(sequence_key) +
                             CodedOutputStream::VarintSize64(sequence) + encoded_frame_bytes;
  uint8_t buffer[32];
  uint8_t* out = CodedOutputStream::WriteVarint32ToArray(frame_key, buffer);
  out = CodedOutputStream::WriteVarint64ToArray(frame_bytes, out);
  out = CodedOutputStream::WriteVarint32ToArray(sequence_key, out);
  out = CodedOutputStream::WriteVarint64ToArray(sequence, out);
  return std::string(reinterpret_cast<char*>(buffer), static_cast<size_t>(out - buffer));
}

}  // namespace historian::client
