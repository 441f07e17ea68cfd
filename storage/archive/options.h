// File: storage/archive/options.h
//
// What an archive is configured with.
#ifndef HISTORIAN_STORAGE_ARCHIVE_OPTIONS_H_
#define HISTORIAN_STORAGE_ARCHIVE_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "storage/model/future_limit.h"

namespace historian {

struct ArchiveOptions {
  // Shards of the tags, each with its own thread. 0: one per processor.
  int shards = 0;
  // For definitions, open tails, frames on their way, and what reads keep: divided as storage/archive/memory_shares.h says.
  // The store's own caches are not in it.
  uint64_t memory_budget_bytes = uint64_t{512} << 20;
  // A seal begins when the journal is longer. Decides how long a restart takes: some 40 ms per MiB (a MiB may
  // hold more than a million samples).
  uint64_t journal_bytes_max = uint64_t{16} << 20;
  // A seal begins when the oldest unsealed sample has waited so long.
  absl::Duration seal_interval = absl::Hours(6);
  // Seals that somebody asks for come no closer together; who asks sooner waits, and shares one with all who ask meanwhile.
  // Each has files of its own.
  absl::Duration asked_seal_interval = absl::ZeroDuration();
  // A partition into which nothing was sealed for so long is settled in the background when its time is over
  // or late samples are a quarter of it: late blocks are merged, rollups built, the densest encodings used.
  absl::Duration settle_delay = absl::Minutes(10);
  // Tags with no more samples than this in a week are settled over sixteen weeks together, in long partitions
  // (storage/format/key.md); 0: none are.
  uint64_t slow_samples_max = 4096;
  // How often retention rules are applied; and how long a changed rule is left alone, to be thought over.
  absl::Duration retention_period = absl::Minutes(10);
  // A version closes when it was open for so long and something has arrived in it (storage/versions): how fine the
  // times are as of which the archive can be asked.
  absl::Duration version_period = absl::Minutes(10);
  // Samples farther ahead of the clock are rejected.
  absl::Duration future_limit = absl::Hours(1);
  // Other limits, for tags with such names; the first that matches decides.
  std::vector<FutureLimit> future_limits;
  // Producers whose numbers are kept, and for how long one that does not write keeps its place when others want one.
  uint64_t producers_max = 100'000;
  absl::Duration producer_unused = absl::Hours(24 * 400);
  // Versions that are closed by MarkVersion, in all.
  uint64_t version_marks_max = 1'000'000;
  // Of the tz database by which calendars are counted. It is kept from when on it was this one. Empty: nobody counts.
  std::string tz_version;
  // Writes are refused while the disk has less free space, or less than a twentieth of its capacity (16 MiB
  // at least) if that is smaller, so that sealing and reading go on.
  uint64_t disk_reserve_bytes = uint64_t{256} << 20;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_ARCHIVE_OPTIONS_H_
