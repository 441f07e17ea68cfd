// File: storage/kv/rocksdb_tuning.h
//
// How RocksDB is set up for each space, with the reasons, and its statuses as absl::Status. Only for
// rocksdb_store.
#ifndef HISTORIAN_STORAGE_KV_ROCKSDB_TUNING_H_
#define HISTORIAN_STORAGE_KV_ROCKSDB_TUNING_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "rocksdb/cache.h"
#include "rocksdb/options.h"
#include "rocksdb/status.h"
#include "storage/kv/rocksdb_store.h"
#include "storage/kv/store.h"

namespace historian::kv {

rocksdb::DBOptions DbOptionsOf(const RocksDbOptions& options);
rocksdb::ColumnFamilyOptions FamilyOptionsOf(Space space, const RocksDbOptions& options,
                                             const std::shared_ptr<rocksdb::Cache>& cache);
// Returns the name of the space's column family. kMeta is the default family, which must exist anyway.
std::string FamilyNameOf(Space space);

absl::Status StatusOf(const rocksdb::Status& status, absl::string_view doing, absl::string_view path);

}  // namespace historian::kv

#endif  // HISTORIAN_STORAGE_KV_ROCKSDB_TUNING_H_
