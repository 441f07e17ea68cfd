// File: storage/backup/backup_fixture.h
//
// For tests: an archive in a directory that is written to at random, and all that it says.
#ifndef HISTORIAN_STORAGE_BACKUP_BACKUP_FIXTURE_H_
#define HISTORIAN_STORAGE_BACKUP_BACKUP_FIXTURE_H_

#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "storage/archive/archive.h"
#include "storage/backup/backup_maker.h"
#include "storage/backup/repository.h"
#include "storage/backup/target.h"
#include "storage/kv/rocksdb_store.h"
#include "storage/model/clock.h"

namespace historian::backup {

inline constexpr Timestamp kStart = 1'700'000'000 * kNanosPerSecond;

inline std::string ScratchDirectory(absl::string_view name) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/", name);
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  return path;
}

inline std::string Slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}
inline void Spit(const std::string& path, absl::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

inline absl::StatusOr<std::unique_ptr<Archive>> OpenArchive(const std::string& path, const Clock& clock,
                                                            bool read_only = false) {
  absl::StatusOr<std::unique_ptr<kv::Store>> store = kv::OpenRocksDbStore({.path = path,
                                                                           .read_only = read_only,
                                                                           .block_cache_bytes = 1 << 20,
                                                                           .meta_buffer_bytes = 1 << 20,
                                                                           .log_segment_bytes = 1 << 20});
  if (!store.ok()) return store.status();
  return Archive::Open(*std::move(store), {.shards = 2, .memory_budget_bytes = 64 << 20}, clock);
}

// Everything that an archive says as of a version: definitions and samples, in words.
inline std::string SayAll(Archive& archive, Version as_of = kVersionNow) {
  std::string all;
  for (TagId id = 1; id <= archive.tags().last_id(); ++id) {
    const auto tag = as_of == kVersionNow
                         ? absl::StatusOr<std::shared_ptr<const Tag>>(archive.tags().Find(id))
                         : archive.tags().FindAsOf(id, as_of);
    EXPECT_TRUE(tag.ok()) << tag.status();
    if (!tag.ok() || *tag == nullptr) continue;
    absl::StrAppend(&all, "tag ", id, " ", (*tag)->name, " ", (*tag)->unit, "\n");
    auto reader =
        archive.ReadRaw({.tag = id, .start = kTimestampMin, .end = kTimestampMax + 1, .as_of = as_of});
    EXPECT_TRUE(reader.ok()) << reader.status();
    Samples batch;
    while (reader.ok()) {
      const absl::StatusOr<bool> more = (*reader)->Next(&batch);
      EXPECT_TRUE(more.ok()) << more.status();
      if (!more.ok() || !*more) break;
      const SamplesView view = batch.View();
      for (size_t i = 0; i < view.size; ++i) {
        absl::StrAppend(&all, view.times[i], " ", (*tag)->type == ValueType::kString ? 0 : view.values[i],
                        " ", view.QualityAt(i), " ",
                        (*tag)->type == ValueType::kString ? view.StringAt(i) : "", "\n");
      }
    }
  }
  return all;
}

// An archive that is written to at random: samples in order, late and replaced, of several types; seals, settling, changes of
// definitions. Threads: one, but for acknowledged().
class RandomWriter {
 public:
  RandomWriter(Archive& archive, uint64_t seed) : archive_(archive), random_(seed) {
    auto producer = archive.OpenProducer("random writer");
    EXPECT_TRUE(producer.ok()) << producer.status();
    if (producer.ok()) producer_ = *std::move(producer);
    sequence_ = archive.DurableSequence("random writer");
    for (TagId id = 1; id <= archive.tags().last_id(); ++id) tags_.push_back(archive.tags().Find(id));
  }

  uint64_t Below(uint64_t n) { return random_() % n; }

  void MakeTag() {
    constexpr ValueType kTypes[] = {ValueType::kFloat64, ValueType::kInt64, ValueType::kString};
    const ValueType type = kTypes[tags_.size() % 3];
    const auto made = archive_.tags().Create({{.name = absl::StrCat("area/tag ", tags_.size()),
                                               .type = type,
                                               .interpolation = DefaultInterpolation(type)}});
    ASSERT_TRUE(made[0].ok()) << made[0].status();
    tags_.push_back(*made[0]);
  }

  // Returns when it is acknowledged.
  void WriteFrame() {
    if (tags_.empty()) MakeTag();
    const Tag& tag = *tags_[Below(tags_.size())];
    Frame frame;
    frame.sequence = ++sequence_;
    FrameColumn& column = frame.columns.emplace_back();
    column.tag = tag.id;
    column.type = tag.type;
    // Mostly onwards; one in four goes over what is there.
    const int64_t from = Below(4) == 0 ? static_cast<int64_t>(Below(next_ + 1)) : next_;
    const int64_t size = 1 + static_cast<int64_t>(Below(2000));
    for (int64_t i = from; i < from + size; ++i) {
      const Timestamp time = kStart + i * 30 * kNanosPerSecond;
      const Quality quality = Below(50) == 0 ? kBadNoData : kGood;
      if (tag.type == ValueType::kString) {
        column.samples.AddString(time, absl::StrCat("text ", Below(9)), quality);
      } else if (tag.type == ValueType::kFloat64) {
        column.samples.Add(time, BitsOfFloat64(static_cast<double>(Below(1000)) / 10), quality);
      } else {
        column.samples.Add(time, BitsOfInt64(static_cast<int64_t>(Below(1000))), quality);
      }
    }
    next_ = std::max(next_, from + size);
    absl::Notification done;
    archive_.Write(producer_, std::move(frame), [&](absl::StatusOr<WriteResult> result) {
      EXPECT_TRUE(result.ok()) << result.status();
      done.Notify();
    });
    done.WaitForNotification();
    absl::MutexLock lock(&mu_);
    acknowledged_.push_back(
        {tag.id, kStart + from * 30 * kNanosPerSecond, kStart + (from + size - 1) * 30 * kNanosPerSecond});
  }

  // Lets go of the producer, so that the archive may be closed.
  void Release() { producer_.reset(); }

  // What was acknowledged so far: samples every 30 s, from the first to the last time. Any thread.
  struct Acknowledged {
    TagId tag;
    Timestamp first;
    Timestamp last;
  };
  std::vector<Acknowledged> acknowledged() const ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return acknowledged_;
  }

  void DoSomething() {
    const uint64_t what = Below(20);
    if (what == 0) {
      MakeTag();
    } else if (what == 1) {
      ASSERT_TRUE(archive_.upkeep().Seal(/*settle=*/Below(3) == 0).ok());
    } else if (what == 2 && !tags_.empty()) {
      const TagId id = tags_[Below(tags_.size())]->id;
      ASSERT_TRUE(archive_.tags().Update(id, {.unit = absl::StrCat("unit ", Below(5))}).ok());
    } else {
      WriteFrame();
    }
  }

 private:
  Archive& archive_;
  std::mt19937_64 random_;
  std::shared_ptr<Producer> producer_;
  uint64_t sequence_ = 0;
  std::vector<std::shared_ptr<const Tag>> tags_;
  int64_t next_ = 0;
  mutable absl::Mutex mu_;
  std::vector<Acknowledged> acknowledged_ ABSL_GUARDED_BY(mu_);
};

inline BackupOptions OptionsFor(const std::string& data_dir) {
  return {.data_dir = data_dir,
          .work_dir = absl::StrCat(data_dir, "/runs"),
          .more_files = {"tokens.toml"},
          .server_version = "test",
          .author = "test"};
}

}  // namespace historian::backup

#endif  // HISTORIAN_STORAGE_BACKUP_BACKUP_FIXTURE_H_
