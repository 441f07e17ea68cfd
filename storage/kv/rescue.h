// File: storage/kv/rescue.h
//
// Which sorted files of a damaged RocksDB cannot be read, and how the others can be opened all the same. Only for
// rocksdb_store.
//
// RocksDB refuses to open when a file is missing, cut, or damaged where its index stands. Rescue opens it for reading,
// leniently, to learn which files there should be, tries each, and lets one without any key stand in for each that
// cannot be read (twin_files.h). Then RocksDB opens, and the caller knows which keys are not to be relied on.
//
// Threads: one; the files are not in use.
#ifndef HISTORIAN_STORAGE_KV_RESCUE_H_
#define HISTORIAN_STORAGE_KV_RESCUE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "rocksdb/db.h"
#include "rocksdb/options.h"
#include "storage/kv/store.h"
#include "storage/kv/twin_files.h"

namespace historian::kv {

// options: those by which RocksDB at `path` did not open. Its file system is `files`, which gets the stand-ins. Returns what
// is lost by them. Whether RocksDB's log can be read does not matter here.
// Errors: DataLoss, not even the list of files can be read.
absl::StatusOr<std::vector<StoreDamage>> FindLostFiles(
    const rocksdb::DBOptions& options, const std::string& path,
    const std::vector<rocksdb::ColumnFamilyDescriptor>& families, TwinFiles& files);

}  // namespace historian::kv

#endif  // HISTORIAN_STORAGE_KV_RESCUE_H_
