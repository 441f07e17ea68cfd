#include "storage/kv/rocksdb_tuning.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "rocksdb/db.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/table.h"
#include "storage/kv/in_memory_only.h"
#include "storage/kv/limits.h"
#include "storage/model/check.h"

namespace historian::kv {
namespace {

constexpr int kOpenFilesMax = 4096;
constexpr int kOpenFilesMin = 64;
// What a walk over payloads reads at once: several times what the kernel would.
constexpr size_t kReadAheadBytes = size_t{512} << 10;

// Half of what the process may open; the rest is for connections and logs.
int OpenFiles() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kOpenFilesMax;
  return static_cast<int>(std::clamp<rlim_t>(limit.rlim_cur / 2, kOpenFilesMin, kOpenFilesMax));
}

}  // namespace

rocksdb::DBOptions DbOptionsOf(uint64_t meta_buffer_bytes) {
  rocksdb::DBOptions db;
  db.create_missing_column_families = true;
  db.max_open_files = OpenFiles();
  db.max_background_jobs = 2;
  // A family that is never flushed would else keep every write-ahead log since.
  db.max_total_wal_size = 2 * meta_buffer_bytes;
  // Every batch is synced, so only the last record may be torn; damage further up must not go unnoticed.
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  // The default allocates 4 MiB ahead, which matters on small disks.
  db.manifest_preallocation_size = size_t{128} << 10;
  // The default tells the kernel not to read ahead: 60 us per cold page block instead of one long read.
  db.advise_random_on_open = false;
  db.bytes_per_sync = uint64_t{1} << 20;
  db.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  return db;
}

size_t ManifestBytesFor(uint64_t files) {
  return std::max(size_t{128} << 10, static_cast<size_t>(files) * 1000);
}

rocksdb::ColumnFamilyOptions FamilyOptionsOf(Space space, uint64_t meta_buffer_bytes,
                                             const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions family;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;

  // Values come encoded.
  family.compression = rocksdb::kNoCompression;
  family.bottommost_compression = rocksdb::kNoCompression;
  // Universal compaction may return old data after ingestion in RocksDB 7.8.
  family.compaction_style = rocksdb::kCompactionStyleLevel;
  // More than two may flush in the wrong order after a failed flush in RocksDB 7.8.
  family.max_write_buffer_number = 2;
  family.write_buffer_size = size_t{64} << 10;

  switch (space) {
    case Space::kMeta:
      family.write_buffer_size = meta_buffer_bytes;
      table.block_size = size_t{8} << 10;
      table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
      break;
    case Space::kHeads:
    case Space::kRollups:
    case Space::kSuperseded:
      // Read by seeks; the runs of one partition overlap and are merged.
      table.block_size = size_t{8} << 10;
      table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
      family.target_file_size_base = uint64_t{16} << 20;
      family.max_bytes_for_level_base = uint64_t{64} << 20;
      family.level_compaction_dynamic_level_bytes = true;
      break;
    case Space::kPages:
      // One file can hold a key, so a filter would tell nothing. A payload is mostly larger than this and then has a
      // block, and so a checksum, of its own: what is damaged costs nobody else. (Without RocksDB's checksum the
      // pages' own would tell damage still more narrowly, but RocksDB ends the process when it meets a block whose
      // lengths make no sense.) Smaller ones share a block, so the index stays below a hundredth of the payloads.
      table.block_size = size_t{4} << 10;
      family.ttl = 0;
      family.periodic_compaction_seconds = 0;
      break;
    case Space::kCheckpoint:
      // Each run replaces the one before; merging two at a time bounds the space to a few of them.
      table.block_size = size_t{64} << 10;
      family.level0_file_num_compaction_trigger = 2;
      family.target_file_size_base = uint64_t{32} << 20;
      family.level_compaction_dynamic_level_bytes = true;
      break;
  }
  if (space != Space::kMeta) {
    // Runs come in however many files wait to be merged. That many of them must not hold up the small records of kMeta.
    family.level0_slowdown_writes_trigger = family.level0_stop_writes_trigger = 1 << 30;
  }
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return family;
}

rocksdb::ReadOptions ReadOptionsOf(Space space, bool cursor) {
  rocksdb::ReadOptions options;
  if (InMemoryOnly::here()) options.read_tier = rocksdb::kBlockCacheTier;
  // Who walks payloads or records wants many of them, and once; heads are walked again and again.
  if (cursor && space != Space::kHeads) {
    options.readahead_size = kReadAheadBytes;
    options.fill_cache = false;
  }
  return options;
}

std::string FamilyNameOf(Space space) {
  return space == Space::kMeta ? rocksdb::kDefaultColumnFamilyName : std::string(SpaceName(space));
}

Space SpaceOfFamily(const std::string& name) {
  int space = 0;
  while (space < kSpaces && FamilyNameOf(static_cast<Space>(space)) != name) ++space;
  HISTORIAN_CHECK(space < kSpaces);
  return static_cast<Space>(space);
}

absl::Status StatusOf(const rocksdb::Status& status, absl::string_view doing, absl::string_view path) {
  if (status.ok()) return absl::OkStatus();
  if (status.IsIncomplete() && InMemoryOnly::here()) return NotInMemory();
  const std::string text = status.ToString();
  const std::string message = absl::StrCat(doing, " in ", path, ": ", text);
  // RocksDB knows ENOSPC, but not where it quotes an earlier error; quotas it passes on as text.
  const auto says = [&text](int error) {
    return absl::StrContains(text, std::generic_category().message(error));
  };
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kSpaceLimit || says(ENOSPC) ||
      says(EDQUOT)) {
    return absl::ResourceExhaustedError(message);
  }
  if (status.IsCorruption() || status.IsPathNotFound()) return absl::DataLossError(message);
  return absl::UnavailableError(message);
}

}  // namespace historian::kv
