// Strategy: an archive with all that there can be in one (tags of all types; settled, late, replaced, open and unsealed
// samples; rollups, rules, holds, versions) is made once. The first byte chooses one of its stored values, the rest
// of the input takes the place of that value, or is a record behind the others in the journal. Checksums are put right, so
// that mutations get past them. Invariants: the archive opens, or says DataLoss or FailedPrecondition (a newer
// version); then every read, verify, a write and a seal end, with an answer or an error that is not Internal.
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "google/protobuf/stubs/logging.h"
#include "storage/archive/archive.h"
#include "storage/archive/folded.h"
#include "storage/format/key.h"
#include "storage/format/right_checksums.h"
#include "storage/kv/memory_store.h"
#include "storage/model/check.h"
#include "storage/model/clock.h"
#include "tests/fuzz/driver.h"

namespace {

using namespace historian;  // NOLINT: a program of its own.
using kv::Space;

constexpr Timestamp kSecond = kNanosPerSecond;
constexpr Timestamp kStart = 1'700'000'000 * kSecond;

struct Stored {
  Space space;
  std::string key;
  std::string value;
};

struct Base {
  std::vector<Stored> values;
  std::string journal;
  std::vector<std::string> records;  // Of the journal.
};

const Clock& TheClock() {
  static const SimulatedClock& clock = *new SimulatedClock(kStart + 30 * 86400 * kSecond);
  return clock;
}

absl::StatusOr<std::unique_ptr<Archive>> Open(std::shared_ptr<kv::MemoryDisk> disk) {
  ArchiveOptions options;
  options.shards = 1;
  options.memory_budget_bytes = 64 << 20;
  return Archive::Open(kv::OpenMemoryStore(std::move(disk)), options, TheClock());
}

ValueType TypeOf(int i) { return static_cast<ValueType>(1 + i % 6); }

absl::StatusOr<WriteResult> Write(Archive& archive, const std::shared_ptr<Producer>& producer, Frame frame) {
  absl::StatusOr<WriteResult> result = absl::UnknownError("");
  absl::Notification done;
  archive.Write(producer, std::move(frame), [&](absl::StatusOr<WriteResult> r) {
    result = std::move(r);
    done.Notify();
  });
  done.WaitForNotification();
  return result;
}

FrameColumn ColumnOf(TagId tag, ValueType type, int from, int size, int salt) {
  FrameColumn column{.tag = tag, .type = type};
  for (int i = from; i < from + size; ++i) {
    const Timestamp time = kStart + i * 1800 * kSecond;
    const Quality quality = i % 29 == 0 ? kBadNoData : kGood;
    if (type == ValueType::kString) {
      column.samples.AddString(time, i % 2 == 0 ? "open" : "shut", quality);
    } else if (type == ValueType::kFloat64) {
      column.samples.Add(time, BitsOfFloat64(i * 0.5 + salt), quality);
    } else {
      column.samples.Add(time, static_cast<ValueBits>((i + salt) % 2), quality);
    }
  }
  return column;
}

// The bytes of the journal and all that there is in the spaces.
Base Read(std::shared_ptr<kv::MemoryDisk> disk) {
  Base base;
  const std::unique_ptr<kv::Store> store = kv::OpenMemoryStore(std::move(disk));
  for (int space = 0; space < kv::kSpaces; ++space) {
    const auto cursor = store->NewCursor(static_cast<Space>(space));
    for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
      base.values.push_back(
          {static_cast<Space>(space), std::string(cursor->key()), std::string(cursor->value())});
    }
  }
  const auto log = *store->OpenLog("journal");
  base.journal.assign(log->begin(), '\0');
  base.journal += *log->Read(log->begin(), log->end() - log->begin());
  // Records of up to 127 bytes of batches, for seeds.
  for (size_t at = log->begin(); at + 24 < base.journal.size(); ++at) {
    if (base.journal.compare(at, 4, "HSJL") != 0) continue;
    const size_t size = static_cast<uint8_t>(base.journal[at + 24]);
    if (size < 128) base.records.push_back(base.journal.substr(at + 25, size));
  }
  return base;
}

