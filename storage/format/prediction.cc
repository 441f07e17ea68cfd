#include "storage/format/prediction.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace historian::format {
namespace {

constexpr int kTapBits = 5;
constexpr double kTapUnit = 1 << kTapBits;
// Differences up to this are told from their neighbours in double precision.
constexpr int64_t kFittedMax = int64_t{1} << 50;

uint64_t Shifted(uint64_t v) { return static_cast<uint64_t>(static_cast<int64_t>(v) >> kTapBits); }

// The magnitude that half of the differences have, judged by some of them.
double TypicalMagnitude(const uint64_t* d, size_t size) {
  constexpr size_t kSome = 63;
  uint64_t some[kSome];
  const size_t count = std::min(size, kSome);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t v = d[i * size / count];
    some[i] = static_cast<int64_t>(v) < 0 ? 0 - v : v;
  }
  std::nth_element(some, some + count / 2, some + count);
  return static_cast<double>(some[count / 2]);
}

// Sums of products of the regressors x[0] to x[3] and of the target x[4].
struct Products {
  double sums[kTaps + 1][kTaps + 1] = {};

  void Add(const double* x) {
    for (size_t i = 0; i <= kTaps; ++i) {
      for (size_t k = i; k <= kTaps; ++k) sums[i][k] += x[i] * x[k];
    }
  }

  // Gauss with a little added to the diagonal, so that regressors that tell the same do not blow up.
  bool Solve(double* taps) {
    double m[kTaps][kTaps + 1];
    for (size_t i = 0; i < kTaps; ++i) {
      for (size_t k = 0; k <= kTaps; ++k) m[i][k] = i <= k ? sums[i][k] : sums[k][i];
      m[i][i] = m[i][i] * (1 + 1e-6) + 1e-9;
    }
    for (size_t i = 0; i < kTaps; ++i) {
      size_t pivot = i;
      for (size_t k = i + 1; k < kTaps; ++k) {
        if (std::fabs(m[k][i]) > std::fabs(m[pivot][i])) pivot = k;
      }
      if (m[pivot][i] == 0) return false;
      std::swap(m[pivot], m[i]);
      for (size_t k = 0; k < kTaps; ++k) {
        if (k == i) continue;
        const double factor = m[k][i] / m[i][i];
        for (size_t l = i; l <= kTaps; ++l) m[k][l] -= factor * m[i][l];
      }
    }
    for (size_t i = 0; i < kTaps; ++i) taps[i] = m[i][kTaps] / m[i][i];
    return true;
  }
};

}  // namespace

bool FitPrediction(const uint64_t* differences, size_t size, Prediction* prediction) {
  if (size <= 2 * kTaps) return false;
  const double typical = TypicalMagnitude(differences, size);
  if (typical == 0 || typical > static_cast<double>(kFittedMax)) return false;
  // A stray would decide alone: squares are unfair to the many.
  const double limit = 8 * typical + 1;
  // The level is only as far from its start as fair differences carry it.
  double level = 0, sum = 0;
  for (size_t i = 0; i < size; ++i) {
    level += static_cast<double>(static_cast<int64_t>(differences[i]));
    sum += level;
  }
  if (!(std::fabs(sum) < static_cast<double>(kFittedMax) * static_cast<double>(size))) return false;
  const double centre = std::round(sum / static_cast<double>(size));
  Products products;
  double x[kTaps + 1] = {0, 0, 0, -centre, 0};
  for (size_t i = 0; i < size; ++i) {
    const double difference = static_cast<double>(static_cast<int64_t>(differences[i]));
    const double fair = std::clamp(difference, -limit, limit);
    x[kTaps] = fair;
    products.Add(x);
    x[2] = x[1];
    x[1] = x[0];
    x[0] = fair;
    x[3] += difference;
  }
  double taps[kTaps];
  if (!products.Solve(taps)) return false;
  bool any = false;
  for (size_t k = 0; k < kTaps; ++k) {
    if (!std::isfinite(taps[k])) return false;
    prediction->taps[k] = static_cast<int8_t>(std::lround(std::clamp(taps[k] * kTapUnit, -127.0, 127.0)));
    any |= prediction->taps[k] != 0;
  }
  prediction->centre = prediction->taps[3] == 0 ? 0 : static_cast<uint64_t>(std::llround(centre));
  return any;
}

void SubtractPrediction(const Prediction& prediction, const uint64_t* differences, size_t size,
                        uint64_t* residuals) {
  uint64_t taps[kTaps];
  for (size_t k = 0; k < kTaps; ++k) taps[k] = static_cast<uint64_t>(int64_t{prediction.taps[k]});
  uint64_t d1 = 0, d2 = 0, d3 = 0, level = 0 - prediction.centre;
  for (size_t i = 0; i < size; ++i) {
    const uint64_t d = differences[i];
    residuals[i] = d - Shifted(taps[0] * d1 + taps[1] * d2 + taps[2] * d3 + taps[3] * level);
    d3 = d2;
    d2 = d1;
    d1 = d;
    level += d;
  }
}

void AddPrediction(const Prediction& prediction, uint64_t first, uint64_t unit, size_t size,
                   uint64_t* values) {
  uint64_t taps[kTaps];
  for (size_t k = 0; k < kTaps; ++k) taps[k] = static_cast<uint64_t>(int64_t{prediction.taps[k]});
  // The level before the last difference, so that only one product waits for that difference.
  const uint64_t newest = taps[0] + taps[3];
  uint64_t d1 = 0, d2 = 0, d3 = 0, level = 0 - prediction.centre, sum = first;
  for (size_t i = 0; i < size; ++i) {
    const uint64_t older = taps[1] * d2 + taps[2] * d3 + taps[3] * level;
    const uint64_t d = values[i] + Shifted(newest * d1 + older);
    level += d1;
    d3 = d2;
    d2 = d1;
    d1 = d;
    values[i] = sum += unit * d;
  }
}

}  // namespace historian::format
