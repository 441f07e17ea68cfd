// Strategy: the input is a list of pieces of a log, put right so far that mutations get past checksums. A piece begins
// with a byte that says its length (below 64) and kind: a batch of these bytes, these bytes as they are, a batch with a
// byte flipped (the next byte says which), or a batch whose header says another length. Invariants: opening ends, with a
// journal or DataLoss; no record comes that no batch had, none twice; damage lies in the log, in order; the journal then
// takes a record, and opened again it gives the same records and that one, and reports nothing torn.
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "storage/checksum/checksum.h"
#include "storage/journal/journal.h"
#include "storage/kv/memory_store.h"
#include "storage/model/check.h"
#include "tests/fuzz/driver.h"

namespace {

using namespace historian;  // NOLINT: a program of its own.

constexpr size_t kHeaderBytes = 24;

void Put(uint64_t value, size_t size, char* at) { std::memcpy(at, &value, size); }

std::string BatchOf(absl::string_view payload, uint64_t position, size_t length) {
  std::string batch(kHeaderBytes, '\0');
  Put(0x4C4A5348, 4, &batch[0]);
  Put(length, 4, &batch[4]);
  Put(position, 8, &batch[8]);
  Put(Checksum(payload), 4, &batch[16]);
  Put(Checksum(absl::string_view(batch).substr(0, 20)), 4, &batch[20]);
  batch.append(payload.data(), payload.size());
  return batch;
}

std::string LogOf(absl::string_view input) {
  std::string log;
  const auto take = [&input](size_t size) {
    const absl::string_view bytes = input.substr(0, size);
    input.remove_prefix(bytes.size());
    return bytes;
  };
  while (!input.empty()) {
    const uint8_t head = static_cast<uint8_t>(take(1)[0]);
    const int kind = head >> 6;
    const absl::string_view which = kind >= 2 ? take(1) : absl::string_view();
    const uint8_t at = which.empty() ? 0 : static_cast<uint8_t>(which[0]);
    const absl::string_view bytes = take(head & 63);
    if (kind == 1) {
      log.append(bytes.data(), bytes.size());
      continue;
    }
    std::string batch = BatchOf(bytes, log.size(), kind == 3 ? at : bytes.size());
    if (kind == 2) batch[at % batch.size()] ^= static_cast<char>(1 << at % 8);
    log += batch;
  }
  return log;
}

struct Opened {
  absl::Status status;
  JournalReplay report;
  std::vector<std::pair<uint64_t, std::string>> records;
  std::unique_ptr<Journal> journal;
};

Opened Open(kv::Store& store) {
  Opened opened;
  auto journal = Journal::Open(
      store, std::nullopt,
      [&](uint64_t position, absl::string_view record) {
        opened.records.push_back({position, std::string(record)});
        return absl::OkStatus();
      },
      &opened.report);
  opened.status = journal.status();
  if (journal.ok()) opened.journal = *std::move(journal);
  return opened;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string log = LogOf(absl::string_view(reinterpret_cast<const char*>(data), size));
  const std::unique_ptr<kv::Store> store = kv::NewMemoryStore();
  {
    const auto file = store->OpenLog("journal");
    HISTORIAN_CHECK(file.ok() && (*file)->Append(log).ok() && (*file)->Sync().ok());
  }
  Opened first = Open(*store);
  uint64_t behind = 0;
  for (size_t i = 0; i < first.records.size(); ++i) {
    const auto& [position, record] = first.records[i];
    HISTORIAN_CHECK(!record.empty() && (i == 0 || first.records[i - 1].first <= position));
    HISTORIAN_CHECK(log.find(record, position + kHeaderBytes) != std::string::npos);
  }
  for (const JournalReplay::Damage& damage : first.report.damage) {
    HISTORIAN_CHECK(behind <= damage.from && damage.from < damage.to && damage.to <= log.size());
    behind = damage.to;
  }
  if (!first.status.ok()) {
    HISTORIAN_CHECK(first.status.code() == absl::StatusCode::kDataLoss);
    return 0;
  }
  HISTORIAN_CHECK(first.report.records == first.records.size());
  HISTORIAN_CHECK(first.report.torn_bytes <= log.size());
  absl::Notification done;
  absl::StatusOr<uint64_t> position = absl::UnknownError("");
  first.journal->Append("new", first.journal->epoch(), [&](absl::StatusOr<uint64_t> at) {
    position = std::move(at);
    done.Notify();
  });
  done.WaitForNotification();
  HISTORIAN_CHECK(position.ok());
  first.journal.reset();
  const Opened second = Open(*store);
  HISTORIAN_CHECK(second.status.ok() && second.report.torn_bytes == 0);
  first.records.push_back({*position, "new"});
  HISTORIAN_CHECK(second.records == first.records);
  return 0;
}

std::vector<std::string> historian::fuzz::FuzzSeeds() {
  const std::string two(
      "\x02"
      "ab"
      "\x01"
      "c",
      5),
      one("\x03"
          "xyz",
          4);
  const auto piece = [](int kind, const std::string& bytes, uint8_t which = 0) {
    std::string all(1, static_cast<char>(kind << 6 | bytes.size()));
    if (kind >= 2) all.push_back(static_cast<char>(which));
    return all + bytes;
  };
  return {piece(0, two),
          piece(0, two) + piece(0, one),
          piece(0, two) + piece(2, one, 3) + piece(0, two),
          piece(0, two) + piece(3, one, 200),
          piece(0, two) + piece(3, one, 1) + piece(0, one),
          piece(0, two) + piece(1, std::string(40, '\0')),
          piece(1, "HSJL") + piece(0, one),
          piece(0, two) + piece(1, "HSJL garbage") + piece(0, one) + piece(1, std::string("HSJL\3\0\0\0", 8)),
          piece(0,
                "\x05"
                "ab"),
          piece(0, ""),
          piece(0, std::string(1, '\0'))};
}