const Base& TheBase() {
  static const Base& base = *[] {
    const auto disk = std::make_shared<kv::MemoryDisk>();
    {
      const std::unique_ptr<Archive> archive = *Open(disk);
      std::vector<Tag> tags;
      for (int i = 0; i < 6; ++i) {
        tags.push_back({.name = "area/tag" + std::to_string(i),
                        .type = TypeOf(i),
                        .interpolation = DefaultInterpolation(TypeOf(i))});
        if (tags.back().type == ValueType::kDigital) tags.back().states = {{0, "off"}, {1, "on"}};
      }
      for (const auto& created : archive->tags().Create(tags)) HISTORIAN_CHECK(created.ok());
      HISTORIAN_CHECK(archive->retention().SetRule({.name = "all", .pattern = "area/*"}).ok());
      HISTORIAN_CHECK(archive->retention()
                          .PlaceHold({.name = "hold",
                                      .pattern = "*1",
                                      .start = kStart,
                                      .end = kStart + kSecond,
                                      .reason = "r",
                                      .placed_by = "p"})
                          .ok());
      const auto producer = *archive->OpenProducer("gateway-7");
      uint64_t sequence = 0;
      const auto write = [&](int from, int size, int salt) {
        for (TagId tag = 1; tag <= 6; ++tag) {
          Frame frame{.sequence = ++sequence};
          frame.columns.push_back(ColumnOf(tag, TypeOf(static_cast<int>(tag) - 1), from, size, salt));
          HISTORIAN_CHECK(Write(*archive, producer, std::move(frame)).ok());
        }
      };
      write(0, 500, 0);
      HISTORIAN_CHECK(archive->MarkVersion("author", "comment").ok());
      write(100, 50, 1);  // Replaces some.
      HISTORIAN_CHECK(archive->upkeep().Seal(/*settle=*/true).ok());
      write(600, 80, 0);
      HISTORIAN_CHECK(archive->MarkVersion("author", "comment").ok());
      write(550, 20, 0);  // Late.
      HISTORIAN_CHECK(archive->upkeep().Seal().ok());
      write(700, 6, 0);
    }
    return new Base(Read(disk));
  }();
  return base;
}

// The batch of one record at the end of the journal.
std::string BatchOf(absl::string_view record, uint64_t position) {
  std::string payload;
  for (uint64_t size = record.size();; size >>= 7) {
    payload.push_back(static_cast<char>(size < 128 ? size : size | 128));
    if (size < 128) break;
  }
  payload.append(record.data(), record.size());
  std::string batch = "HSJL";
  const auto put = [&batch](uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) batch.push_back(static_cast<char>(value >> (8 * i)));
  };
  put(payload.size(), 4);
  put(position, 8);
  put(Checksum(payload), 4);
  put(Checksum(batch), 4);
  return batch + payload;
}

std::shared_ptr<kv::MemoryDisk> DiskWith(std::vector<Stored> values, const std::string& journal) {
  auto disk = std::make_shared<kv::MemoryDisk>();
  const std::unique_ptr<kv::Store> store = kv::OpenMemoryStore(disk);
  kv::Batch batch;
  std::vector<std::unique_ptr<kv::RunBuilder>> runs;
  for (const Stored& stored : values) {
    if (stored.space == Space::kMeta) {
      batch.Put(stored.key, stored.value);
      continue;
    }
    if (runs.empty() || runs.back()->space() != stored.space) runs.push_back(*store->NewRun(stored.space));
    HISTORIAN_CHECK(runs.back()->Add(stored.key, stored.value).ok());
  }
  HISTORIAN_CHECK(store->Ingest(std::move(runs), batch).ok());
  const auto log = *store->OpenLog("journal");
  HISTORIAN_CHECK(log->Append(journal).ok() && log->Sync().ok());
  return disk;
}

// What may be wrong with an archive whose bytes are.
void CheckError(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      std::fprintf(stderr, "%s\n", status.ToString().c_str());
      HISTORIAN_CHECK(false && "an error that says nothing to anybody");
    default:
      return;
  }
}

