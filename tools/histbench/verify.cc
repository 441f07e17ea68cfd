#include "tools/histbench/verify.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/admin.h"
#include "client/reader.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"

namespace historian::histbench {
namespace {

// A raw read for each; of more tags an even choice is compared, and the rest counted.
constexpr uint64_t kComparedTagsMax = 10'000;

// Holds one tag's samples against those expected; both ascend.
void Compare(const Tag& tag, const Samples& expected, const Samples& read, Verification* result) {
  const SamplesView a = expected.View();
  const SamplesView b = read.View();
  const auto differs = [&](absl::string_view what, Timestamp t) {
    if (result->first_difference.empty()) {
      result->first_difference =
          absl::StrCat("tag ", tag.id, " '", tag.name, "' at ", FormatTimestamp(t), ": ", what);
    }
  };
  size_t i = 0, j = 0;
  while (i < a.size || j < b.size) {
    if (j == b.size || (i < a.size && a.times[i] < b.times[j])) {
      differs("not there", a.times[i++]);
      ++result->lost;
    } else if (i == a.size || b.times[j] < a.times[i]) {
      differs("nobody wrote it", b.times[j++]);
      ++result->duplicated;
    } else {
      if (!SameSample(tag.type, a, i, b, j)) {
        differs("another value or quality", a.times[i]);
        ++result->lost;
      }
      ++i;
      ++j;
    }
  }
  result->compared += a.size;
}

}  // namespace

absl::StatusOr<Verification> Verify(const client::Connection& connection, const Workload& workload,
                                    int64_t seconds, uint64_t compared_max) {
  Verification result;
  const client::Reader reader(connection);
  const std::vector<plant::Sensor>& sensors = workload.sensors();
  const uint64_t each = static_cast<uint64_t>(seconds);
  // A second of margin on both sides, where nothing may be.
  const Timestamp start = workload.start() - 2 * kNanosPerSecond;
  const Timestamp end = workload.EndOf(seconds) + 2 * kNanosPerSecond;
  result.expected = each * sensors.size();

  const uint64_t compared_tags = std::min<uint64_t>(
      {sensors.size(), kComparedTagsMax, std::max<uint64_t>(1, compared_max / std::max<uint64_t>(1, each))});
  std::vector<bool> is_compared(sensors.size());
  for (uint64_t k = 0; k < compared_tags; ++k) is_compared[k * sensors.size() / compared_tags] = true;

  // Counts of all, some thousand tags at a time.
  constexpr size_t kTagsAtOnce = 5000;
  for (size_t begin = 0; begin < sensors.size(); begin += kTagsAtOnce) {
    const size_t last = std::min(sensors.size(), begin + kTagsAtOnce);
    client::TagSelection selection;
    for (size_t i = begin; i < last; ++i) selection.ids.push_back(sensors[i].tag.id);
    ASSIGN_OR_RETURN(
        const auto counts,
        reader.Processed(selection, {.start = start, .end = end, .aggregates = {Aggregate::kSampleCount}}));
    ASSIGN_OR_RETURN(const v1::GetStorageResponse storage, client::Admin(connection).Storage(selection));
    if (counts.size() != last - begin || static_cast<size_t>(storage.tags_size()) != last - begin) {
      return absl::InternalError(absl::StrCat("counting ", last - begin, " tags: ", counts.size(),
                                              " counts, ", storage.tags_size(), " storage figures"));
    }
    for (size_t i = begin; i < last; ++i) {
      const uint64_t count = static_cast<uint64_t>(counts[i - begin].columns[0].AsDouble(0));
      const uint64_t stored = storage.tags(static_cast<int>(i - begin)).samples();
      const auto differs = [&](absl::string_view what, uint64_t n) {
        if (result.first_difference.empty()) {
          result.first_difference = absl::StrCat("tag ", sensors[i].tag.id, " '", sensors[i].tag.name,
                                                 "': ", each, " samples written, ", n, " ", what);
        }
      };
      // Tags that are compared sample by sample are judged by that.
      if (count < each) {
        differs("counted", count);
        if (!is_compared[i]) result.lost += each - count;
      }
      if (count > each && !is_compared[i]) {
        differs("counted", count);
        result.duplicated += count - each;
      } else if (stored > each) {
        differs("stored", stored);
        result.duplicated += stored - each;
      }
    }
  }

  Samples expected, read;
  double read_seconds = 0;
  for (size_t i = 0; i < sensors.size(); ++i) {
    if (!is_compared[i]) continue;
    workload.Expected(i, seconds, &expected);
    read.Clear();
    const MonotonicTime begin = MonotonicTime::Now();
    client::RawSamples raw = reader.Raw(sensors[i].tag.id, start, end);
    for (const client::SampleBatch& batch : raw) read.Append(batch.type, batch.samples.View());
    RETURN_IF_ERROR(raw.status());
    read_seconds += absl::ToDoubleSeconds(MonotonicTime::Now() - begin);
    Compare(sensors[i].tag, expected, read, &result);
  }
  if (read_seconds > 0) result.raw_samples_per_second = static_cast<double>(result.compared) / read_seconds;
  return result;
}

}  // namespace historian::histbench
