// File: server/wire.h
//
// The one place that turns wire messages into the engine's types and back (proto/historian/v1, storage/model,
// storage/model/frame.h).
//
// What a client sends is never trusted: a column whose parts do not fit together becomes a Rejection,
// whatever else is wrong is left to the engine, which looks at every sample anyway. Nothing here fails, but
// for the conversions that return a Status.
//
// Threads: pure functions.
#ifndef HISTORIAN_SERVER_WIRE_H_
#define HISTORIAN_SERVER_WIRE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/historian/v1/admin.pb.h"
#include "proto/historian/v1/ingest.pb.h"
#include "proto/historian/v1/query.pb.h"
#include "proto/historian/v1/retention.pb.h"
#include "proto/historian/v1/samples.pb.h"
#include "proto/historian/v1/tags.pb.h"
#include "storage/archive/archive.h"
#include "storage/model/aggregate.h"
#include "storage/model/frame.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"
#include "storage/tags/tag_registry.h"
#include "storage/versions/closed_version.h"

namespace historian::server {

// ---- In: frames

// What FrameFromWire found wrong with a frame.
struct FrameNotes {
  uint64_t rejected = 0;              // Samples of malformed columns, which are not in the frame.
  std::vector<Rejection> rejections;  // Of these; at most kRejectionsListedMax.
};

// Replaces *frame, using the memory that it has. A column or snapshot whose times, values, tags or quality
// runs do not fit together is left out and rejected as a whole with kLengthMismatch; the message says which
// parts. Times that an offset or a step carries beyond 64 bits become the last 64-bit time, which is not
// valid, so the engine rejects them. Cost: about a nanosecond and a half a sample in columns of 64.
void FrameFromWire(const v1::Frame& from, Frame* frame, FrameNotes* notes);

// ---- Out: samples

// Writes the times in the cheapest form that holds them: regular, else offsets, else explicit.
void TimesToWire(const Timestamp* times, size_t size, v1::Times* to);
// Values of strings are indexes into *strings, which is null for all other types.
void ValuesToWire(ValueType type, const ValueBits* values, size_t size, const StringColumn* strings,
                  v1::Values* to);
// Writes runs of equal quality, ascending; runs of the quality `usual` are left out.
void QualitiesToWire(const Quality* qualities, size_t size, v1::Qualities* to, Quality usual = kGood);
// Sets the qualities of a message. Null means that all are Good.
template <class Message>
void SetQualities(const Quality* qualities, size_t size, Message* to) {
  if (qualities == nullptr) return to->clear_qualities();
  QualitiesToWire(qualities, size, to->mutable_qualities());
}
void ColumnToWire(TagId tag, ValueType type, const SamplesView& samples, v1::Column* to);

// ---- Out: acknowledgements

// Adds the rejections of malformed columns, which the engine never saw, in front of those of the engine. A
// repeated frame's result stays as it is.
void AddMalformed(FrameNotes notes, WriteResult* result);
// Adds a frame's result to the counts of an acknowledgement, and its rejections up to kRejectionsListedMax in
// total.
void AddResult(const WriteResult& result, v1::WriteAck* ack);

// ---- Tags and aggregates

v1::ValueType ValueTypeToWire(ValueType type);
// Errors: InvalidArgument, the type is unspecified or unknown.
absl::StatusOr<ValueType> ValueTypeFromWire(int type);
v1::Interpolation InterpolationToWire(Interpolation interpolation);
// Errors: InvalidArgument, the interpolation is unspecified or unknown.
absl::StatusOr<Interpolation> InterpolationFromWire(int interpolation);

// The numbers are the same; a test holds the two lists together.
v1::Aggregate AggregateToWire(Aggregate aggregate);
// InvalidArgument for unspecified and unknown ones.
absl::StatusOr<Aggregate> AggregateFromWire(int aggregate);

// But for unit_info.
void TagToWire(const Tag& from, v1::Tag* to);
// Takes no more than this.
inline constexpr size_t kUnitInfoBytes = 1024;
void UnitInfoToWire(absl::string_view unit, v1::UnitInfo* to);
// Returns a new tag, without the fields that the server sets.
// Errors: InvalidArgument, the type or the interpolation is unknown.
absl::StatusOr<Tag> TagFromWire(const v1::Tag& from);
absl::StatusOr<TagChange> TagChangeFromWire(const v1::TagUpdate& from);

// ---- Administration

void BlockIdToWire(const format::BlockId& from, v1::BlockKey* to);
format::BlockId BlockIdFromWire(const v1::BlockKey& from);
void BlockInfoToWire(const BlockInfo& from, v1::BlockInfo* to);
void VersionToWire(const ClosedVersion& from, v1::Version* to);
void TagStorageToWire(TagId tag, const TagStorage& from, v1::TagStorage* to);
void DamageToWire(const Damage& from, const TagRegistry& tags, v1::Damage* to);
void VerifyCountsToWire(const VerifyCounts& from, v1::VerifyResponse* to);

// ---- Retention. The engine checks the rules and holds.

void RetentionRuleToWire(const RetentionRule& from, v1::RetentionRule* to);
RetentionRule RetentionRuleFromWire(const v1::RetentionRule& from);
void LegalHoldToWire(const LegalHold& from, v1::LegalHold* to);
void RetentionResultToWire(const RetentionResult& from, v1::ApplyRetentionResponse* to);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_WIRE_H_
