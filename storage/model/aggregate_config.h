// File: storage/model/aggregate_config.h
//
// How aggregates are computed.
//
// Source: OPC 10000-13 v1.05, 4.2.1.2 (AggregateConfiguration); OPC 10000-11, 5.2.2 (Stepped).
#ifndef HISTORIAN_STORAGE_MODEL_AGGREGATE_CONFIG_H_
#define HISTORIAN_STORAGE_MODEL_AGGREGATE_CONFIG_H_

#include <cstdint>

#include "absl/status/status.h"

namespace historian {

// The defaults are the standard's.
struct AggregateConfig {
  // An Uncertain sample is as good as a Bad one: no value is taken from it. Else it is used, and what is made of
  // it is Uncertain. Aggregates whose definition says "Good" take no Uncertain sample either way.
  bool treat_uncertain_as_bad = true;
  // 0 to 100. A result is Bad when at least this share of what it is made of is Bad,
  int percent_data_bad = 100;
  // and Good when at least this share is Good; otherwise it is Uncertain. percent_data_good >= 100 - percent_data_bad.
  int percent_data_good = 100;
  // Past the newest value, an interpolated bound lies on the line through the last two. Else the last is held.
  bool use_sloped_extrapolation = false;
  // A value is held until the next one. Else it moves on a straight line. Bool, digital and string tags are stepped
  // whatever this says.
  bool stepped = false;
  // The unit of time of 5.4.2.4: what the newest value counts for, and how far EffectiveEndTime lies from an
  // interval's end. The standard's own examples have a millisecond.
  uint64_t resolution_ns = 1'000'000;

  friend bool operator==(const AggregateConfig&, const AggregateConfig&) = default;
};

// Errors: InvalidArgument, a percentage outside 0 to 100, the two of them contradict each other, or the resolution
// is 0. The status code of the standard for this is Bad_AggregateInvalidInputs.
absl::Status ValidateConfig(const AggregateConfig& config);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_AGGREGATE_CONFIG_H_
