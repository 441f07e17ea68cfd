// Strategy: the input says how many samples there are, the lowest and the highest version, and how fast versions close;
// the rest is the column. Invariants: decoding ends with versions between the two or with DataLoss; encoded again, fast
// and dense, they come back the same.
#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "storage/format/version_column.h"
#include "storage/model/check.h"
#include "tests/fuzz/driver.h"

namespace {

using namespace historian;  // NOLINT: a program of its own.

// What stands before the column.
struct Head {
  uint32_t lowest;
  uint32_t highest;
  uint16_t size;  // Samples, but for one.
  uint16_t pace;  // Samples for which a version was open, but for one.
};

std::vector<Timestamp> TimesOf(const Head& head) {
  std::vector<Timestamp> times(1 + head.size % 1300);
  for (size_t i = 0; i < times.size(); ++i) times[i] = static_cast<Timestamp>(i);
  return times;
}

auto OpenAtOf(const Head& head) {
  return [head](const Timestamp* times, size_t size, uint32_t* versions) {
    for (size_t i = 0; i < size; ++i) {
      versions[i] = static_cast<uint32_t>(
          std::min<uint64_t>(kVersionMax, head.lowest + static_cast<uint64_t>(times[i]) / (head.pace + 1u)));
    }
  };
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Head head;
  if (size < sizeof(head)) return 0;
  std::memcpy(&head, data, sizeof(head));
  const absl::string_view column(reinterpret_cast<const char*>(data) + sizeof(head), size - sizeof(head));
  const std::vector<Timestamp> times = TimesOf(head);
  const auto open_at = OpenAtOf(head);
  std::vector<uint32_t> versions;
  const absl::Status status = format::DecodeVersions(head.lowest, head.highest, column, times.data(),
                                                     times.size(), open_at, &versions);
  if (!status.ok()) {
    HISTORIAN_CHECK(status.code() == absl::StatusCode::kDataLoss);
    return 0;
  }
  HISTORIAN_CHECK(versions.size() == times.size());
  for (const uint32_t version : versions) HISTORIAN_CHECK(version >= head.lowest && version <= head.highest);
  const std::vector<uint64_t> values(times.size(), 0);
  SamplesView view{.times = times.data(), .values = values.data(), .size = times.size()};
  view.versions = versions.data();
  for (const format::Density density : {format::Density::kFast, format::Density::kDense}) {
    const format::PageVersions page = format::EncodeVersions(view, density, open_at);
    std::vector<uint32_t> again;
    HISTORIAN_CHECK(format::DecodeVersions(page.lowest, page.highest, page.column, times.data(), times.size(),
                                           open_at, &again)
                        .ok());
    HISTORIAN_CHECK(again == versions);
  }
  return 0;
}

std::vector<std::string> historian::fuzz::FuzzSeeds() {
  std::vector<std::string> seeds;
  std::mt19937_64 random(1);
  for (int round = 0; round < 48; ++round) {
    Head head{.lowest = 5, .highest = 5, .size = static_cast<uint16_t>(random() % 300)};
    head.pace = static_cast<uint16_t>(random() % 50);
    const std::vector<Timestamp> times = TimesOf(head);
    const auto open_at = OpenAtOf(head);
    std::vector<uint32_t> versions(times.size());
    open_at(times.data(), times.size(), versions.data());
    for (size_t i = 0; i < versions.size(); ++i) {
      if (round % 4 == 1) versions[i] += static_cast<uint32_t>(i / 40);
      if (round % 4 == 2) versions[i] += static_cast<uint32_t>(random() % 7);
      if (round % 4 == 3) versions[i] = static_cast<uint32_t>(random() >> 33);
    }
    const std::vector<uint64_t> values(times.size(), 0);
    SamplesView view{.times = times.data(), .values = values.data(), .size = times.size()};
    view.versions = versions.data();
    const format::PageVersions page = format::EncodeVersions(
        view, round % 2 == 0 ? format::Density::kFast : format::Density::kDense, open_at);
    // Where distances are kept, versions close as they did.
    if (page.lowest != head.lowest && round % 4 < 2) continue;
    head.lowest = page.lowest;
    head.highest = page.highest;
    seeds.push_back(std::string(reinterpret_cast<const char*>(&head), sizeof(head)) + page.column);
  }
  return seeds;
}
