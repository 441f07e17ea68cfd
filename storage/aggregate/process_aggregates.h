// File: storage/aggregate/process_aggregates.h
//
// What process engineers ask of an interval that OPC UA Part 13 does not have: percentiles, mean kinetic temperature,
// lethality. Directly from raw samples, as direct_aggregates.h, with its words: members, regions, counts as Bad, the
// status by values and by time, bits. Outside the data: Bad_NoData. Partial as there.
//
// Over time these go by regions with simple bounds that begin with a value from a sample that does not count as Bad, as
// TimeAverage2 does.
// Threads: functions of values.
#ifndef HISTORIAN_STORAGE_AGGREGATE_PROCESS_AGGREGATES_H_
#define HISTORIAN_STORAGE_AGGREGATE_PROCESS_AGGREGATES_H_

#include <cstdint>

#include "absl/status/status.h"
#include "storage/aggregate/direct_aggregates.h"
#include "storage/aggregate/direct_interval.h"

namespace historian {

// All of them return a float64, with the time of the interval's start. Required of all: a tag that is no string, and
// parameters that their Validate function accepts.

// The value that `percent` % of the data do not exceed; exact, and rounded once. 0 is the least value, 50 the median,
// 100 the greatest.
//
//   kBySample  Of the n Good members in order of value, x1 to xn: with h = (n - 1) percent / 100, between the members
//              1 + floor(h) and the one above it, as far as h - floor(h) says. (Definition 7 of Hyndman and Fan,
//              Sample Quantiles in Statistical Packages, The American Statistician 50, 1996; Excel's
//              PERCENTILE.INC and NumPy's default.) Status by values. No Good member: Bad_NoData.
//   kByTime    The least value v for which the time spent at or below v is at least percent % of all counted time. On
//              a slope that time grows with v, so v may lie between samples. Status by time. No counted time:
//              Bad_NoData.
//
// Calculated, unless the status is Bad.
enum class Weighting : uint8_t { kBySample, kByTime };
absl::Status ValidatePercentile(double percent);
StandardValue Percentile(const DirectInterval& interval, double percent, Weighting weighting);

// Mean kinetic temperature: the constant temperature that degrades a product as much as its real one did. Of a tag in
// degrees Celsius, in degrees Celsius:
//
//   T = K / -ln(mean over time of e^(-K / T(t))), temperatures in kelvin, K = dH / R
//
// The mean is that of the rate e^(-K / T): a stepped temperature is held, on a slope the rate is that of a trapezoid.
// Status by time, Calculated. A temperature at or below absolute zero: no value, Bad_OutOfRange. Never above 0 degC: no
// value, Bad_NotSupported; the formula is not for frozen products.
// Source: USP <1079.2>; dH = 83.144 kJ/mol, R = 8.3144 J/(mol K), so K = 10,000 K unless a product has its own.
struct KineticModel {
  double activation_k = 10'000;
};
absl::Status ValidateKinetic(const KineticModel& model);
StandardValue MeanKineticTemperature(const DirectInterval& interval, const KineticModel& model);

// Lethality: how long at a reference temperature would have done what the real temperature did. Of a tag in degrees
// Celsius, in the model's unit of time:
//
//   integral of base^((T(t) - reference) / z) dt, where T(t) is at least `lowest`
//
// A stepped temperature is held; on a slope the rate, not the temperature, is that of a trapezoid. Time that is not
// counted adds nothing, and then the result is Uncertain_DataSubNormal: it is Good only if all of the interval is. Never
// Bad for a part of it. Calculated. Not rounded: whoever compares it with a limit compares this.
struct LethalityModel {
  double base = 10;
  double reference_c = 0;
  double z_k = 10;  // So many kelvin more, and it goes `base` times as fast.
  double lowest_c = 0;
  uint64_t unit_ns = 0;
};
// F0, minutes, of moist heat, from 100 degC. Some reckon with 121.0 degC, which is 2.3 % more.
inline constexpr LethalityModel kLethalityF0 = {10, 121.1, 10, 100, 60'000'000'000};
// A0, seconds, of washer-disinfectors (ISO 15883-1), from 65 degC.
inline constexpr LethalityModel kLethalityA0 = {10, 80, 10, 65, 1'000'000'000};
// Pasteurisation units of beer, minutes: 1.393^(T - 60).
inline constexpr LethalityModel kLethalityPu = {1.393, 60, 1, 0, 60'000'000'000};

absl::Status ValidateLethality(const LethalityModel& model);
StandardValue Lethality(const DirectInterval& interval, const LethalityModel& model);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_PROCESS_AGGREGATES_H_
