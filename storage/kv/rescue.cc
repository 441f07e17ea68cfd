#include "storage/kv/rescue.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "rocksdb/db.h"
#include "rocksdb/metadata.h"
#include "rocksdb/sst_file_reader.h"
#include "rocksdb/sst_file_writer.h"
#include "rocksdb/table.h"
#include "storage/kv/limits.h"
#include "storage/kv/rocksdb_tuning.h"
#include "storage/model/status_macros.h"

namespace historian::kv {
namespace {

namespace fs = std::filesystem;

// A sorted file without any key. RocksDB's writer wants something in it: a tombstone where no key is, as keys begin with a
// letter or with a partition (storage/format/key.h).
absl::StatusOr<std::string> EmptyTable(const rocksdb::ColumnFamilyOptions& family, const std::string& path) {
  const std::unique_ptr<rocksdb::Env> memory(rocksdb::NewMemEnv(rocksdb::Env::Default()));
  rocksdb::DBOptions db;
  db.env = memory.get();
  rocksdb::Options options(db, family);
  // It must be no longer than a file of one small key: most of it are properties.
  options.db_host_id.clear();
  options.compression_opts.window_bits = options.compression_opts.level = 0;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(rocksdb::BlockBasedTableOptions()));
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(options), options);
  constexpr char kFile[] = "/empty.sst";
  const std::string begin(1, '\xff');
  std::string bytes;
  rocksdb::Status status = writer.Open(kFile);
  if (status.ok()) status = writer.DeleteRange(begin, begin + '\xff');
  if (status.ok()) status = writer.Finish();
  if (status.ok()) status = rocksdb::ReadFileToString(memory.get(), kFile, &bytes);
  RETURN_IF_ERROR(StatusOf(status, "making a file to stand in", path));
  return bytes;
}

// What keeps the file from being read; empty: nothing that shows before its blocks are read.
std::string FaultOf(const rocksdb::SstFileMetaData& file, const std::string& path,
                    const rocksdb::ColumnFamilyOptions& family) {
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  if (error) return absl::StrCat("it cannot be read: ", error.message());
  if (size != file.size) return absl::StrCat("it has ", size, " bytes, not ", file.size);
  rocksdb::Options options(rocksdb::DBOptions(), family);
  // Without a cache its index is read, and checked, at once.
  rocksdb::BlockBasedTableOptions table;
  table.no_block_cache = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  rocksdb::SstFileReader reader(options);
  const rocksdb::Status status = reader.Open(path);
  return status.ok() ? "" : status.ToString();
}

}  // namespace

absl::StatusOr<std::vector<StoreDamage>> FindLostFiles(
    const rocksdb::DBOptions& options, const std::string& path,
    const std::vector<rocksdb::ColumnFamilyDescriptor>& families, TwinFiles& files) {
  std::vector<StoreDamage> damages;
  rocksdb::DBOptions lenient = options;
  lenient.paranoid_checks = false;
  lenient.wal_recovery_mode = rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
  lenient.listeners.clear();
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* raw = nullptr;
  RETURN_IF_ERROR(StatusOf(rocksdb::DB::OpenForReadOnly(lenient, path, families, &handles, &raw,
                                                        /*error_if_wal_file_exists=*/false),
                           "listing the files of the spaces", path));
  const std::unique_ptr<rocksdb::DB> db(raw);
  struct Lost {
    std::string name;
    uint64_t size;
    size_t family;
  };
  std::vector<Lost> lost;
  for (size_t i = 0; i < families.size(); ++i) {
    rocksdb::ColumnFamilyMetaData meta;
    db->GetColumnFamilyMetaData(handles[i], &meta);
    const Space space = SpaceOfFamily(families[i].name);
    for (const rocksdb::LevelMetaData& level : meta.levels) {
      for (const rocksdb::SstFileMetaData& file : level.files) {
        const std::string& name = file.relative_filename;
        const std::string fault = FaultOf(file, absl::StrCat(path, "/", name), families[i].options);
        if (fault.empty()) continue;
        lost.push_back({name, file.size, i});
        damages.push_back({space, file.smallestkey, file.largestkey,
                           absl::StrCat("rocksdb/", name, " (", SpaceName(space), ") is lost: ", fault)});
      }
    }
    db->DestroyColumnFamilyHandle(handles[i]).PermitUncheckedError();
  }
  for (const Lost& one : lost) {
    ASSIGN_OR_RETURN(std::string bytes, EmptyTable(families[one.family].options, path));
    const uint64_t size = std::max<uint64_t>(one.size, bytes.size());
    if (size != one.size) {
      return absl::DataLossError(absl::StrCat("rocksdb/", one.name, " in ", path,
                                              " is lost, and too small for another ",
                                              "to stand in: ", one.size, " bytes"));
    }
    files.StandIn(one.name, std::move(bytes), size);
  }
  return damages;
}

}  // namespace historian::kv
