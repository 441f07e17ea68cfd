// File: tools/histctl/lib/type_inference.h
//
// Which type a column of texts has.
//
//   bool     all are true, false, on, off, yes or no
//   int64    all numbers are whole
//   float64  numbers, at least one with a fraction or an exponent
//   string   more than a tenth are none of these: fewer are broken values, to be reported, not another type
//
// 0 and 1 are numbers. A whole number with a leading zero (0042) is a text: such are names, not amounts.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_TYPE_INFERENCE_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_TYPE_INFERENCE_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "storage/model/value.h"

namespace historian::histctl {

class TypeInference {
 public:
  // A value; not for missing ones.
  void Add(absl::string_view text, bool decimal_comma);
  // Another part of the same column.
  void Merge(const TypeInference& other);
  // Unset: there was no value.
  std::optional<ValueType> Type() const;

 private:
  uint64_t integers_ = 0;
  uint64_t fractions_ = 0;
  uint64_t bools_ = 0;
  uint64_t texts_ = 0;
};

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_TYPE_INFERENCE_H_
