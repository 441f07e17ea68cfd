#include "storage/kv/twin_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "boost/crc.hpp"
#include "storage/kv/posix_files.h"

namespace historian::kv {
namespace {

namespace fs = std::filesystem;
using rocksdb::IOStatus;
using rocksdb::Slice;

constexpr absl::string_view kManifestPrefix = "MANIFEST-";
constexpr absl::string_view kLogSuffix = ".log";
constexpr char kCurrent[] = "CURRENT";

bool IsNumber(absl::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
}
bool IsManifest(absl::string_view name) {
  return absl::ConsumePrefix(&name, kManifestPrefix) && IsNumber(name);
}
bool HasTwin(absl::string_view name) {
  if (IsManifest(name)) return true;
  return absl::ConsumeSuffix(&name, kLogSuffix) && IsNumber(name);
}

// Empty when it cannot be read: then it is as good as lost.
std::string ReadIfThere(const std::string& path) {
  const absl::StatusOr<Fd> fd = OpenFile(path, O_RDONLY);
  if (!fd.ok()) return "";
  const absl::StatusOr<uint64_t> size = FileSize(*fd, path);
  return size.ok() ? ReadAt(*fd, 0, *size, path).value_or("") : "";
}

uint32_t Crc32c(absl::string_view bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

}  // namespace

// RocksDB's log format: blocks of 32 KiB, in them parts of records, each
//   masked CRC-32C of what is behind the length : u32,  length : u16,  type : u8,  [log number : u32,]  payload
// A part never crosses a block; what is too short for another one at a block's end is zeros.
uint64_t WholeLogBytes(absl::string_view bytes) {
  constexpr uint64_t kBlock = 32768, kHeader = 7, kLogNumber = 4;
  constexpr uint8_t kFull = 1, kLast = 4, kFullWithNumber = 5, kLastWithNumber = 8;
  uint64_t whole = 0;
  for (uint64_t at = 0; at + kHeader <= bytes.size();) {
    const uint64_t left = kBlock - at % kBlock;
    if (left < kHeader) {
      at += left;
      continue;
    }
    const char* const p = bytes.data() + at;
    uint32_t masked;
    uint16_t length;
    std::memcpy(&masked, p, 4);
    std::memcpy(&length, p + 4, 2);
    const auto type = static_cast<uint8_t>(p[6]);
    const uint64_t header = kHeader + (type >= kFullWithNumber && type <= kLastWithNumber ? kLogNumber : 0);
    if (type < kFull || type > kLastWithNumber || header + length > left ||
        at + header + length > bytes.size())
      break;
    const uint32_t rotated = masked - 0xa282ead8u;
    if (Crc32c(bytes.substr(at + 6, header - 6 + length)) != ((rotated >> 17) | (rotated << 15))) break;
    at += header + length;
    if (type == kFull || type == kLast || type == kFullWithNumber || type == kLastWithNumber) whole = at;
  }
  return whole;
}

// ---- Files of contents in memory

class TwinFiles::SequentialFile : public rocksdb::FSSequentialFile {
 public:
  explicit SequentialFile(Contents contents) : contents_(std::move(contents)) {}

  IOStatus Read(size_t n, const rocksdb::IOOptions&, Slice* result, char* scratch,
                rocksdb::IODebugContext*) override {
    const std::string& bytes = *contents_.bytes;
    n = std::min<uint64_t>(n, bytes.size() - at_);
    std::memcpy(scratch, bytes.data() + at_, n);
    at_ += n;
    *result = Slice(scratch, n);
    return IOStatus::OK();
  }
  IOStatus Skip(uint64_t n) override {
    at_ += std::min<uint64_t>(n, contents_.bytes->size() - at_);
    return IOStatus::OK();
  }

 private:
  const Contents contents_;
  uint64_t at_ = 0;
};

class TwinFiles::RandomFile : public rocksdb::FSRandomAccessFile {
 public:
  explicit RandomFile(Contents contents) : contents_(std::move(contents)) {}

