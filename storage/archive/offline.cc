#include "storage/archive/offline.h"

#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/record/v1/records.pb.h"
#include "storage/format/record_keys.h"
#include "storage/kv/rocksdb_store.h"
#include "storage/model/clock.h"
#include "storage/model/status_macros.h"

namespace historian {

absl::StatusOr<std::unique_ptr<Archive>> OpenOffline(const std::string& data_dir) {
  ASSIGN_OR_RETURN(std::unique_ptr<kv::Store> store,
                   kv::OpenRocksDbStore({.path = data_dir, .read_only = true}));
  return Archive::Open(std::move(store), ArchiveOptions(), Clock::System());
}

absl::StatusOr<uint32_t> FormatOffline(const std::string& data_dir) {
  ASSIGN_OR_RETURN(const std::unique_ptr<kv::Store> store,
                   kv::OpenRocksDbStore({.path = data_dir, .read_only = true}));
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes, store->Get(kv::Space::kMeta, kArchiveKey));
  record::v1::ArchiveRecord record;
  if (!bytes.has_value()) return absl::NotFoundError(absl::StrCat(data_dir, " has no archive"));
  if (!record.ParseFromString(*bytes) || record.version() == 0) {
    return absl::DataLossError(absl::StrCat("the format record of the archive in ", data_dir, " is damaged"));
  }
  return record.version();
}

absl::StatusOr<SalvageCounts> SalvageDirectory(const std::string& data_dir, const std::string& to,
                                               const SalvageObserver& observer) {
  ASSIGN_OR_RETURN(const std::unique_ptr<kv::Store> from,
                   kv::OpenRocksDbStore({.path = data_dir, .read_only = true}));
  std::error_code error;
  if (std::filesystem::exists(to, error) && !std::filesystem::is_empty(to, error)) {
    return absl::AlreadyExistsError(absl::StrCat("cannot write to ", to, ": it exists and is not empty"));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<kv::Store> new_store, kv::OpenRocksDbStore({.path = to}));
  return Salvage(*from, *new_store, observer);
}

}  // namespace historian
