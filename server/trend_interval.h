// File: server/trend_interval.h
//
// How long the intervals of a trend should be: a round length, so that edges stay where they are while the
// range moves on, and figures that were computed once can be used again.
#ifndef HISTORIAN_SERVER_TREND_INTERVAL_H_
#define HISTORIAN_SERVER_TREND_INTERVAL_H_

#include <cstdint>

#include "storage/model/timestamp.h"

namespace historian::server {

// The shortest round length, in nanoseconds, of which at most `intervals_max` whole multiples (since 1970,
// UTC) cover [start, end): 1, 2, 5 x 10^k ns below a second; 1, 2, 5, 10, 15, 30 s and min; 1, 2, 3, 4, 6, 8,
// 12 h; 1, 2, 7 days; 2, 4, 8, ... weeks. Requires start < end, both times that a sample may have, and
// intervals_max >= 2 (a range has an edge in it, however long intervals are).
uint64_t TrendInterval(Timestamp start, Timestamp end, uint64_t intervals_max);

// Moves the start back and the end forward to whole multiples of the length. Returns false, and moves
// neither, if one would leave the times that samples may have.
bool WidenToMultiples(uint64_t interval_ns, Timestamp* start, Timestamp* end);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_TREND_INTERVAL_H_
