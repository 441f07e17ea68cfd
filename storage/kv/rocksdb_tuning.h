// File: storage/kv/rocksdb_tuning.h
//
// How RocksDB is set up for each space, with the reasons, and its statuses as absl::Status. Only for
// rocksdb_store.
//
// Threads: pure functions.
#ifndef HISTORIAN_STORAGE_KV_ROCKSDB_TUNING_H_
#define HISTORIAN_STORAGE_KV_ROCKSDB_TUNING_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "rocksdb/cache.h"
#include "rocksdb/options.h"
#include "rocksdb/status.h"
#include "storage/kv/store.h"

namespace historian::kv {

// meta_buffer_bytes: as in RocksDbOptions.
rocksdb::DBOptions DbOptionsOf(uint64_t meta_buffer_bytes);
// How large a manifest may become before it is written anew, when there are so many files at the start. One that has just
// been written has some 200 bytes for each; it must be well below, or it would be written anew with each change.
size_t ManifestBytesFor(uint64_t files);
rocksdb::ColumnFamilyOptions FamilyOptionsOf(Space space, uint64_t meta_buffer_bytes,
                                             const std::shared_ptr<rocksdb::Cache>& cache);
// Returns the name of the space's column family. kMeta is the default family, which must exist anyway.
std::string FamilyNameOf(Space space);
Space SpaceOfFamily(const std::string& name);

// How the space is read: a cursor, or else a single key. Pages check themselves (store.h).
rocksdb::ReadOptions ReadOptionsOf(Space space, bool cursor);

absl::Status StatusOf(const rocksdb::Status& status, absl::string_view doing, absl::string_view path);

}  // namespace historian::kv

#endif  // HISTORIAN_STORAGE_KV_ROCKSDB_TUNING_H_
