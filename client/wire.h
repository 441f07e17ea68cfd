// File: client/wire.h
//
// The one place where the client turns model types into wire messages and back.
//
// Towards the wire everything is believed (it is ours). From the wire nothing is: a length that does not
// match, a time that overflows, runs that overlap, a value without a kind are Internal and name the field.
// Memory taken is proportional to the message.
#ifndef HISTORIAN_CLIENT_WIRE_H_
#define HISTORIAN_CLIENT_WIRE_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "client/answers.h"
#include "client/rejection.h"
#include "client/tag_items.h"
#include "google/protobuf/arena.h"
#include "grpcpp/support/status.h"
#include "proto/historian/v1/ingest.pb.h"
#include "proto/historian/v1/query.pb.h"
#include "proto/historian/v1/samples.pb.h"
#include "proto/historian/v1/tags.pb.h"
#include "storage/model/data_version.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"

namespace historian::client {

// Returns a status of the same code, whose message begins with `asked`.
absl::Status FromGrpc(const grpc::Status& status, absl::string_view asked);

v1::ValueType ToWire(ValueType type);
v1::Interpolation ToWire(std::optional<Interpolation> interpolation);
void ToWire(const Tag& tag, v1::Tag* wire);
void ToWire(const TagKey& key, v1::TagKey* wire);
void ToWire(const TagUpdate& update, v1::TagUpdate* wire);
void ToWire(const TagSelection& selection, v1::TagSelection* wire);

// Sets the request's as_of, unless that is now.
template <typename Request>
void SetAsOf(const AsOf& as_of, Request* request) {
  if (as_of.time.has_value()) {
    request->mutable_as_of()->set_time(*as_of.time);
  } else if (as_of.version != kVersionNow) {
    request->mutable_as_of()->set_version(as_of.version);
  }
}

absl::StatusOr<ValueType> FromWire(v1::ValueType type);
absl::StatusOr<Tag> FromWire(const v1::Tag& wire);
absl::StatusOr<TagOutcome> FromWire(const v1::TagResult& wire);
WriteRejection FromWire(const v1::Rejection& wire);

// Writes the times in the cheapest form that holds them exactly: Regular, else Offsets, else Explicit.
void TimesToWire(absl::Span<const Timestamp> times, v1::Times* wire);
// `strings` is used only for strings, and may be null else.
void ValuesToWire(ValueType type, absl::Span<const ValueBits> values, const StringColumn* strings,
                  v1::Values* wire);
void QualitiesToWire(const Quality* qualities, size_t size, v1::Qualities* wire);
void ColumnToWire(TagId tag, ValueType type, const SamplesView& samples, v1::Column* wire);

// How many values a message has, and of which type.
struct ValuesShape {
  ValueType type = ValueType::kFloat64;
  size_t size = 0;
};
// Errors: Internal, the message has no kind.
absl::StatusOr<ValuesShape> ShapeOf(const v1::Values& wire);

// These replace the previous contents. `size` is the number of values, which the times must match; the
// strings of a Samples are replaced with its values.
absl::Status TimesFromWire(const v1::Times& wire, size_t size, std::vector<Timestamp>* times);
absl::Status ValuesFromWire(const v1::Values& wire, Samples* samples);
// Samples outside all runs get the quality `usual`. *qualities is empty if all samples have it.
absl::Status QualitiesFromWire(const v1::Qualities& wire, size_t size, std::vector<Quality>* qualities,
                               Quality usual = kGood);

// A column without values (of a tag without samples) may have no kind: it is empty and float64.
absl::StatusOr<SampleBatch> FromWire(const v1::Column& wire);
// The same, into a batch whose memory is reused.
absl::Status FromWire(const v1::Column& wire, SampleBatch* batch);
absl::StatusOr<Latest> FromWire(const v1::ReadLatestResponse& wire);
absl::StatusOr<SampleBatch> FromWire(const v1::AtTimes& wire, absl::Span<const Timestamp> times);
absl::StatusOr<ProcessedSeries> FromWire(const v1::ProcessedSeries& wire);
absl::StatusOr<ProcessedIntervals> FromWire(const v1::ProcessedIntervals& wire);
// Gives the series the intervals of its answer. Errors: Internal, there are none (null), or others than it has values for.
absl::Status SetIntervals(const std::shared_ptr<const ProcessedIntervals>& intervals,
                          ProcessedSeries* series);
absl::StatusOr<PlotSeries> FromWire(const v1::PlotSeries& wire);

// Builds the bytes of a v1::Frame without its sequence, column by column: what Writer::WriteEncodedFrame
// takes. Threads: one.
class FrameEncoder {
 public:
  FrameEncoder() : arena_(block_.data(), block_.size()) {}

  // Times must rise strictly.
  void AddColumn(TagId tag, ValueType type, const SamplesView& samples);
  // As Writer::AddSnapshot; all lengths must match.
  void AddSnapshot(Timestamp time, ValueType type, absl::Span<const TagId> tags,
                   absl::Span<const ValueBits> values, absl::Span<const Quality> qualities,
                   const StringColumn* strings);

  size_t bytes() const { return bytes_.size(); }
  uint64_t samples() const { return samples_; }
  // Returns the frame and begins the next one in the memory of `next`.
  std::string Take(std::string next = std::string());

 private:
  void Append(int field, const google::protobuf::MessageLite& message, size_t samples);

  // One column's messages are built here and forgotten when they are encoded: no allocation for columns up to
  // a few hundred samples.
  std::vector<char> block_ = std::vector<char>(16 * 1024);
  google::protobuf::Arena arena_;
  std::string bytes_;
  uint64_t samples_ = 0;
};

std::string EncodedFrame(v1::Frame frame);
// Returns the bytes that, put in front of an encoded frame, make it a v1::WriteRequest of that sequence.
std::string WriteRequestPrefix(uint64_t sequence, size_t encoded_frame_bytes);

}  // namespace historian::client

#endif  // HISTORIAN_CLIENT_WIRE_H_
