// Strategy: the input is a block head without its checksum, which is put right here, so that mutations get
// past it. Seeds are heads of every kind of block. Invariants: decoding ends, with a head, DataLoss or
// FailedPrecondition (a newer version); a decoded head keeps what block.h promises, and encoded again it
// comes back the same.
#include <string>
#include <vector>

#include "storage/aggregate/summary.h"
#include "storage/format/block.h"
#include "storage/format/hostile_samples.h"
#include "storage/format/page.h"
#include "storage/format/plant_samples.h"
#include "storage/format/right_checksums.h"
#include "storage/model/check.h"
#include "tests/fuzz/driver.h"

using namespace historian;  // NOLINT: a program of its own.

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string body(reinterpret_cast<const char*>(data), size);
  (void)format::DecodeBlockHead(body).ok();
  const absl::StatusOr<format::BlockHead> head = format::DecodeBlockHead(format::WithChecksum(body));
  if (!head.ok()) {
    HISTORIAN_CHECK(head.status().code() == absl::StatusCode::kDataLoss ||
                    head.status().code() == absl::StatusCode::kFailedPrecondition);
    return 0;
  }
  HISTORIAN_CHECK(!head->pages.empty() && head->pages.size() <= format::kBlockPagesMax);
  uint64_t offset = 0;
  for (const format::PageInfo& page : head->pages) {
    HISTORIAN_CHECK(page.offset == offset);
    offset += page.size;
    HISTORIAN_CHECK(page.summary.first.time <= page.summary.last.time);
    HISTORIAN_CHECK(page.summary.good + page.summary.uncertain <= page.summary.count);
  }
  std::string again;
  format::EncodeBlockHead(*head, &again);
  const absl::StatusOr<format::BlockHead> decoded = format::DecodeBlockHead(again);
  HISTORIAN_CHECK(decoded.ok());
  HISTORIAN_CHECK(decoded->pages.size() == head->pages.size());
  for (size_t i = 0; i < head->pages.size(); ++i) {
    HISTORIAN_CHECK(decoded->pages[i].summary == head->pages[i].summary);
    HISTORIAN_CHECK(decoded->pages[i].checksum == head->pages[i].checksum);
  }
  return 0;
}

namespace historian::fuzz {

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  const auto add = [&seeds](ValueType type, const Samples& samples, size_t page_size) {
    format::BlockHead head;
    head.type = type;
    uint32_t offset = 0;
    for (size_t begin = 0; begin < samples.size(); begin += page_size) {
      const SamplesView page = samples.View().Slice(begin, std::min(page_size, samples.size() - begin));
      head.pages.push_back({offset, 100, offset * 77, Summarize(type, page)});
      offset += 100;
    }
    std::string bytes;
    format::EncodeBlockHead(head, &bytes);
    seeds.push_back(bytes.substr(0, bytes.size() - 4));
  };
  for (const format::PlantKind& kind : format::PlantKinds()) {
    for (const size_t pages : {1, 3, 16}) add(kind.type, kind.make(pages * 50, 1), 50);
  }
  std::mt19937_64 random(1);
  for (int round = 0; round < 30; ++round) {
    const ValueType type = static_cast<ValueType>(1 + round % 6);
    add(type, format::HostileSamples(type, 1 + random() % 100, random), 7);
  }
  return seeds;
}

}  // namespace historian::fuzz
