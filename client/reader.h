// File: client/reader.h
//
// Reading: raw samples, the newest of many tags, values at given times, joined reads, aggregates, plots.
//
//   Reader reader(connection);
//   auto raw = reader.Raw("area-1/pump-101/flow", from, to);
//   for (const SampleBatch& batch : raw) total += batch.samples.size();
//   RETURN_IF_ERROR(raw.status());
//
//   ASSIGN_OR_RETURN(auto hourly, reader.Processed({.names = {"area-1/pump-101/flow"}},
//       {.start = from, .end = to, .interval = absl::Hours(1), .aggregates = {Aggregate::kAverage}}));
//   for (double average : std::get<0>(hourly[0].columns[0].values)) ...
//
//   v1::Calendar days;  // In Berlin, from six to six: 23, 24 or 25 hours each.
//   days.set_zone("Europe/Berlin"), days.set_unit(v1::Calendar::UNIT_DAY), days.set_count(1), days.set_day_begins(360);
//   ASSIGN_OR_RETURN(auto daily, reader.Processed({.names = {"area-1/pump-101/flow"}},
//       {.start = from, .end = to, .aggregates = {Aggregate::kAverage}, .calendar = days}));
//   for (size_t i = 0; i < daily[0].columns[0].size(); ++i) Print(daily[0].BeginOf(i), daily[0].EndOf(i), ...);
//
//   Reader then(connection, {.version = 12});  // What the archive said as of version 12 (client/admin.h lists them).
//
// Aggregates are those of storage/model/aggregate.h, which has their names, too.
// Ranges are half-open, [start, end). What reads answer is in client/answers.h.
//
// Errors:  NotFound, no such tag.
//          InvalidArgument, a range or request that is not valid.
//          DataLoss, stored bytes failed their checksum.
//          Internal, the server's reply breaks the contract.
// Threads: any number on a Reader; one on a RawSamples.
#ifndef HISTORIAN_CLIENT_READER_H_
#define HISTORIAN_CLIENT_READER_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "client/answers.h"
#include "client/connection.h"
#include "client/tag_items.h"
#include "proto/historian/v1/query.pb.h"
#include "storage/model/aggregate.h"
#include "storage/model/aggregate_config.h"
#include "storage/model/data_version.h"
#include "storage/model/tag.h"
#include "storage/model/timestamp.h"

namespace historian::v1 {
class ReadRawRequest;
}

namespace historian::client {

// Which samples are wanted: those that pass all parts. SampleFilter in query.proto has the rules.
struct SampleFilter {
  // Severities that pass; none is set: all.
  bool good = false;
  bool uncertain = false;
  bool bad = false;
  // Values that pass, both limits included, in the unit of the answer.
  std::optional<double> minimum;
  std::optional<double> maximum;
  std::vector<uint32_t> states;  // Codes that pass. Empty: all.
};

struct RawOptions {
  bool bounds = false;   // Also the newest sample before start and the first one at or after end.
  bool reverse = false;  // Newest first.
  uint64_t limit = 0;    // At most this many samples, bounds included; 0: all.
  // RawSamples::continuation() of an earlier read with the same tag, range, bounds, direction and filter. This read
  // goes on behind that one.
  std::string continuation;
  std::optional<SampleFilter> filter;
  std::string unit;  // Of the values in the answer, see query.proto; empty: the tag's.
  absl::Duration deadline = absl::InfiniteDuration();  // Of the whole read.
};

// The samples of one tag as they stream in, in batches of up to 16,384. One pass. Destroying it before its
// end cancels the rest. A batch is valid until the next one is asked for.
class RawSamples {
 public:
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = SampleBatch;
    using difference_type = std::ptrdiff_t;
    using pointer = const SampleBatch*;
    using reference = const SampleBatch&;

    iterator() = default;
    reference operator*() const { return *batch_; }
    pointer operator->() const { return batch_; }
    iterator& operator++() {
      batch_ = samples_->Next();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(const iterator& other) const { return batch_ == other.batch_; }

   private:
    friend class RawSamples;
    iterator(RawSamples* samples, const SampleBatch* batch) : samples_(samples), batch_(batch) {}
    RawSamples* samples_ = nullptr;
    const SampleBatch* batch_ = nullptr;  // Null: the end.
  };

  RawSamples(RawSamples&&) noexcept;
  RawSamples& operator=(RawSamples&&) noexcept;
  ~RawSamples();

  // Returns the next batch, which is never empty, or null at the end and on an error.
  const SampleBatch* Next();
  iterator begin() { return iterator(this, Next()); }
  iterator end() { return iterator(); }

  // Returns everything that is still to come, in one piece. If the tag has no samples in the range its type
  // is not known and stays float64.
  absl::StatusOr<SampleBatch> Collect();

  // After the end: OK, or why it ended early. Before: OK.
  const absl::Status& status() const;
  // Set after the end if `limit` cut the read short: pass it in RawOptions to go on from there.
  const std::string& continuation() const;
  // May be called from any thread. The read ends soon, with Cancelled.
  void Cancel();

