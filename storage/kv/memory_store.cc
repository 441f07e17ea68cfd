#include "storage/kv/memory_store.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "storage/kv/limits.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"

namespace historian::kv {
namespace {

class MemoryRun : public RunBuilder {
 public:
  explicit MemoryRun(Space space) : space_(space) {}

  Space space() const override { return space_; }
  absl::Status Replace(absl::string_view begin, absl::string_view end) override {
    RETURN_IF_ERROR(checker_.CheckReplace(begin, end));
    checker_.Replaced(begin, end);
    return absl::OkStatus();
  }
  absl::Status Add(absl::string_view key, absl::string_view value) override {
    RETURN_IF_ERROR(checker_.CheckAdd(key, value));
    checker_.Added(key);
    pairs_.emplace_back(std::string(key), std::make_shared<const std::string>(value));
    size_bytes_ += key.size() + value.size();
    return absl::OkStatus();
  }
  uint64_t size_bytes() const override { return size_bytes_; }

  const RunChecker& checker() const { return checker_; }
  std::vector<std::pair<std::string, std::shared_ptr<const std::string>>>& pairs() { return pairs_; }

 private:
  const Space space_;
  RunChecker checker_;
  std::vector<std::pair<std::string, std::shared_ptr<const std::string>>> pairs_;
  uint64_t size_bytes_ = 0;
};

}  // namespace

std::shared_ptr<MemoryDisk> MemoryDisk::checkpoint(const std::string& path) const {
  absl::MutexLock lock(&mutex_);
  const auto it = checkpoints_.find(path);
  return it == checkpoints_.end() ? nullptr : it->second;
}

std::shared_ptr<MemoryDisk::Map>& MemoryDisk::MutableMap(Space space) {
  std::shared_ptr<Map>& map = maps_[static_cast<int>(space)];
  // References are taken and dropped under the mutex alone, so a count of one stays one.
  if (map.use_count() > 1) map = std::make_shared<Map>(*map);
  return map;
}

class MemoryCursor : public Cursor {
 public:
  MemoryCursor(std::shared_ptr<MemoryDisk> disk, std::shared_ptr<const MemoryDisk::Map> map,
               absl::string_view end)
      : disk_(std::move(disk)),
        map_(std::move(map)),
        end_(end.empty() ? map_->end() : map_->lower_bound(end)),
        at_(end_) {}
  // Under the mutex, so that a writer who sees the map unshared also sees this cursor's reads done.
  ~MemoryCursor() override {
    absl::MutexLock lock(&disk_->mutex_);
    map_.reset();
  }

  void SeekToFirst() override {
    at_ = map_->begin();
    Bound();
  }
  void Seek(absl::string_view key) override {
    at_ = map_->lower_bound(key);
    Bound();
  }
  void SeekForPrev(absl::string_view key) override {
    at_ = map_->upper_bound(key);
    Bound();
    StepBack();
  }
  void Next() override {
    HISTORIAN_CHECK(Valid());
    ++at_;
  }
  void Prev() override {
    HISTORIAN_CHECK(Valid());
    StepBack();
  }
  bool Valid() const override { return at_ != end_; }
  absl::string_view key() const override { return at_->first; }
  absl::string_view value() const override { return *at_->second; }
  absl::Status status() const override { return absl::OkStatus(); }

 private:
  void Bound() {
    if (end_ != map_->end() && (at_ == map_->end() || at_->first >= end_->first)) at_ = end_;
  }
  void StepBack() { at_ = at_ == map_->begin() ? end_ : std::prev(at_); }

  const std::shared_ptr<MemoryDisk> disk_;
  std::shared_ptr<const MemoryDisk::Map> map_;
  const MemoryDisk::Map::const_iterator end_;
  MemoryDisk::Map::const_iterator at_;
};

class MemoryLog : public Log {
 public:
  MemoryLog(std::shared_ptr<MemoryDisk> disk, MemoryDisk::LogBytes* log)
      : disk_(std::move(disk)), log_(*log) {}
  ~MemoryLog() override {
    absl::MutexLock lock(&disk_->mutex_);
    log_.open = false;
  }

