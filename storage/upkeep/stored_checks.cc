#include "storage/upkeep/stored_checks.h"

#include "absl/strings/str_cat.h"
#include "proto/record/v1/records.pb.h"
#include "storage/format/page.h"
#include "storage/format/record_keys.h"
#include "storage/model/status_macros.h"
#include "storage/model/timestamp.h"
#include "storage/versions/kept_definitions.h"
#include "storage/versions/version_mark.h"

namespace historian {
namespace {

absl::Status Damaged(absl::string_view what) { return absl::DataLossError(what); }

template <class Record>
bool Parses(absl::string_view value) {
  Record record;
  return record.ParseFromArray(value.data(), static_cast<int>(value.size()));
}

}  // namespace

absl::string_view FirstDifference(const Summary& a, const Summary& b) {
  const auto known = [parts = a.parts & b.parts](uint32_t part) { return (parts & part) != 0; };
  const struct {
    const char* field;
    bool same;
  } fields[] = {
      {"count", a.count == b.count},
      {"good samples", a.good == b.good},
      {"uncertain samples", a.uncertain == b.uncertain},
      {"first sample", a.first == b.first},
      {"last sample", a.last == b.last},
      {"minimum", a.min == b.min},
      {"maximum", a.max == b.max},
      {"sum", a.sum == b.sum},
      {"sum of squares", a.sum_of_squares == b.sum_of_squares},
      {"good time", a.good_ns == b.good_ns},
      {"uncertain time", a.uncertain_ns == b.uncertain_ns},
      {"stepped area", a.area_stepped == b.area_stepped},
      {"sloped area", a.area_sloped == b.area_sloped},
      {"repeated extremes",
       !known(kRepeats) || (a.min_repeats == b.min_repeats && a.max_repeats == b.max_repeats)},
      {"changes", !known(kChanges) || a.changes == b.changes},
      {"first and last usable sample",
       !known(kQualities) || (a.first_usable == b.first_usable && a.last_usable == b.last_usable)},
      {"worst quality", !known(kQualities) || (a.worst == b.worst && a.worst_repeats == b.worst_repeats)},
      {"unsure time", !known(kQualities) || a.unsure_ns == b.unsure_ns},
      {"time at zero", !known(kZeros) || a.zero_ns == b.zero_ns},
  };
  for (const auto& field : fields) {
    if (!field.same) return field.field;
  }
  return a.parts != b.parts || a == b ? "" : "summary";
}

absl::Status CheckPage(ValueType type, const Summary& stated, absl::string_view bytes, Samples* samples,
                       Summary* computed) {
  samples->Clear();
  RETURN_IF_ERROR(format::DecodePage(type, bytes, samples));
  const SamplesView view = samples->View();
  if (view.size != stated.count) {
    return Damaged(absl::StrCat("the page has ", view.size, " samples, its head says ", stated.count));
  }
  if (!IsStrictlyAscending(view.times, view.size)) return Damaged("the page's times do not ascend");
  for (size_t i = 0; i < view.size; ++i) {
    if (!IsValidTimestamp(view.times[i])) return Damaged("the page has a time that cannot be");
    if (type != ValueType::kString && !IsCanonical(type, view.values[i])) {
      return Damaged(absl::StrCat("the page has a value that its type cannot have, at ",
                                  FormatTimestamp(view.times[i])));
    }
  }
  *computed = Summarize(type, view);
  if (const absl::string_view field = FirstDifference(*computed, stated); !field.empty()) {
    return Damaged(absl::StrCat("the head's ", field, " is not that of the page's samples"));
  }
  return absl::OkStatus();
}

bool IsReadableRecord(kv::Space space, absl::string_view key, absl::string_view value) {
  const auto is = [key](absl::string_view prefix) { return key.substr(0, prefix.size()) == prefix; };
  if (space == kv::Space::kMeta) {
    if (key == kArchiveKey) return Parses<record::v1::ArchiveRecord>(value);
    if (key == kRetentionRulesKey) return Parses<record::v1::RetentionRulesRecord>(value);
    if (key == kExpiredKey) return Parses<record::v1::ExpiredRecord>(value);
    if (key == kBelievedTimeKey) return Parses<record::v1::BelievedTimeRecord>(value);
    if (is(kLegalHoldKeyPrefix)) {
      record::v1::LegalHoldRecord hold;
      return hold.ParseFromArray(value.data(), static_cast<int>(value.size())) &&
             key == LegalHoldKey(hold.id());
    }
    if (is(kKeptKeyPrefix)) {
      const absl::StatusOr<KeptDefinition> kept = ReadKeptRecord(value);
      return kept.ok() && IsKeptKey(key) && IsReadableRecord(space, DefinitionOfKeptKey(key), kept->record);
    }
    if (!is(kTagKeyPrefix)) return true;
    record::v1::TagRecord tag;
    return tag.ParseFromArray(value.data(), static_cast<int>(value.size())) &&
           key.size() == kTagKeyPrefix.size() + 4 && tag.id() == IdOfKey(key, kTagKeyPrefix);
  }
  if (key == kCheckpointKey) return Parses<record::v1::CheckpointRecord>(value);
  if (is(kVersionKeyPrefix)) return ReadVersionRecord(value).ok();
  if (is(kProducerKeyPrefix)) return Parses<record::v1::ProducerRecord>(value);
  return !is(kPartitionKeyPrefix) || Parses<record::v1::PartitionRecord>(value);
}

}  // namespace historian
