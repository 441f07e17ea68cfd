// File: storage/archive/archive_fixture.h
//
// For tests: an archive over a store in memory that can fail, and short ways to write and read.
#ifndef HISTORIAN_STORAGE_ARCHIVE_ARCHIVE_FIXTURE_H_
#define HISTORIAN_STORAGE_ARCHIVE_ARCHIVE_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "storage/archive/archive.h"
#include "storage/kv/faulty_store.h"
#include "storage/kv/memory_store.h"

namespace historian {

inline constexpr Timestamp kStart = 1'700'000'000 * kNanosPerSecond;
inline constexpr Timestamp kSecond = kNanosPerSecond;

class ArchiveTest : public testing::Test {
 protected:
  ArchiveTest() : disk_(std::make_shared<kv::MemoryDisk>()), clock_(kStart + 86400 * 365 * kSecond) {
    options_.shards = 2;
    Reopen();
  }

  void Reopen() {
    producer_.reset();
    archive_.reset();
    faults_ = std::make_shared<kv::Faults>();
    std::unique_ptr<kv::Store> store = kv::NewFaultyStore(kv::OpenMemoryStore(disk_), faults_);
    store_ = store.get();
    absl::StatusOr<std::unique_ptr<Archive>> archive = Archive::Open(std::move(store), options_, clock_);
    ASSERT_TRUE(archive.ok()) << archive.status();
    archive_ = *std::move(archive);
    producer_ = *archive_->OpenProducer("test");
    sequence_ = archive_->DurableSequence("test");
  }

  TagId MakeTag(const std::string& name, ValueType type) {
    Tag tag{.name = name, .type = type, .interpolation = DefaultInterpolation(type)};
    auto created = archive_->tags().Create({tag});
    EXPECT_TRUE(created[0].ok()) << created[0].status();
    return (*created[0])->id;
  }

  absl::StatusOr<WriteResult> Write(Frame frame) {
    if (frame.sequence == 0) frame.sequence = ++sequence_;
    absl::StatusOr<WriteResult> result = absl::UnknownError("");
    absl::Notification done;
    archive_->Write(producer_, std::move(frame), [&](absl::StatusOr<WriteResult> r) {
      result = std::move(r);
      done.Notify();
    });
    done.WaitForNotification();
    return result;
  }

  absl::StatusOr<WriteResult> WriteColumn(TagId tag, ValueType type, Samples samples) {
    Frame frame;
    frame.columns.push_back({.tag = tag, .type = type, .samples = std::move(samples)});
    return Write(std::move(frame));
  }

  absl::StatusOr<Samples> ReadAll(RawRequest request) {
    auto reader = archive_->ReadRaw(request);
    if (!reader.ok()) return reader.status();
    Samples all, batch;
    while (true) {
      absl::StatusOr<bool> more = (*reader)->Next(&batch);
      if (!more.ok()) return more.status();
      if (!*more) return all;
      all.Append(archive_->tags().Find(request.tag)->type, batch.View());
    }
  }
  Samples ReadAll(TagId tag) {
    auto samples = ReadAll({.tag = tag, .start = kTimestampMin, .end = kTimestampMax + 1});
    EXPECT_TRUE(samples.ok()) << samples.status();
    return samples.ok() ? *samples : Samples();
  }

  std::shared_ptr<kv::MemoryDisk> disk_;
  std::shared_ptr<kv::Faults> faults_;
  SimulatedClock clock_;
  ArchiveOptions options_;
  std::unique_ptr<Archive> archive_;
  kv::Store* store_ = nullptr;  // The archive's.
  std::shared_ptr<Producer> producer_;
  uint64_t sequence_ = 0;
};

inline void ExpectSame(ValueType type, const Samples& actual, const Samples& expected,
                       const std::string& where) {
  ASSERT_EQ(actual.size(), expected.size()) << where;
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_TRUE(SameSample(type, actual.View(), i, expected.View(), i))
        << where << ": sample " << i << " at " << FormatTimestamp(actual.times[i]) << ", expected at "
        << FormatTimestamp(expected.times[i]);
  }
}

}  // namespace historian

#endif  // HISTORIAN_STORAGE_ARCHIVE_ARCHIVE_FIXTURE_H_
