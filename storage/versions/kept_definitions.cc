#include "storage/versions/kept_definitions.h"

#include <cstdint>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/record/v1/records.pb.h"
#include "storage/format/record_keys.h"
#include "storage/model/status_macros.h"

namespace historian {
namespace {

// How often the definition has changed.
absl::StatusOr<uint64_t> ChangesOf(kv::Store& store, absl::string_view key) {
  const std::string end = KeptKey(key, UINT64_MAX);
  const std::unique_ptr<kv::Cursor> cursor = store.NewCursor(kv::Space::kMeta);
  cursor->SeekForPrev(end);
  RETURN_IF_ERROR(cursor->status());
  return cursor->Valid() && IsKeptKey(cursor->key()) && DefinitionOfKeptKey(cursor->key()) == key
             ? ChangeOfKeptKey(cursor->key())
             : 0;
}

absl::StatusOr<KeptDefinition> ReadKept(kv::Store& store, absl::string_view key, uint64_t change) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value, store.Get(kv::Space::kMeta, KeptKey(key, change)));
  absl::StatusOr<KeptDefinition> kept =
      value.has_value() ? ReadKeptRecord(*value) : absl::DataLossError("the record is missing");
  if (kept.ok()) return kept;
  return Annotate(kept.status(),
                  absl::StrCat("'", absl::CHexEscape(key), "' as it was before change ", change));
}

}  // namespace

absl::Status Keep(kv::Store& store, absl::string_view key, const KeptDefinition& was, kv::Batch* batch) {
  ASSIGN_OR_RETURN(const uint64_t changes, ChangesOf(store, key));
  record::v1::KeptDefinitionRecord record;
  record.set_record(was.record);
  record.set_until(was.until);
  record.set_changed(was.changed);
  record.set_author(was.author);
  batch->Put(KeptKey(key, changes + 1), record.SerializeAsString());
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> ReadAsOf(kv::Store& store, absl::string_view key,
                                                    Version version) {
  // First what it says now: a change that comes meanwhile keeps it, in a version that has not closed.
  ASSIGN_OR_RETURN(std::optional<std::string> record, store.Get(kv::Space::kMeta, key));
  if (version == kVersionNow) return record;
  ASSIGN_OR_RETURN(const uint64_t changes, ChangesOf(store, key));
  // The first change that came after the version is one of [first, end), or `end`.
  uint64_t first = 1, end = changes + 1;
  while (first < end) {
    const uint64_t middle = first + (end - first) / 2;
    ASSIGN_OR_RETURN(KeptDefinition kept, ReadKept(store, key, middle));
    if (kept.until > version) {
      end = middle;
      record = std::move(kept.record);
    } else {
      first = middle + 1;
    }
  }
  return record;
}

absl::StatusOr<KeptDefinition> ReadKeptRecord(absl::string_view value) {
  record::v1::KeptDefinitionRecord record;
  if (!record.ParseFromArray(value.data(), static_cast<int>(value.size())) || record.until() == 0) {
    return absl::DataLossError("the record of a kept definition is damaged");
  }
  return KeptDefinition{.record = record.record(),
                        .until = record.until(),
                        .changed = record.changed(),
                        .author = record.author()};
}

}  // namespace historian