  absl::Status Append(absl::string_view bytes) override {
    absl::MutexLock lock(&disk_->mutex_);
    log_.bytes.append(bytes.data(), bytes.size());
    return absl::OkStatus();
  }
  absl::Status Sync() override { return absl::OkStatus(); }
  uint64_t begin() const override {
    absl::MutexLock lock(&disk_->mutex_);
    return log_.begin;
  }
  uint64_t end() const override {
    absl::MutexLock lock(&disk_->mutex_);
    return log_.begin + log_.bytes.size();
  }
  absl::StatusOr<std::string> Read(uint64_t position, size_t size) const override {
    absl::MutexLock lock(&disk_->mutex_);
    if (position < log_.begin) {
      return absl::OutOfRangeError(
          absl::StrCat("log position ", position, " is below the first kept, ", log_.begin));
    }
    const uint64_t offset = position - log_.begin;
    return offset < log_.bytes.size() ? log_.bytes.substr(offset, size) : std::string();
  }
  absl::Status Trim(uint64_t position) override {
    absl::MutexLock lock(&disk_->mutex_);
    if (position <= log_.begin) return absl::OkStatus();
    const uint64_t drop = std::min<uint64_t>(position - log_.begin, log_.bytes.size());
    log_.bytes.erase(0, drop);
    log_.begin += drop;
    return absl::OkStatus();
  }
  absl::Status Truncate(uint64_t position) override {
    absl::MutexLock lock(&disk_->mutex_);
    const uint64_t end = log_.begin + log_.bytes.size();
    if (position < log_.begin || position > end) {
      return absl::OutOfRangeError(
          absl::StrCat("cannot truncate a log at ", position, ", it holds [", log_.begin, ", ", end, ")"));
    }
    log_.bytes.resize(position - log_.begin);
    return absl::OkStatus();
  }

 private:
  const std::shared_ptr<MemoryDisk> disk_;
  MemoryDisk::LogBytes& log_;  // In the disk's map, which never removes one. Guarded by the disk's mutex.
};

class MemoryStore : public Store {
 public:
  static absl::StatusOr<std::unique_ptr<Store>> Open(std::shared_ptr<MemoryDisk> disk) {
    {
      absl::MutexLock lock(&disk->mutex_);
      if (disk->open_) return absl::FailedPreconditionError("the memory disk is held by another open store");
      disk->open_ = true;
    }
    return absl::WrapUnique<Store>(new MemoryStore(std::move(disk)));
  }

  ~MemoryStore() override {
    absl::MutexLock lock(&disk_->mutex_);
    disk_->open_ = false;
  }

  absl::StatusOr<std::optional<std::string>> Get(Space space, absl::string_view key) override {
    RETURN_IF_ERROR(CheckKey(key));
    absl::MutexLock lock(&disk_->mutex_);
    const MemoryDisk::Map& map = *disk_->maps_[static_cast<int>(space)];
    const auto it = map.find(key);
    if (it == map.end()) return std::optional<std::string>();
    return std::optional<std::string>(*it->second);
  }

  using Store::NewCursor;
  std::unique_ptr<Cursor> NewCursor(Space space, absl::string_view end) override {
    absl::MutexLock lock(&disk_->mutex_);
    return std::make_unique<MemoryCursor>(disk_, disk_->maps_[static_cast<int>(space)], end);
  }

