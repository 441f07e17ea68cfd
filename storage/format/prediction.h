// File: storage/format/prediction.h
//
// What the next integer of a column will be, by those before it: the last one, and shares of the last three
// differences and of how far the last one is from a centre.
//
//   d[i]            v[i] - v[i-1], 0 for i < 1
//   expected d[i]   floor((t0 d[i-1] + t1 d[i-2] + t2 d[i-3] + t3 (v[i-1] - centre)) / 32)
//
// So a smooth signal keeps its slope (t0 near 32), noise around a slow drift goes back to the mean of the
// last few (all of t0 to t2 negative), a level with memory drifts home (t3 between -32 and 0). Taps are those
// with the least squares of what is left, strays aside. All arithmetic wraps around at 64 bits.
#ifndef HISTORIAN_STORAGE_FORMAT_PREDICTION_H_
#define HISTORIAN_STORAGE_FORMAT_PREDICTION_H_

#include <cstddef>
#include <cstdint>

namespace historian::format {

inline constexpr size_t kTaps = 4;

struct Prediction {
  int8_t taps[kTaps] = {};
  uint64_t centre = 0;
};

// Fits a prediction to values of which the differences d[0] = v[1] - v[0] ... are given, with v[0] taken as
// 0. Returns false if no prediction is likely to help. Requires size >= 1 differences.
bool FitPrediction(const uint64_t* differences, size_t size, Prediction* prediction);

// Writes how far each difference is from what is expected of it.
void SubtractPrediction(const Prediction& prediction, const uint64_t* differences, size_t size,
                        uint64_t* residuals);

// The inverse: replaces the residuals values[0] to values[size - 1] by first + unit x v[1] to v[size], with
// v as in FitPrediction.
void AddPrediction(const Prediction& prediction, uint64_t first, uint64_t unit, size_t size,
                   uint64_t* values);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_PREDICTION_H_