  IOStatus Read(uint64_t offset, size_t n, const rocksdb::IOOptions&, Slice* result, char* scratch,
                rocksdb::IODebugContext*) const override {
    n = offset >= contents_.size ? 0 : std::min<uint64_t>(n, contents_.size - offset);
    std::memset(scratch, 0, n);
    const std::string& bytes = *contents_.bytes;
    const auto put = [&](uint64_t at, absl::string_view part) {
      const uint64_t from = std::max(at, offset), to = std::min(at + part.size(), offset + n);
      if (from < to) std::memcpy(scratch + (from - offset), part.data() + (from - at), to - from);
    };
    put(0, bytes);
    put(contents_.size - kFooterBytes, absl::string_view(bytes).substr(bytes.size() - kFooterBytes));
    *result = Slice(scratch, n);
    return IOStatus::OK();
  }

 private:
  const Contents contents_;
};

// ---- Files with a twin

// What is written goes to both. A twin that cannot be written goes away, and never fails anything.
class TwinFiles::TwoFiles : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  TwoFiles(std::unique_ptr<rocksdb::FSWritableFile> file, std::unique_ptr<rocksdb::FSWritableFile> twin,
           std::string twin_path)
      : FSWritableFileOwnerWrapper(std::move(file)),
        twin_(std::move(twin)),
        twin_path_(std::move(twin_path)) {}

  IOStatus Append(const Slice& data, const rocksdb::IOOptions& options,
                  rocksdb::IODebugContext* dbg) override {
    IOStatus status = target()->Append(data, options, dbg);
    if (status.ok()) AppendToTwin(data, options, dbg);
    return status;
  }
  IOStatus Append(const Slice& data, const rocksdb::IOOptions& options,
                  const rocksdb::DataVerificationInfo& info, rocksdb::IODebugContext* dbg) override {
    IOStatus status = target()->Append(data, options, info, dbg);
    if (status.ok()) AppendToTwin(data, options, dbg);
    return status;
  }
  IOStatus Close(const rocksdb::IOOptions& options, rocksdb::IODebugContext* dbg) override {
    if (twin_ != nullptr) twin_->Close(options, dbg).PermitUncheckedError();
    twin_.reset();
    return target()->Close(options, dbg);
  }

 private:
  void AppendToTwin(const Slice& data, const rocksdb::IOOptions& options, rocksdb::IODebugContext* dbg) {
    if (twin_ == nullptr || twin_->Append(data, options, dbg).ok()) return;
    twin_.reset();
    ::unlink(twin_path_.c_str());
  }

  std::unique_ptr<rocksdb::FSWritableFile> twin_;
  const std::string twin_path_;
};

// ---- The file system

TwinFiles::TwinFiles(std::string directory, std::string twins, bool write)
    : FileSystemWrapper(rocksdb::FileSystem::Default()),
      directory_(std::move(directory)),
      twins_(std::move(twins)),
      write_(write) {}

bool TwinFiles::Find(const std::string& path, Contents* contents) const {
  const fs::path as_path(path);
  if (as_path.parent_path().string() != directory_) return false;
  absl::MutexLock lock(&mutex_);
  const auto found = stand_ins_.find(as_path.filename());
  if (found == stand_ins_.end()) return false;
  *contents = found->second;
  return true;
}

bool TwinFiles::Forget(const std::string& path) {
  const fs::path as_path(path);
  if (as_path.parent_path().string() != directory_) return false;
  absl::MutexLock lock(&mutex_);
  return stand_ins_.erase(as_path.filename()) > 0;
}

std::string TwinFiles::TwinOf(const std::string& path) const {
  const fs::path as_path(path);
  if (as_path.parent_path().string() != directory_ || !HasTwin(as_path.filename().string())) return "";
  return absl::StrCat(twins_, "/", as_path.filename().string());
}

void TwinFiles::StandIn(const std::string& name, std::string contents, uint64_t size) {
  absl::MutexLock lock(&mutex_);
  stand_ins_[name] = {std::make_shared<const std::string>(std::move(contents)), size};
}

std::vector<std::string> TwinFiles::UseTwins() {
  std::set<std::string> names;
  for (const std::string& directory : {directory_, twins_}) {
    std::error_code error;
    for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
      if (const std::string name = it->path().filename(); HasTwin(name)) names.insert(name);
    }
  }
  std::vector<std::string> used;
  std::string newest;  // Manifest of which something can be read.
  for (const std::string& name : names) {
    const std::string file = ReadIfThere(absl::StrCat(directory_, "/", name));
    std::string twin = ReadIfThere(absl::StrCat(twins_, "/", name));
    const bool are_same = twin == file;
    if (are_same && !IsManifest(name)) continue;
    const uint64_t whole = WholeLogBytes(file);
    const bool better = !are_same && WholeLogBytes(twin) > whole;
    if (better) {
      used.push_back(file.empty() ? absl::StrCat("rocksdb/", name, " is lost; its twin was read instead")
                                  : absl::StrCat("rocksdb/", name, " is damaged from byte ", whole,
                                                 " on; its twin was read instead"));
      const uint64_t size = twin.size();
      StandIn(name, std::move(twin), size);
    }
    // As numbers have the same width, the newest comes last.
    if (IsManifest(name) && (better || whole > 0)) newest = name;
  }
  const std::string current = ReadIfThere(absl::StrCat(directory_, "/", kCurrent));
  absl::string_view named = current;
  if (newest.empty() || (absl::ConsumeSuffix(&named, "\n") && names.count(std::string(named)) > 0))
    return used;
  used.push_back(absl::StrCat("rocksdb/CURRENT is ", current.empty() ? "lost" : "damaged", "; ", newest,
                              " was taken, which is the newest"));
  const std::string right = absl::StrCat(newest, "\n");
  StandIn(kCurrent, right, right.size());
  return used;
}

