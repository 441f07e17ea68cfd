// File: storage/format/record_keys.h
//
// Keys of the records in kMeta and kCheckpoint (proto/record/v1/records.proto).
#ifndef HISTORIAN_STORAGE_FORMAT_RECORD_KEYS_H_
#define HISTORIAN_STORAGE_FORMAT_RECORD_KEYS_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "storage/model/tag.h"

namespace historian {

inline constexpr absl::string_view kArchiveKey = "archive";
inline constexpr absl::string_view kTagKeyPrefix = "tag/";
inline constexpr absl::string_view kRetentionRulesKey = "retention/rules";
inline constexpr absl::string_view kBelievedTimeKey = "retention/believed";
inline constexpr absl::string_view kExpiredKey = "retention/expired";
inline constexpr absl::string_view kLegalHoldKeyPrefix = "hold/";
inline constexpr absl::string_view kKeptKeyPrefix = "was/";
inline constexpr absl::string_view kCheckpointKey = "C";
inline constexpr absl::string_view kProducerKeyPrefix = "P";
inline constexpr absl::string_view kTailKeyPrefix = "T";
inline constexpr absl::string_view kVersionKeyPrefix = "V";
inline constexpr absl::string_view kPartitionKeyPrefix = "W";

inline std::string KeyWithId(absl::string_view prefix, TagId id) {
  const char bytes[4] = {static_cast<char>(id >> 24), static_cast<char>(id >> 16), static_cast<char>(id >> 8),
                         static_cast<char>(id)};
  return absl::StrCat(prefix, absl::string_view(bytes, 4));
}
inline std::string TagKey(TagId id) { return KeyWithId(kTagKeyPrefix, id); }
inline std::string TailKey(TagId id) { return KeyWithId(kTailKeyPrefix, id); }
inline std::string KeyWithNumber(absl::string_view prefix, uint64_t number) {
  return KeyWithId(KeyWithId(prefix, static_cast<uint32_t>(number >> 32)), static_cast<uint32_t>(number));
}
inline std::string LegalHoldKey(uint64_t id) { return KeyWithNumber(kLegalHoldKeyPrefix, id); }
inline std::string VersionKey(uint64_t version) { return KeyWithNumber(kVersionKeyPrefix, version); }
inline std::string ProducerKey(absl::string_view name) { return absl::StrCat(kProducerKeyPrefix, name); }

// Requires the key to be prefix plus four bytes.
inline TagId IdOfKey(absl::string_view key, absl::string_view prefix) {
  TagId id = 0;
  for (char c : key.substr(prefix.size())) id = id << 8 | static_cast<unsigned char>(c);
  return id;
}

// Of the definition under `key` as it was before its change of that number, from 1.
inline std::string KeptKey(absl::string_view key, uint64_t change) {
  return KeyWithNumber(absl::StrCat(kKeptKeyPrefix, key), change);
}
inline bool IsKeptKey(absl::string_view key) {
  return key.size() > kKeptKeyPrefix.size() + sizeof(uint64_t) &&
         key.substr(0, kKeptKeyPrefix.size()) == kKeptKeyPrefix;
}
// Both parts of it. Require IsKeptKey.
inline absl::string_view DefinitionOfKeptKey(absl::string_view key) {
  return key.substr(kKeptKeyPrefix.size(), key.size() - kKeptKeyPrefix.size() - sizeof(uint64_t));
}
inline uint64_t ChangeOfKeptKey(absl::string_view key) {
  uint64_t change = 0;
  for (char c : key.substr(key.size() - sizeof(change))) change = change << 8 | static_cast<unsigned char>(c);
  return change;
}

}  // namespace historian

#endif  // HISTORIAN_STORAGE_FORMAT_RECORD_KEYS_H_