 private:
  friend class Reader;
  struct Stream;
  explicit RawSamples(std::unique_ptr<Stream> stream);
  std::unique_ptr<Stream> stream_;
};

struct ProcessedRequest {
  Timestamp start = 0;
  Timestamp end = 0;
  absl::Duration interval = absl::ZeroDuration();  // Whole nanoseconds. Zero: one interval, the whole range.
  std::vector<Aggregate> aggregates;               // 1 to 40.
  std::optional<Interpolation> interpolation;      // Unset: as each tag says.
  AggregateConfig config;                          // But for `stepped`, which is the interpolation.
  // For a trend, instead of `interval`: at most this many intervals, of a round length that the server
  // chooses. The range is widened to whole multiples of that length.
  uint32_t intervals_max = 0;
  // By the clocks of a place, instead of both: days of 23 and 25 hours, gas days, weeks, shifts. The range is widened to whole
  // intervals.
  std::optional<v1::Calendar> calendar;
  // Rolling windows: each value is over its interval and those before it, so many in all. 0 and 1: the interval alone.
  uint32_t window = 0;
  // Of the values, and of time in totals: see query.proto. Empty: each tag's own, and seconds.
  std::string unit;
  std::string total_time;
};

struct JoinedRequest {
  std::vector<Timestamp> times;  // At these, each later than the one before it.
  // Without any, from start on until before end: every `step` of whole nanoseconds; if that is zero, at each time at which one of the
  // tags has a sample.
  Timestamp start = 0;
  Timestamp end = 0;
  absl::Duration step = absl::ZeroDuration();
  uint64_t limit = 0;                          // At most this many times; 0: all.
  std::optional<Interpolation> interpolation;  // Unset: as each tag says.
  bool uncertain_as_bad = false;               // See query.proto.
  std::string unit;  // Of the values in the answer, see query.proto; empty: each tag's own.
};

struct ExplainRequest {
  Timestamp start = 0;  // One interval.
  Timestamp end = 0;
  Aggregate aggregate = Aggregate::kTimeAverage2;
  std::optional<Interpolation> interpolation;  // Unset: as the tag says.
  AggregateConfig config;                      // But for `stepped`, which is the interpolation.
  uint32_t samples_max = 0;                    // Listed in the answer; 0: 100. Up to 10,000.
};

class Reader {
 public:
  // With as_of, all its reads are made as of that version, or as of the last one that had closed by that time, and give the
  // same answers for ever. Errors then: FailedPrecondition, as of that nothing can be said; tells from when on it can.
  explicit Reader(Connection connection, AsOf as_of = {})
      : connection_(std::move(connection)), as_of_(as_of) {}

  // Returns the samples of one tag, as stored. Errors are in RawSamples::status().
  RawSamples Raw(const TagKey& tag, Timestamp start, Timestamp end, RawOptions options = {}) const;

  // The same by the rules of OPC UA (opc_ua in query.proto): newest first when start is after end, one time when both are one;
  // without one of them as many as options.limit. A bound that does not exist is an entry of the quality BadBoundNotFound.
  // options.reverse must not be set.
  RawSamples RawByOpcUa(const TagKey& tag, std::optional<Timestamp> start, std::optional<Timestamp> end,
                        RawOptions options = {}) const;

  // `unit` here and below: of the values in the answer, see query.proto; empty: each tag's own.
  absl::StatusOr<Latest> ReadLatest(const TagSelection& tags, absl::string_view unit = "") const;

  // Returns the values of tags at given times, also between samples, in the order of the selection. Each
  // batch's samples.times are `times`. If interpolation is unset each tag's own is used. uncertain_as_bad: see
  // query.proto, whose default it has.
  absl::StatusOr<std::vector<SampleBatch>> AtTimes(const TagSelection& tags,
                                                   absl::Span<const Timestamp> times,
                                                   std::optional<Interpolation> interpolation = std::nullopt,
                                                   bool uncertain_as_bad = false,
                                                   absl::string_view unit = "") const;

  // Gives `take` the values of many tags on one axis of time, some thousand times at once, oldest first; there may be any number of
  // times. What `take` returns ends the read, unless it is OK.
  absl::Status Joined(const TagSelection& tags, const JoinedRequest& request,
                      absl::FunctionRef<absl::Status(const JoinedRows& rows)> take) const;

  // Returns aggregates over consecutive intervals, in the order of the selection.
  absl::StatusOr<std::vector<ProcessedSeries>> Processed(const TagSelection& tags,
                                                         const ProcessedRequest& request) const;

  // Returns the samples that a trend of `columns` pixel columns needs, in the order of the selection.
  absl::StatusOr<std::vector<PlotSeries>> Plot(const TagSelection& tags, Timestamp start, Timestamp end,
                                               uint32_t columns, absl::string_view unit = "") const;

  // Returns how one value of Processed comes about: its samples, bounds, figures, and where they are stored.
  absl::StatusOr<v1::ExplainResponse> Explain(const TagKey& tag, const ExplainRequest& request) const;

 private:
  RawSamples Read(std::string asked, v1::ReadRawRequest request, const TagKey& tag, RawOptions options) const;

  Connection connection_;
  AsOf as_of_;
};

}  // namespace historian::client

#endif  // HISTORIAN_CLIENT_READER_H_