IOStatus TwinFiles::NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* dbg) {
  Contents contents;
  if (!Find(path, &contents)) return target()->NewSequentialFile(path, options, file, dbg);
  *file = std::make_unique<SequentialFile>(std::move(contents));
  return IOStatus::OK();
}

IOStatus TwinFiles::NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* dbg) {
  Contents contents;
  if (!Find(path, &contents)) return target()->NewRandomAccessFile(path, options, file, dbg);
  *file = std::make_unique<RandomFile>(std::move(contents));
  return IOStatus::OK();
}

IOStatus TwinFiles::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* dbg) {
  IOStatus status = target()->NewWritableFile(path, options, file, dbg);
  if (!status.ok()) return status;
  Forget(path);
  const std::string twin_path = write_ ? TwinOf(path) : "";
  if (twin_path.empty()) return status;
  std::unique_ptr<rocksdb::FSWritableFile> twin;
  if (!target()->NewWritableFile(twin_path, options, &twin, dbg).ok()) return status;
  *file = std::make_unique<TwoFiles>(std::move(*file), std::move(twin), twin_path);
  return status;
}

IOStatus TwinFiles::FileExists(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* dbg) {
  Contents contents;
  return Find(path, &contents) ? IOStatus::OK() : target()->FileExists(path, options, dbg);
}

IOStatus TwinFiles::GetFileSize(const std::string& path, const rocksdb::IOOptions& options, uint64_t* size,
                                rocksdb::IODebugContext* dbg) {
  Contents contents;
  if (!Find(path, &contents)) return target()->GetFileSize(path, options, size, dbg);
  *size = contents.size;
  return IOStatus::OK();
}

IOStatus TwinFiles::GetChildren(const std::string& path, const rocksdb::IOOptions& options,
                                std::vector<std::string>* names, rocksdb::IODebugContext* dbg) {
  IOStatus status = target()->GetChildren(path, options, names, dbg);
  if (!status.ok() || path != directory_) return status;
  absl::MutexLock lock(&mutex_);
  for (const auto& [name, contents] : stand_ins_) {
    if (std::find(names->begin(), names->end(), name) == names->end()) names->push_back(name);
  }
  return status;
}

IOStatus TwinFiles::DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* dbg) {
  // The twin first: one that is left over would look like that of a file that was lost.
  if (const std::string twin = TwinOf(path); write_ && !twin.empty()) ::unlink(twin.c_str());
  IOStatus status = target()->DeleteFile(path, options, dbg);
  const bool stood_in = Forget(path);
  return stood_in && (status.IsNotFound() || status.IsPathNotFound()) ? IOStatus::OK() : status;
}

IOStatus TwinFiles::RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options, rocksdb::IODebugContext* dbg) {
  IOStatus status = target()->RenameFile(from, to, options, dbg);
  if (status.ok()) Forget(to);
  return status;
}

}  // namespace historian::kv
