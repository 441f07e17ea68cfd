// File: storage/kv/rocksdb_store.h
//
// The Store of the product: RocksDB for the spaces, files for the logs, in one directory (store_directory.h).
//
//   kMeta        written through RocksDB's log, synced with every batch
//   the others   sorted files, built in runs/ and linked in; they never see a memtable. A run of kPages goes
//                to the bottom level and is never read again by a compaction.
//
// Damage. RocksDB's list of files and its log are read from their twins when they are damaged (twin_files.h): that costs
// nothing. Sorted files that cannot be read are left out (rescue.h). Without files of kPages everything else goes on; if
// any other is missing, or the end of the log, the store takes no more changes.
//
// One server at a time holds a store. Writes are refused before the disk is full to the last byte: a few MiB
// stay in reserve, so that deleting old data works. When RocksDB does run out of room, in a flush or
// compaction, reading goes on, and the first change that finds room again reopens RocksDB; while a cursor is
// open that change is refused, and a later one tries again. When it cannot be reopened, or not opened in the first place,
// for any reason but damage, it is opened for reading only, and the changes to come try again.
#ifndef HISTORIAN_STORAGE_KV_ROCKSDB_STORE_H_
#define HISTORIAN_STORAGE_KV_ROCKSDB_STORE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "storage/kv/store.h"

namespace historian::kv {

struct RocksDbOptions {
  std::string path;
  bool create_if_missing = true;
  // Changes nothing in the directory but its LOCK, not even what a start does; refuses every change. The store must exist.
  bool read_only = false;
  // Memory for blocks, indexes and filters of all spaces.
  uint64_t block_cache_bytes = uint64_t{64} << 20;
  // Memory for recent batches of kMeta; there are at most two such buffers.
  uint64_t meta_buffer_bytes = uint64_t{8} << 20;
  // The size of the files by which logs grow. Small disks want less, as an empty log already has one.
  uint64_t log_segment_bytes = uint64_t{4} << 20;
};

// Opens the store. Store::Checkpoint(path) links files if the path is on the same file system, else it copies
// them.
// Errors: those of StoreDirectory::Open. DataLoss, the spaces or a log are damaged. ResourceExhausted, the
// disk is full.
absl::StatusOr<std::unique_ptr<Store>> OpenRocksDbStore(const RocksDbOptions& options);

}  // namespace historian::kv

#endif  // HISTORIAN_STORAGE_KV_ROCKSDB_STORE_H_
