// File: storage/archive/stats.h
//
// What an archive counts of itself.
#ifndef HISTORIAN_STORAGE_ARCHIVE_STATS_H_
#define HISTORIAN_STORAGE_ARCHIVE_STATS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/kv/store.h"
#include "storage/model/timestamp.h"
#include "storage/sealed/results.h"

namespace historian {

// What lies ahead of the clock.
struct AheadOfClock {
  uint64_t tags = 0;
  Timestamp farthest = 0;  // The newest time of their samples. Meaningful when there are such tags.
};

// What the archive has in memory, in bytes. The store has its own.
struct ArchiveMemory {
  // Definitions (storage/model/definition_memory.h),
  uint64_t tags = 0;
  uint64_t tag_states = 0;
  uint64_t producers = 0;
  uint64_t retention = 0;
  uint64_t versions = 0;
  uint64_t weeks = 0;
  // and what gives way to them.
  uint64_t tails = 0;
  uint64_t frames = 0;
  uint64_t caches = 0;

  uint64_t definitions() const { return tags + tag_states + producers + retention + versions + weeks; }
  uint64_t total() const { return definitions() + tails + frames + caches; }
};

// From the version on that was open then, calendars were counted by this version of the tz database.
struct TzUse {
  std::string tz_version;
  uint64_t from = 0;
  Timestamp since = 0;

  friend bool operator==(const TzUse&, const TzUse&) = default;
};

struct ArchiveStats {
  uint64_t samples_stored = 0;  // Since Open, as all of the first group.
  uint64_t samples_rejected = 0;
  uint64_t samples_repeated = 0;  // Exact duplicates recognised on arrival.
  uint64_t frames_stored = 0;
  uint64_t frames_repeated = 0;     // The next two are in it.
  uint64_t frames_conflicting = 0;  // Refused: a frame with the number is stored, and says something else.
  uint64_t frames_unchecked = 0;    // Too old to know what the stored frame with the number says.
  uint64_t seals = 0;
  Timestamp last_seal = 0;
  uint64_t settles = 0;          // Partitions.
  uint64_t settled_bytes = 0;    // Written by settling.
  uint64_t journal_commits = 0;  // fdatasyncs.

  uint64_t producers = 0;
  uint64_t samples_open = 0;  // In tails.
  ArchiveMemory memory;
  uint64_t definition_bytes_max = 0;
  absl::Status definitions;  // OK, or why new ones are refused, or hardly any are taken any more.
  uint64_t journal_bytes = 0;
  uint64_t samples_sealed = 0;  // In all blocks.
  uint64_t blocks = 0;
  uint64_t block_bytes = 0;         // Heads, payloads and rollups.
  uint64_t samples_unsettled = 0;   // Of the sealed ones.
  uint64_t disk_reserve_bytes = 0;  // In force.
  absl::Status ingest;              // OK, or why writes are refused or wait.
  uint64_t write_failures = 0;      // How often the journal became one that cannot be written,
  absl::Status last_write_failure;  // and why the last time.
  absl::Status retention;           // OK, or why retention rules are not applied, or as of an earlier time.
  Timestamp believed_time = 0;      // What retention takes for now (storage/upkeep/believed_time.h).
  absl::Status read_only;           // OK, or why nothing can be changed until the archive is opened anew.
  uint64_t expired_samples = 0;     // Let go by retention since Open, as the next one.
  uint64_t expired_weeks = 0;       // Each once for each rule.
  std::vector<Expiry> expiries;     // What each rule let expire, since Open. The newest kExpiriesMax.
  std::vector<std::string> damage;  // Found since Open: what, which tag, which time. The newest 100.
  std::vector<TzUse> tz_uses;       // Ascending; the newest hundred.
  // What was cut off the journal's end when it was opened; 0 bytes: nothing.
  uint64_t journal_torn_bytes = 0;
  uint64_t journal_torn_position = 0;
  kv::StoreStats store;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_ARCHIVE_STATS_H_
