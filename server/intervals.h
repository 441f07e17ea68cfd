// File: server/intervals.h
//
// The intervals that a request for aggregates asks for: of equal length, of the server's choice for a trend, or by a calendar;
// each alone, or together with those before it as a rolling window.
//
//   edges     |     |     |     |     |     |
//   window 3  |-----------------|              interval 0 is the last third of it
//                   |-----------------|        interval 1
//                         |-----------------|  interval 2
//
// Source: proto/historian/v1/query.proto.
#ifndef HISTORIAN_SERVER_INTERVALS_H_
#define HISTORIAN_SERVER_INTERVALS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/historian/v1/query.pb.h"
#include "storage/model/timestamp.h"

namespace historian::server {

// The most intervals of a window.
inline constexpr size_t kWindowMax = 10'000;

struct Intervals {
  std::vector<Timestamp> edges;  // The value of interval k is over [edges[k], edges[k + window]).
  size_t window = 1;
  uint64_t interval_ns = 0;  // 0: by a calendar.
  bool last_is_cut = false;  // At the end of the request.
  // By shifts: interval k is shift_names[shifts[k]].
  std::vector<std::string> shift_names;
  std::vector<uint32_t> shifts;
  std::string tz_version;  // Of a calendar's zone.

  size_t size() const { return edges.size() - window; }
  // Whether an answer has to say where each begins and ends.
  bool are_listed() const { return interval_ns == 0 || window > 1; }
};

// Takes memory for as many bytes, which is what the call of the request gives back; null: nobody asks.
using TakeMemory = std::function<absl::Status(uint64_t bytes)>;

// Errors: InvalidArgument, the request is wrong; says what of it, and what it may be. ResourceExhausted, there are more than
// intervals_max (limits.intervals), or TakeMemory's.
absl::StatusOr<Intervals> IntervalsOf(const v1::ReadProcessedRequest& request, uint64_t intervals_max,
                                      const TakeMemory& take);

void IntervalsToWire(const Intervals& intervals, v1::ProcessedIntervals* to);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_INTERVALS_H_
