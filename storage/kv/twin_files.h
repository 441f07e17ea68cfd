// File: storage/kv/twin_files.h
//
// The file system that RocksDB works on: that of the machine, and two things besides.
//
//   twins      The few small files on which all of RocksDB hangs (MANIFEST-n, and its logs n.log) are written twice:
//              in rocksdb/, and under the same name in twins/. One that was damaged, cut or lost is read from its
//              twin. A twin is not synced, so that it costs no time: it is there for a disk that forgets, not for
//              a power cut. So it is believed only where it holds more whole records than the file itself.
//   stand-ins  A file may be given other contents to be read, in memory: CURRENT, when it is damaged; a file of twins;
//              and a sorted file that cannot be read, in whose place one without any key lets RocksDB open the others.
//
// Only for rocksdb_store. Threads: any; but StandIn before RocksDB is opened.
#ifndef HISTORIAN_STORAGE_KV_TWIN_FILES_H_
#define HISTORIAN_STORAGE_KV_TWIN_FILES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"

namespace historian::kv {

// How many bytes of a file in RocksDB's log format (its logs and manifests) are whole: up to the end of the last record
// before the first one that does not check out.
uint64_t WholeLogBytes(absl::string_view bytes);

class TwinFiles : public rocksdb::FileSystemWrapper {
 public:
  // directory: RocksDB's. twins: where twins are, and are written unless it is empty or `write` is false.
  TwinFiles(std::string directory, std::string twins, bool write);

  static const char* kClassName() { return "HistorianTwinFiles"; }
  const char* Name() const override { return kClassName(); }

  // Looks which of the files with twins, and of CURRENT, are damaged, and lets the twins stand in for them. Returns a
  // sentence for each: which file, from where on.
  std::vector<std::string> UseTwins();
  // Lets `contents` be read in place of the file of this name, as if it had `size` bytes: zeros behind the contents, then
  // the last kFooterBytes of them once more, for that is where a sorted file is read from first.
  void StandIn(const std::string& name, std::string contents, uint64_t size);
  static constexpr size_t kFooterBytes = 53;

  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus FileExists(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus GetFileSize(const std::string& path, const rocksdb::IOOptions& options, uint64_t* size,
                                rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus GetChildren(const std::string& path, const rocksdb::IOOptions& options,
                                std::vector<std::string>* names, rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options, rocksdb::IODebugContext* dbg) override;

 private:
  struct Contents {
    std::shared_ptr<const std::string> bytes;
    uint64_t size = 0;
  };
  class SequentialFile;
  class RandomFile;
  class TwoFiles;

  // False when nothing stands in for the file.
  bool Find(const std::string& path, Contents* contents) const;
  // The file itself is the one to be read from now on.
  bool Forget(const std::string& path);
  // Empty when the file has no twin.
  std::string TwinOf(const std::string& path) const;

  const std::string directory_;
  const std::string twins_;
  const bool write_;

  mutable absl::Mutex mutex_;
  std::map<std::string, Contents> stand_ins_ ABSL_GUARDED_BY(mutex_);  // By name in the directory.
};

}  // namespace historian::kv

#endif  // HISTORIAN_STORAGE_KV_TWIN_FILES_H_
