#include "server/trend_interval.h"

#include <algorithm>
#include <iterator>

#include "storage/model/check.h"

namespace historian::server {
namespace {

constexpr uint64_t kSecond = kNanosPerSecond, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;
constexpr uint64_t kWeek = 7 * kDay;
constexpr uint64_t kRound[] = {
    1 * kSecond, 2 * kSecond, 5 * kSecond, 10 * kSecond, 15 * kSecond, 30 * kSecond,
    1 * kMinute, 2 * kMinute, 5 * kMinute, 10 * kMinute, 15 * kMinute, 30 * kMinute,
    1 * kHour,   2 * kHour,   3 * kHour,   4 * kHour,    6 * kHour,    8 * kHour,
    12 * kHour,  kDay,        2 * kDay,    kWeek,
};

// The next longer round length.
uint64_t Longer(uint64_t length) {
  if (length >= kWeek) return 2 * length;
  if (length >= kSecond) return *std::upper_bound(std::begin(kRound), std::end(kRound), length);
  uint64_t decade = 1;
  while (decade * 10 <= length) decade *= 10;
  const uint64_t digit = length / decade;
  return digit == 1 ? 2 * decade : digit == 2 ? 5 * decade : 10 * decade;
}

// Whole multiples, rounded towards the past or the future.
__int128 MultipleBefore(Timestamp t, uint64_t length) {
  const __int128 at = t, step = length, rest = at % step;
  return at - rest - (rest < 0 ? step : 0);
}
__int128 MultipleAfter(Timestamp t, uint64_t length) {
  const __int128 before = MultipleBefore(t, length);
  return before == t ? before : before + length;
}

}  // namespace

uint64_t TrendInterval(Timestamp start, Timestamp end, uint64_t intervals_max) {
  HISTORIAN_CHECK(start < end && intervals_max >= 2);
  uint64_t length = 1;
  while (MultipleAfter(end, length) - MultipleBefore(start, length) >
         static_cast<__int128>(length) * intervals_max) {
    length = Longer(length);
  }
  return length;
}

bool WidenToMultiples(uint64_t interval_ns, Timestamp* start, Timestamp* end) {
  const __int128 before = MultipleBefore(*start, interval_ns), after = MultipleAfter(*end, interval_ns);
  if (before < kTimestampMin || after > static_cast<__int128>(kTimestampMax) + 1) return false;
  *start = static_cast<Timestamp>(before);
  *end = static_cast<Timestamp>(after);
  return true;
}

}  // namespace historian::server
