// Strategy: the first byte chooses the value type, the rest is a short page. Seeds are short pages of every
// kind. Invariants: decoding ends, with samples or DataLoss; times rise, values are canonical, all are Good;
// what a hint makes suit comes back the same.
#include <string>
#include <vector>

#include "storage/format/hostile_samples.h"
#include "storage/format/plant_samples.h"
#include "storage/format/short_page.h"
#include "storage/model/check.h"
#include "tests/fuzz/driver.h"

namespace {

using namespace historian;  // NOLINT: a program of its own.

constexpr Timestamp kOrigin = 1'796'007'600'000'000'000;

ValueType TypeOf(uint8_t byte) { return static_cast<ValueType>(1 + byte % 6); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const ValueType type = TypeOf(data[0]);
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Samples samples;
  const absl::Status status = format::DecodeShortPage(type, bytes, kOrigin, &samples);
  if (!status.ok()) {
    HISTORIAN_CHECK(status.code() == absl::StatusCode::kDataLoss);
    HISTORIAN_CHECK(samples.empty());
    return 0;
  }
  const SamplesView view = samples.View();
  HISTORIAN_CHECK(view.size >= 1 && view.size <= format::kShortPageSamplesMax && view.qualities == nullptr);
  HISTORIAN_CHECK(IsStrictlyAscending(view.times, view.size));
  for (size_t i = 0; i < view.size; ++i) HISTORIAN_CHECK(IsCanonical(type, view.values[i]));
  for (int8_t decimals = 0; decimals <= 15; ++decimals) {
    uint8_t again[format::kShortPageBytesMax];
    const uint8_t* const end = format::EncodeShortPage(type, view, kOrigin, {.decimals = decimals}, again);
    if (end == nullptr) continue;
    Samples decoded;
    const absl::string_view encoded(reinterpret_cast<const char*>(again), end - again);
    HISTORIAN_CHECK(format::DecodeShortPage(type, encoded, kOrigin, &decoded).ok());
    HISTORIAN_CHECK(decoded.times == samples.times && decoded.values == samples.values);
  }
  return 0;
}

namespace historian::fuzz {

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  const auto add = [&seeds](ValueType type, const Samples& samples, int8_t decimals) {
    uint8_t bytes[format::kShortPageBytesMax];
    const uint8_t* const end =
        format::EncodeShortPage(type, samples.View(), kOrigin, {.decimals = decimals}, bytes);
    if (end == nullptr) return;
    std::string& seed = seeds.emplace_back(1, static_cast<char>(static_cast<uint8_t>(type) - 1));
    seed.append(reinterpret_cast<const char*>(bytes), end - bytes);
  };
  for (const format::PlantKind& kind : format::PlantKinds()) {
    for (int8_t decimals = 0; decimals <= 4; ++decimals) {
      for (const size_t size : {1, 2, 16, 64}) add(kind.type, kind.make(size, 1), decimals);
    }
  }
  std::mt19937_64 random(1);
  for (int round = 0; round < 60; ++round) {
    const ValueType type = TypeOf(static_cast<uint8_t>(round));
    Samples samples = format::HostileSamples(type, 1 + random() % 100, random);
    samples.qualities.clear();
    add(type, samples, static_cast<int8_t>(random() % 4));
  }
  return seeds;
}

}  // namespace historian::fuzz
