#include "storage/versions/version_mark.h"

#include "absl/strings/str_cat.h"
#include "proto/record/v1/records.pb.h"
#include "storage/format/record_keys.h"

namespace historian {
namespace {

// Kind of the journal record, where frames have kinds of their own. DO NOT CHANGE: stored.
constexpr char kKindVersion = 16;

record::v1::VersionRecord RecordOf(const ClosedVersion& closed) {
  record::v1::VersionRecord record;
  record.set_version(closed.version);
  record.set_time(closed.time);
  record.set_clock(closed.clock);
  record.set_journal_position(closed.journal_position);
  record.set_cause(static_cast<uint32_t>(closed.cause));
  record.set_author(closed.author);
  record.set_comment(closed.comment);
  return record;
}

}  // namespace

std::string EncodeVersionMark(const ClosedVersion& closed) {
  record::v1::VersionRecord record = RecordOf(closed);
  record.clear_journal_position();
  return absl::StrCat(std::string(1, kKindVersion), record.SerializeAsString());
}

bool IsVersionMark(absl::string_view record) { return !record.empty() && record[0] == kKindVersion; }

absl::StatusOr<ClosedVersion> DecodeVersionMark(absl::string_view record) {
  if (!IsVersionMark(record)) return absl::DataLossError("journal record: not a version's mark");
  return ReadVersionRecord(record.substr(1));
}

std::pair<std::string, std::string> VersionRecordOf(const ClosedVersion& closed) {
  return {VersionKey(closed.version), RecordOf(closed).SerializeAsString()};
}

absl::StatusOr<ClosedVersion> ReadVersionRecord(absl::string_view value) {
  record::v1::VersionRecord record;
  if (!record.ParseFromArray(value.data(), static_cast<int>(value.size())) || record.version() == 0) {
    return absl::DataLossError("the record of a version is damaged");
  }
  return ClosedVersion{.version = record.version(),
                       .time = record.time(),
                       .clock = record.clock(),
                       .journal_position = record.journal_position(),
                       .cause = static_cast<VersionCause>(record.cause()),
                       .author = record.author(),
                       .comment = record.comment()};
}

}  // namespace historian
