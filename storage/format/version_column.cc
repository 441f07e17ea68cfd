#include "storage/format/version_column.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/format/bytes.h"
#include "storage/format/scratch.h"
#include "storage/format/value_column.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"

namespace historian::format {
namespace {

struct Owner {};

constexpr uint8_t kVersions = 1;
constexpr uint8_t kDistances = 2;
constexpr uint8_t kNoDistances = 3;  // All 0.
constexpr uint8_t kSteps = 4;        // Few runs, in which versions rise.
constexpr size_t kRunsMax = 16;      // Of kSteps.

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("versions of a page: ", what));
}

std::string Column(uint8_t form, const std::vector<uint64_t>& codes, Density density) {
  uint8_t* const bytes = ThreadScratch<Owner, 0, uint8_t>(1 + ValueColumnBytesMax(codes.size()));
  bytes[0] = form;
  const uint8_t* const end =
      EncodeValues(ValueType::kInt64, codes.data(), codes.size(), nullptr, density, bytes + 1);
  return std::string(reinterpret_cast<const char*>(bytes), static_cast<size_t>(end - bytes));
}

// The column as kSteps; empty when it cannot be one.
std::string Steps(const uint32_t* versions, size_t size) {
  size_t ends[kRunsMax];  // Of runs, but for the last.
  size_t runs = 1;
  for (size_t i = 1; i < size; ++i) {
    if (versions[i] == versions[i - 1]) continue;
    if (versions[i] < versions[i - 1] || runs == kRunsMax) return "";
    ends[runs++ - 1] = i;
  }
  uint8_t bytes[1 + 2 * kRunsMax * kVarintBytesMax];
  uint8_t* p = bytes;
  *p++ = kSteps;
  p = PutVarint(p, runs - 1);
  for (size_t run = 0; run + 1 < runs; ++run) {
    p = PutVarint(p, ends[run] - (run == 0 ? 0 : ends[run - 1]));
    p = PutVarint(p, versions[ends[run]] - versions[ends[run] - 1]);
  }
  return std::string(reinterpret_cast<const char*>(bytes), static_cast<size_t>(p - bytes));
}

absl::Status ReadSteps(ByteReader* in, uint32_t lowest, uint32_t highest, std::vector<uint32_t>* versions) {
  uint64_t steps = 0;
  if (!in->VarintUpTo(kRunsMax - 1, &steps)) return Damaged("too many steps");
  uint64_t version = lowest;
  size_t i = 0;
  for (; steps > 0; --steps) {
    uint64_t count = 0, rise = 0;
    if (!in->VarintUpTo(versions->size() - i, &count) || !in->VarintUpTo(highest - version, &rise)) {
      return Damaged("a step is outside the page");
    }
    std::fill_n(versions->begin() + static_cast<ptrdiff_t>(i), count, static_cast<uint32_t>(version));
    i += count;
    version += rise;
  }
  std::fill(versions->begin() + static_cast<ptrdiff_t>(i), versions->end(), static_cast<uint32_t>(version));
  return in->done() ? absl::OkStatus() : Damaged("bytes after the end");
}

// What was open at the times, and not above the highest version of the page: so it does not matter how many of those
// that were open when the page was written have closed.
void Expected(const Timestamp* times, size_t size, uint32_t highest, OpenAt open_at, uint32_t* expected) {
  open_at(times, size, expected);
  for (size_t i = 0; i < size; ++i) expected[i] = std::min(expected[i], highest);
}

}  // namespace

PageVersions EncodeVersions(const SamplesView& samples, Density density, OpenAt open_at) {
  const size_t size = samples.size;
  HISTORIAN_CHECK(size > 0);
  PageVersions page;
  page.lowest = page.highest = samples.VersionAt(0);
  if (samples.versions == nullptr) return page;
  const auto [lowest, highest] = std::minmax_element(samples.versions, samples.versions + size);
  page.lowest = *lowest;
  page.highest = *highest;
  if (page.lowest == page.highest) return page;
  page.column = Steps(samples.versions, size);
  if (density == Density::kFast && !page.column.empty()) return page;
  std::vector<uint64_t> codes(size);
  for (size_t i = 0; i < size; ++i) codes[i] = samples.versions[i] - page.lowest;
  if (std::string column = Column(kVersions, codes, density);
      page.column.empty() || column.size() < page.column.size()) {
    page.column = std::move(column);
  }
  if (density == Density::kFast) return page;
  uint32_t* const expected = ThreadScratch<Owner, 1, uint32_t>(size);
  Expected(samples.times, size, page.highest, open_at, expected);
  bool any = false;
  for (size_t i = 0; i < size; ++i) {
    codes[i] = uint64_t{samples.versions[i]} - expected[i];
    any |= codes[i] != 0;
  }
  std::string distances = any ? Column(kDistances, codes, density) : std::string(1, char{kNoDistances});
  if (distances.size() < page.column.size()) page.column = std::move(distances);
  return page;
}

absl::Status DecodeVersions(uint32_t lowest, uint32_t highest, absl::string_view column,
                            const Timestamp* times, size_t size, OpenAt open_at,
                            std::vector<uint32_t>* versions) {
  if (lowest > highest || (lowest == highest) != column.empty())
    return Damaged("the head contradicts the column");
  versions->resize(size);
  if (lowest == highest) {
    std::fill(versions->begin(), versions->end(), lowest);
    return absl::OkStatus();
  }
  ByteReader in(column);
  uint8_t form = 0;
  in.Byte(&form);
  if (form == kSteps) return ReadSteps(&in, lowest, highest, versions);
  if (form < kVersions || form > kNoDistances) return Damaged(absl::StrCat("form ", form, " is not known"));
  uint64_t* const codes = ThreadScratch<Owner, 2, uint64_t>(size);
  std::fill_n(codes, size, 0);
  if (form != kNoDistances) RETURN_IF_ERROR(DecodeValues(ValueType::kInt64, &in, size, codes));
  if (!in.done()) return Damaged("bytes after the end");
  if (form != kVersions) Expected(times, size, highest, open_at, versions->data());
  for (size_t i = 0; i < size; ++i) {
    const uint64_t version = codes[i] + (form == kVersions ? lowest : (*versions)[i]);
    if (version < lowest || version > highest) return Damaged("a version is outside what the head says");
    (*versions)[i] = static_cast<uint32_t>(version);
  }
  return absl::OkStatus();
}

}  // namespace historian::format
