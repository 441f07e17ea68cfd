// File: storage/format/hostile_samples.h
//
// Runs of samples that look for trouble, for property tests and fuzzers: times, values and qualities each of
// a random character (clocks, jitter, gaps of centuries; NaN payloads, -0.0, infinities, subnormals, extremes
// of int64, decimals with strangers among them; flapping qualities), strings of any bytes.
#ifndef HISTORIAN_STORAGE_FORMAT_HOSTILE_SAMPLES_H_
#define HISTORIAN_STORAGE_FORMAT_HOSTILE_SAMPLES_H_

#include <cstddef>
#include <random>

#include "storage/model/samples.h"

namespace historian::format {

// `size` samples in the order of time, canonical, with known qualities.
Samples HostileSamples(ValueType type, size_t size, std::mt19937_64& random);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_HOSTILE_SAMPLES_H_
