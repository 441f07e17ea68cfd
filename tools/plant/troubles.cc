#include "tools/plant/troubles.h"

#include "tools/plant/signal.h"

namespace historian::plant {
namespace {

enum Salt : uint64_t { kOutageSalt = 9 << 20, kClockSalt = 10 << 20 };

constexpr int64_t kMinute = 60 * kNanosPerSecond;
constexpr int64_t kOutageSpan = 6 * 60 * kMinute;
constexpr int64_t kClockSpan = 24 * 60 * kMinute;
constexpr int64_t kClockWrong = 30 * kMinute;

constexpr int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

uint64_t HashOf(uint64_t seed, int area, int64_t span, uint64_t salt) {
  return Hash(Hash(seed, static_cast<uint64_t>(area), salt), static_cast<uint64_t>(span), salt);
}

}  // namespace

Timestamp DeliveredAt(uint64_t seed, int area, Timestamp t) {
  const int64_t span = FloorDivide(t, kOutageSpan);
  const uint64_t hash = HashOf(seed, area, span, kOutageSalt);
  if (hash % 2 == 0) return t;
  // Whole seconds; ends within its span.
  const int64_t length = (120 + static_cast<int64_t>((hash >> 8) % 781)) * kNanosPerSecond;
  const int64_t room = (kOutageSpan - length) / kNanosPerSecond;
  const Timestamp begin =
      span * kOutageSpan + static_cast<int64_t>((hash >> 24) % static_cast<uint64_t>(room)) * kNanosPerSecond;
  return t >= begin && t < begin + length ? begin + length : t;
}

int64_t ClockError(uint64_t seed, int area, Timestamp t) {
  const int64_t span = FloorDivide(t, kClockSpan);
  const uint64_t hash = HashOf(seed, area, span, kClockSalt);
  if (hash % 4 != 0) return 0;
  const int64_t room = (kClockSpan - kClockWrong) / kNanosPerSecond;
  const Timestamp begin =
      span * kClockSpan + static_cast<int64_t>((hash >> 24) % static_cast<uint64_t>(room)) * kNanosPerSecond;
  if (t < begin || t >= begin + kClockWrong) return 0;
  return (static_cast<int64_t>((hash >> 8) % 181) - 90) * kNanosPerSecond;
}

}  // namespace historian::plant
