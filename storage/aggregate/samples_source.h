// File: storage/aggregate/samples_source.h
//
// For tests: all samples of a tag, looked through one by one.
#ifndef HISTORIAN_STORAGE_AGGREGATE_SAMPLES_SOURCE_H_
#define HISTORIAN_STORAGE_AGGREGATE_SAMPLES_SOURCE_H_

#include <cstddef>
#include <optional>

#include "storage/aggregate/interval_fold.h"
#include "storage/model/samples.h"
#include "storage/model/value.h"

namespace historian {

// Borrows the samples.
class SamplesSource final : public FoldSource {
 public:
  SamplesSource(ValueType type, const SamplesView& samples) : type_(type), samples_(samples) {}

  std::optional<Sample> Before(Timestamp t, Kind kind) override {
    std::optional<Sample> found;
    for (size_t i = 0; i < samples_.size && samples_.times[i] < t; ++i) {
      if (Is(kind, type_, At(i))) found = At(i);
    }
    return found;
  }
  std::optional<Sample> AtOrAfter(Timestamp t, Kind kind) override {
    for (size_t i = 0; i < samples_.size; ++i) {
      if (samples_.times[i] >= t && Is(kind, type_, At(i))) return At(i);
    }
    return std::nullopt;
  }

 private:
  Sample At(size_t i) const {
    return {samples_.times[i], IsNumeric(type_) ? samples_.values[i] : 0, samples_.QualityAt(i)};
  }

  const ValueType type_;
  const SamplesView samples_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_SAMPLES_SOURCE_H_
