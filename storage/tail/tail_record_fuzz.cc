// Strategy: the first byte chooses the tag's value type, the rest is its record; checksums in it are put right, so that
// mutations get past them. Invariants: reading ends with a tail, DataLoss or FailedPrecondition (a newer version); the tail
// can be viewed, frozen and thawed, and takes samples; written down and read again it has the same samples.
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "google/protobuf/stubs/logging.h"
#include "proto/record/v1/records.pb.h"
#include "storage/format/hostile_samples.h"
#include "storage/format/plant_samples.h"
#include "storage/format/right_checksums.h"
#include "storage/kv/memory_store.h"
#include "storage/model/check.h"
#include "storage/tail/tail.h"
#include "storage/tail/tail_record.h"
#include "storage/versions/version_table.h"
#include "tests/fuzz/driver.h"

namespace {

using namespace historian;  // NOLINT: a program of its own.

ValueType TypeOf(uint8_t byte) { return static_cast<ValueType>(1 + byte % 6); }

void CheckError(const absl::Status& status) {
  HISTORIAN_CHECK(status.code() == absl::StatusCode::kDataLoss ||
                  status.code() == absl::StatusCode::kFailedPrecondition);
}

std::string RecordOf(Tail& tail) {
  FrozenTag frozen{
      .tag = 1, .frontier = tail.frontier(), .latest = tail.latest(), .oldest = tail.oldest_time()};
  frozen.tail = tail.Freeze();
  const std::string record = TailRecordOf(frozen, frozen.tail->runs);
  tail.Thaw(nullptr);
  return record;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A line for each text that is not UTF-8 is too many.
  [[maybe_unused]] static const auto usual = google::protobuf::SetLogHandler(nullptr);
  static kv::Store& store = *kv::NewMemoryStore().release();
  static const VersionTable& versions = *new VersionTable(store);
  if (size == 0) return 0;
  const ValueType type = TypeOf(data[0]);
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  record::v1::TailRecord record;
  std::string right(bytes);
  if (record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    for (record::v1::TailRecord::Run& run : *record.mutable_runs()) {
      run.set_head(format::RightHead(run.head(), run.payload()));
    }
    right = record.SerializeAsString();
  }
  absl::StatusOr<Tail> tail = ReadTailRecord(type, right, versions);
  if (!tail.ok()) {
    CheckError(tail.status());
    return 0;
  }
  const size_t samples = tail->samples();
  const TailView view = tail->View(kTimestampMin, kTimestampMax);
  (void)view.AsOf(type, 1, versions).ok();
  (void)tail->MemoryBytes();
  (void)tail->WaitingUntil(0);
  const std::string again = RecordOf(*tail);
  HISTORIAN_CHECK(tail->samples() == samples);
  const absl::StatusOr<Tail> twice = ReadTailRecord(type, again, versions);
  HISTORIAN_CHECK(twice.ok() && twice->samples() == samples);

  Samples more;
  for (Timestamp time : {Timestamp{-5}, 1'700'000'000 * kNanosPerSecond, 1'900'000'000 * kNanosPerSecond}) {
    if (type == ValueType::kString) {
      more.AddString(time, "more", kGood);
    } else {
      more.Add(time, 1, kGood);
    }
  }
  SamplesView added = more.View();
  added.version = kVersionMax;
  Superseded superseded;
  tail->Append(added, &superseded);
  (void)RecordOf(*tail);
  return 0;
}

std::vector<std::string> historian::fuzz::FuzzSeeds() {
  std::vector<std::string> seeds;
  const auto add = [&seeds](ValueType type, const std::vector<Samples>& parts) {
    Tail tail(type);
    Superseded superseded;
    uint32_t version = 1;
    for (const Samples& samples : parts) {
      SamplesView view = samples.View();
      view.version = version++;
      tail.Append(view, &superseded);
    }
    seeds.push_back(std::string(1, static_cast<char>(static_cast<uint8_t>(type) - 1)) + RecordOf(tail));
  };
  for (const format::PlantKind& kind : format::PlantKinds()) {
    for (const size_t size : {1, 60, 1300}) add(kind.type, {kind.make(size, 1)});
    add(kind.type, {kind.make(80, 1), kind.make(40, 2), kind.make(90, 3)});
  }
  std::mt19937_64 random(1);
  for (int round = 0; round < 24; ++round) {
    const ValueType type = TypeOf(static_cast<uint8_t>(round));
    std::vector<Samples> parts;
    for (int i = 0; i <= round % 3; ++i) {
      parts.push_back(format::HostileSamples(type, 1 + random() % 50, random));
    }
    add(type, parts);
  }
  return seeds;
}