  absl::Status Write(const Batch& batch) override {
    RETURN_IF_ERROR(refusal());
    RETURN_IF_ERROR(CheckBatch(batch));
    absl::MutexLock lock(&disk_->mutex_);
    Apply(batch);
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<RunBuilder>> NewRun(Space space) override {
    RETURN_IF_ERROR(CheckRunSpace(space));
    return std::make_unique<MemoryRun>(space);
  }

  absl::Status Ingest(std::vector<std::unique_ptr<RunBuilder>> runs, const Batch& batch) override {
    RETURN_IF_ERROR(refusal());
    RETURN_IF_ERROR(CheckBatch(batch));
    std::vector<MemoryRun*> taken;
    for (const std::unique_ptr<RunBuilder>& run : runs) {
      auto* memory_run = dynamic_cast<MemoryRun*>(run.get());
      if (memory_run == nullptr) return absl::InvalidArgumentError("a run was not built by this store");
      if (!memory_run->checker().empty()) taken.push_back(memory_run);
    }
    absl::MutexLock lock(&disk_->mutex_);
    for (MemoryRun* run : taken) {
      MemoryDisk::Map& map = *disk_->MutableMap(run->space());
      const RunChecker& checker = run->checker();
      if (checker.replaces()) {
        map.erase(map.lower_bound(checker.replace_begin()), map.lower_bound(checker.replace_end()));
      }
      for (auto& [key, value] : run->pairs()) map.insert_or_assign(std::move(key), std::move(value));
    }
    Apply(batch);
    return absl::OkStatus();
  }

  absl::Status DeleteRange(Space space, absl::string_view begin, absl::string_view end) override {
    RETURN_IF_ERROR(refusal());
    RETURN_IF_ERROR(CheckKey(begin));
    RETURN_IF_ERROR(CheckKey(end));
    if (begin >= end) return absl::OkStatus();
    absl::MutexLock lock(&disk_->mutex_);
    MemoryDisk::Map& map = *disk_->MutableMap(space);
    map.erase(map.lower_bound(begin), map.lower_bound(end));
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<Log>> OpenLog(absl::string_view name) override {
    RETURN_IF_ERROR(CheckLogName(name));
    absl::MutexLock lock(&disk_->mutex_);
    auto it = disk_->logs_.find(name);
    const bool found = it != disk_->logs_.end();
    if (!found) it = disk_->logs_.try_emplace(std::string(name)).first;
    if (it->second.open)
      return absl::FailedPreconditionError(absl::StrCat("the log ", name, " is open already"));
    it->second.open = true;
    if (found) it->second.bytes.append(disk_->log_zero_tail_bytes_, '\0');
    return std::make_unique<MemoryLog>(disk_, &it->second);
  }

  absl::Status Checkpoint(const std::string& path) override {
    absl::MutexLock lock(&disk_->mutex_);
    if (disk_->checkpoints_.count(path) != 0) {
      return absl::AlreadyExistsError(absl::StrCat("cannot write a checkpoint to ", path, ": it exists"));
    }
    auto copy = std::make_shared<MemoryDisk>(disk_->log_zero_tail_bytes_);
    {
      absl::MutexLock copy_lock(&copy->mutex_);
      for (int i = 0; i < kSpaces; ++i) copy->maps_[i] = std::make_shared<MemoryDisk::Map>(*disk_->maps_[i]);
      copy->logs_ = disk_->logs_;
      for (auto& [name, log] : copy->logs_) log.open = false;
    }
    disk_->checkpoints_.emplace(path, std::move(copy));
    return absl::OkStatus();
  }

  StoreStats Stats() override {
    absl::MutexLock lock(&disk_->mutex_);
    StoreStats stats;
    for (int i = 0; i < kSpaces; ++i) {
      const MemoryDisk::Map& map = *disk_->maps_[i];
      stats.spaces[i].keys_estimate = map.size();
      for (const auto& [key, value] : map) stats.spaces[i].bytes_on_disk += key.size() + value->size();
      stats.memory_bytes += stats.spaces[i].bytes_on_disk;
    }
    for (const auto& [name, log] : disk_->logs_) stats.log_bytes += log.bytes.size();
    stats.memory_bytes += stats.log_bytes;
    return stats;
  }

 private:
  explicit MemoryStore(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) {}

  void Apply(const Batch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(disk_->mutex_) {
    if (batch.ops().empty()) return;
    MemoryDisk::Map& map = *disk_->MutableMap(Space::kMeta);
    for (const Batch::Op& op : batch.ops()) {
      if (op.value.has_value()) {
        map.insert_or_assign(op.key, std::make_shared<const std::string>(*op.value));
      } else {
        map.erase(op.key);
      }
    }
  }

  const std::shared_ptr<MemoryDisk> disk_;
};

absl::StatusOr<std::unique_ptr<Store>> TryOpenMemoryStore(std::shared_ptr<MemoryDisk> disk) {
  return MemoryStore::Open(std::move(disk));
}

std::unique_ptr<Store> OpenMemoryStore(std::shared_ptr<MemoryDisk> disk) {
  absl::StatusOr<std::unique_ptr<Store>> store = TryOpenMemoryStore(std::move(disk));
  HISTORIAN_CHECK(store.ok());
  return *std::move(store);
}

std::unique_ptr<Store> NewMemoryStore() { return OpenMemoryStore(std::make_shared<MemoryDisk>()); }

}  // namespace historian::kv
