// File: client/answers.h
//
// What reads answer: samples, newest values, aggregates, plots. Values are bits (storage/model/value.h),
// strings an index into their column.
//
// `version` says as of which version the answer is. In a read that did not ask for one it is the version that was open: what
// is in the answer belongs to it or to earlier ones.
#ifndef HISTORIAN_CLIENT_ANSWERS_H_
#define HISTORIAN_CLIENT_ANSWERS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "storage/model/aggregate.h"
#include "storage/model/quality.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"
#include "storage/model/timestamp.h"
#include "storage/model/value.h"

namespace historian::client {

// Samples of one tag.
struct SampleBatch {
  TagId tag_id = 0;
  ValueType type = ValueType::kFloat64;
  Samples samples;
  uint64_t version = 0;
  // Of the values: what was asked for; else in raw reads the tag's, in others empty.
  std::string unit;
};

// The newest samples of tags of one type: sample i is of tag_ids[i].
struct LatestSamples {
  ValueType type = ValueType::kFloat64;
  std::vector<TagId> tag_ids;
  Samples samples;
};
struct Latest {
  std::vector<LatestSamples> groups;  // At most one per value type.
  std::vector<TagId> empty;           // Tags without a sample.
  std::vector<TagId> stale;           // Tags whose newest sample is older than their stale_after.
  Timestamp now = 0;                  // A sample's age is this minus its time.
  uint64_t version = 0;
  std::string unit;  // What was asked for.
};

// One aggregate of one tag over all intervals, in time order.
struct ProcessedColumn {
  Aggregate aggregate = Aggregate::kCount;
  // Integers or not as HasIntegers says (storage/model/aggregate.h); what was converted to another unit is none. An interval without a value has 0, or NaN, and a Bad
  // status.
  std::variant<std::vector<double>, std::vector<int64_t>> values;
  std::vector<Quality> status;   // One per interval, or empty if all are Good, Calculated.
  std::vector<Timestamp> times;  // One per interval if the aggregate has its own time; else empty.
  std::string unit;              // Of the values; empty where they have none, as counts.

  size_t size() const {
    return std::visit([](const auto& v) { return v.size(); }, values);
  }
  Quality StatusAt(size_t i) const { return status.empty() ? kGood | kInfoCalculated : status[i]; }
  // Integers beyond 2^53 are rounded.
  double AsDouble(size_t i) const {
    return std::visit([i](const auto& v) { return static_cast<double>(v[i]); }, values);
  }
};

// The intervals of an answer to a request with a calendar or a window: the value of interval i is over
// [edges[i], edges[i + window]).
struct ProcessedIntervals {
  std::vector<Timestamp> edges;
  uint32_t window = 1;
  // With shifts: interval i is that of shift_names[shifts[i]].
  std::vector<std::string> shift_names;
  std::vector<uint32_t> shifts;
  // With a calendar: of the tz database that the edges are by.
  std::string tz_version;

  size_t size() const { return edges.size() - window; }
};

struct ProcessedSeries {
  TagId tag_id = 0;
  std::vector<ProcessedColumn> columns;  // In the order of the request.
  // Without a calendar and a window: where interval 0 begins, how long each is, and where the last one ends.
  Timestamp start = 0;
  uint64_t interval_ns = 0;
  Timestamp end = 0;
  // With one; the same for all series of an answer.
  std::shared_ptr<const ProcessedIntervals> intervals;
  // How much of each interval's time is Good, 0 to 1; empty if all of all is.
  std::vector<double> good_shares;
  // Intervals that end at or before it are complete: over, and the tag has a sample at or after their end. 0: none is.
  Timestamp complete_until = 0;
  uint64_t version = 0;

  double GoodShareOf(size_t i) const { return good_shares.empty() ? 1 : good_shares[i]; }
  bool IsComplete(size_t i) const { return complete_until != 0 && EndOf(i) <= complete_until; }
  // What the values of interval i are over.
  Timestamp BeginOf(size_t i) const {
    if (intervals != nullptr) return intervals->edges[i];
    return static_cast<Timestamp>(static_cast<uint64_t>(start) + interval_ns * i);
  }
  Timestamp EndOf(size_t i) const {
    if (intervals != nullptr) return intervals->edges[i + intervals->window];
    return Elapsed(BeginOf(i), end) < interval_ns ? end : BeginOf(i + 1);
  }
  // The name of its shift; empty without shifts.
  absl::string_view ShiftOf(size_t i) const {
    if (intervals == nullptr || intervals->shifts.empty()) return {};
    return intervals->shift_names[intervals->shifts[i]];
  }
};

// Some of the times of a joined read, ascending, and the values of each tag at them.
struct JoinedRows {
  std::vector<Timestamp> times;
  std::vector<SampleBatch> tags;  // In the order of the selection. Their samples.times are `times`.
  uint64_t version = 0;
  std::string unit;  // What was asked for.
};

struct ColumnRun {
  uint32_t first = 0;
  uint32_t count = 0;

  friend bool operator==(const ColumnRun&, const ColumnRun&) = default;
};

struct PlotSeries {
  TagId tag_id = 0;
  ValueType type = ValueType::kFloat64;
  Samples samples;                         // Ascending, each once.
  std::vector<uint32_t> not_good_columns;  // Pixel columns that have a sample that is not usable.
  // Pixel columns that have no sample, ascending. proto/historian/v1/query.proto says which of them are gaps.
  std::vector<ColumnRun> empty_columns;
  uint64_t version = 0;
  std::string unit;  // What was asked for.
};

}  // namespace historian::client

#endif  // HISTORIAN_CLIENT_ANSWERS_H_
