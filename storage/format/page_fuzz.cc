// Strategy: the first byte chooses the value type, the rest is a page. Seeds are pages of every kind, fast
// and dense. Invariants: decoding ends, with samples or DataLoss; samples are what the model promises (times
// rise, values canonical, qualities known, no more than kPageSamplesMax); encoded again they come back the
// same.
#include <string>
#include <vector>

#include "storage/format/hostile_samples.h"
#include "storage/format/page.h"
#include "storage/format/plant_samples.h"
#include "storage/model/check.h"
#include "tests/fuzz/driver.h"

namespace {

using namespace historian;  // NOLINT: a program of its own.

ValueType TypeOf(uint8_t byte) { return static_cast<ValueType>(1 + byte % 6); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const ValueType type = TypeOf(data[0]);
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Samples samples;
  const absl::Status status = format::DecodePage(type, bytes, &samples);
  if (!status.ok()) {
    HISTORIAN_CHECK(status.code() == absl::StatusCode::kDataLoss);
    HISTORIAN_CHECK(samples.empty());
    return 0;
  }
  const SamplesView view = samples.View();
  HISTORIAN_CHECK(view.size >= 1 && view.size <= format::kPageSamplesMax);
  HISTORIAN_CHECK(IsStrictlyAscending(view.times, view.size));
  for (size_t i = 0; i < view.size; ++i) {
    HISTORIAN_CHECK(type == ValueType::kString ? view.values[i] < samples.strings.size()
                                               : IsCanonical(type, view.values[i]));
    HISTORIAN_CHECK(IsKnownQuality(view.QualityAt(i)));
  }
  for (const format::Density density : {format::Density::kFast, format::Density::kDense}) {
    std::string again;
    format::EncodePage(type, view, &again, nullptr, density);
    Samples decoded;
    HISTORIAN_CHECK(format::DecodePage(type, again, &decoded).ok());
    HISTORIAN_CHECK(decoded.size() == view.size);
    const SamplesView decoded_view = decoded.View();
    for (size_t i = 0; i < view.size; ++i) HISTORIAN_CHECK(SameSample(type, view, i, decoded_view, i));
  }
  return 0;
}

namespace historian::fuzz {

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  const auto add = [&seeds](ValueType type, const Samples& samples) {
    for (const format::Density density : {format::Density::kFast, format::Density::kDense}) {
      std::string seed(1, static_cast<char>(static_cast<uint8_t>(type) - 1));
      format::EncodePage(type, samples.View(), &seed, nullptr, density);
      seeds.push_back(seed);
    }
  };
  for (const format::PlantKind& kind : format::PlantKinds()) {
    for (const size_t size : {1, 2, 40, 300}) add(kind.type, kind.make(size, 1));
  }
  std::mt19937_64 random(1);
  for (int round = 0; round < 60; ++round) {
    const ValueType type = TypeOf(static_cast<uint8_t>(round));
    add(type, format::HostileSamples(type, 1 + random() % 100, random));
  }
  return seeds;
}

}  // namespace historian::fuzz