void ReadAll(Archive& archive, TagId id, Version as_of) {
  const auto reader = archive.ReadRaw(
      {.tag = id, .start = kTimestampMin, .end = kTimestampMax, .bounds = true, .as_of = as_of});
  CheckError(reader.status());
  Timestamp last = kTimestampMin;
  for (Samples batch; reader.ok();) {
    const absl::StatusOr<bool> more = (*reader)->Next(&batch);
    CheckError(more.status());
    if (!more.ok() || !*more) break;
    for (const Timestamp time : batch.times) {
      HISTORIAN_CHECK(last <= time);
      last = time;
    }
  }
  CheckError(archive.ReadLatest({id}, as_of).status());
  const std::vector<Timestamp> times = {kStart - kSecond, kStart + 1000 * kSecond,
                                        kStart + 86400 * 30 * kSecond};
  CheckError(archive.ReadAtTimes(id, times, Interpolation::kStepped, false, nullptr, as_of).status());
  CheckError(Folded(archive, id, times, Interpolation::kStepped, kAllParts, as_of).status());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A line for each text that is not UTF-8 is too many.
  [[maybe_unused]] static const auto usual = google::protobuf::SetLogHandler(nullptr);
  if (size == 0) return 0;
  const std::string input(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::vector<Stored> values = TheBase().values;
  std::string journal = TheBase().journal;
  const size_t chosen = data[0] % (values.size() + 1);
  if (chosen == values.size()) {
    if (input.empty()) return 0;
    journal += BatchOf(input, journal.size());
  } else {
    Stored& changed = values[chosen];
    changed.value = input;
    if (changed.space == Space::kRollups && input.size() >= 4) {
      changed.value = format::WithChecksum(input.substr(0, input.size() - 4));
    }
    if (changed.space == Space::kHeads || changed.space == Space::kPages) {
      const format::BlockId id = changed.space == Space::kHeads ? *format::ParseHeadKey(changed.key)
                                                                : *format::ParsePagesKey(changed.key);
      const std::string head_key = format::HeadKey(id), pages_key = format::PagesKey(id);
      const Stored *head = nullptr, *pages = nullptr;
      for (const Stored& stored : values) {
        if (stored.space == Space::kHeads && stored.key == head_key) head = &stored;
        if (stored.space == Space::kPages && stored.key == pages_key) pages = &stored;
      }
      HISTORIAN_CHECK(head != nullptr && pages != nullptr);
      const std::string right = format::RightHead(head->value, pages->value);
      values[static_cast<size_t>(head - values.data())].value = right;
    }
  }
  absl::StatusOr<std::unique_ptr<Archive>> archive = Open(DiskWith(std::move(values), journal));
  if (!archive.ok()) {
    HISTORIAN_CHECK(absl::IsDataLoss(archive.status()) || absl::IsFailedPrecondition(archive.status()));
    return 0;
  }
  for (TagId tag = 1; tag <= 6; ++tag) {
    for (const Version as_of : {kVersionNow, Version{1}}) ReadAll(**archive, tag, as_of);
    CheckError((*archive)->StorageOf(tag).status());
    CheckError((*archive)->ListBlocks(tag, kTimestampMin, kTimestampMax).status());
  }
  CheckError((*archive)->upkeep().Verify({}, {}).status());
  CheckError((*archive)->versions().List(kTimestampMin, kTimestampMax, kVersionMax, 10).status());
  (void)(*archive)->Stats();
  const auto producer = (*archive)->OpenProducer("gateway-7");
  CheckError(producer.status());
  if (producer.ok()) {
    Frame frame{.sequence = (*archive)->DurableSequence("gateway-7") + 1};
    frame.columns.push_back(ColumnOf(1, TypeOf(0), 710, 5, 0));
    CheckError(Write(**archive, *producer, std::move(frame)).status());
  }
  CheckError((*archive)->upkeep().Seal(/*settle=*/true).status());
  for (TagId tag = 1; tag <= 6; ++tag) ReadAll(**archive, tag, kVersionNow);
  return 0;
}

std::vector<std::string> historian::fuzz::FuzzSeeds() {
  std::vector<std::string> seeds;
  const Base& base = TheBase();
  HISTORIAN_CHECK(base.values.size() < 255);
  for (size_t i = 0; i < base.values.size(); ++i) {
    seeds.push_back(std::string(1, static_cast<char>(i)) + base.values[i].value);
  }
  for (const std::string& record : base.records) {
    seeds.push_back(std::string(1, static_cast<char>(base.values.size())) + record);
  }
  return seeds;
}
