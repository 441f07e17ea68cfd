// File: storage/versions/kept_definitions.h
//
// Definitions (tags, retention rules, legal holds) as they were before they changed. A definition is a record of kMeta:
//
//   key             what it says now
//   "was/" key 1    what it said before its first change, and the version in which that came
//   "was/" key 2    what it said before its second change, which came in the same version or a later one
//
// So as of a version it says what the first of those says that was replaced later, or what it says now. No definition's
// key begins with another's.
//
// A change, with VersionTable::closing_mu() held shared:
//
//   kv::Batch batch;
//   RETURN_IF_ERROR(Keep(store, key, {.record = before, .until = versions.open(), .changed = now}, &batch));
//   batch.Put(key, after);
//   RETURN_IF_ERROR(store.Write(batch));
//
// Threads: any number; a definition changes in one at a time.
// Errors: those of the store. DataLoss: a record is damaged; names the definition.
#ifndef HISTORIAN_STORAGE_VERSIONS_KEPT_DEFINITIONS_H_
#define HISTORIAN_STORAGE_VERSIONS_KEPT_DEFINITIONS_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/kv/store.h"
#include "storage/model/data_version.h"
#include "storage/model/timestamp.h"

namespace historian {

struct KeptDefinition {
  std::string record;     // What stood under the key; empty if nothing did.
  Version until = 0;      // The version in which it was replaced.
  Timestamp changed = 0;  // When it was replaced, by the server's clock.
  std::string author;     // Who replaced it, as the caller says; empty if that is not known.
};

// Adds to the batch the definition under `key` as it was, behind those that were kept before it.
absl::Status Keep(kv::Store& store, absl::string_view key, const KeptDefinition& was, kv::Batch* batch);

// The record of the definition under `key` as of a version that has closed, or as of kVersionNow. Of a version from
// before changes were kept it is the oldest that is known. Nothing, if nothing stands under the key.
absl::StatusOr<std::optional<std::string>> ReadAsOf(kv::Store& store, absl::string_view key, Version version);

// DataLoss: the record of a kept definition is damaged.
absl::StatusOr<KeptDefinition> ReadKeptRecord(absl::string_view value);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_VERSIONS_KEPT_DEFINITIONS_H_
