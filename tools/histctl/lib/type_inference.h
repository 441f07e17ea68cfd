// File: tools/histctl/lib/type_inference.h
//
// What the texts of a column are, how the numbers of a file are written, and which type follows.
//
//   bool     all are true, false, on, off, yes or no
//   float64  numbers, whole ones too: next week's may have fractions
//   int64    all are whole, and some of them beyond 2^53, which float64 would round
//   string   none is a number
//
// Where some are numbers and some are not, the numbers decide if they are at least nine in ten (the others are broken values,
// to be reported); else nobody can tell, and the caller asks. Texts that say why there is no number (No Data, I/O Timeout:
// lib/quality_text.h) do not count beside numbers. 0 and 1 are numbers. A whole number with a leading zero
// (0042) is a text: such are names, not amounts.
//
// Whether a comma is a decimal one is found over a whole file, since one program wrote it:
//
//   1,5   0,500   12,25       a decimal comma            1.5   0.500              a decimal point
//   1.234,5   1.234.567       a decimal comma            1,234.5   1,234,567      a decimal point
//   1,234                     either: a decimal comma where semicolons separate the fields, the thousands' where others have
//                             a decimal point; else nobody can tell
//   1.234                     a decimal point, unless others have a decimal comma. Where semicolons separate the fields and
//                             some numbers are whole while no fraction has other than three digits, nobody can tell
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_TYPE_INFERENCE_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_TYPE_INFERENCE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/model/value.h"
#include "tools/histctl/lib/value_text.h"

namespace historian::histctl {

// How many values of a column are what. Merged over the files that go to one tag.
struct TypeVotes {
  static constexpr size_t kExamples = 3;

  uint64_t numbers = 0;
  uint64_t integers = 0;       // Of these, what int64 holds.
  uint64_t long_integers = 0;  // Of these, what float64 rounds.
  uint64_t bools = 0;
  uint64_t texts = 0;
  uint64_t states = 0;                     // Texts that say why there is no number.
  uint64_t valueless = 0;                  // Samples without a value, which any type can hold.
  std::vector<std::string> text_examples;  // Different ones, cut.

  uint64_t all() const { return numbers + bools + texts + (numbers == 0 ? states : 0); }
  void Merge(const TypeVotes& other);
  // Unset: there is no value, or nobody can tell.
  std::optional<ValueType> Type() const;
  // How many of the samples a tag of this type can hold.
  uint64_t Usable(ValueType type) const;
};

class TypeInference {
 public:
  // How a text is written. Numbers come first.
  enum Form : uint8_t {
    kWhole,       // 42, 1e5, nan: the same everywhere.
    kPoint,       // 1.5
    kComma,       // 1,5
    kCommaGroup,  // 1,234
    kPointGroup,  // 1.234
    kGroupPoint,  // 1,234.5
    kGroupComma,  // 1.234,5
    kBool,
    kState,
    kText,
  };
  static constexpr size_t kForms = kText + 1;
  static Form FormOf(absl::string_view text);

  // A value; not for missing ones. `line` is where it stands. `style`: numbers are known to be written so, and Votes is then asked
  // for it. `state`: the caller says that it says why there is no number. True: it does.
  bool Add(absl::string_view text, uint64_t line, const std::optional<NumberStyle>& style = std::nullopt,
           bool state = false);
  void AddValueless() { ++valueless_; }
  TypeVotes Votes(const NumberStyle& style) const;

 private:
  friend absl::StatusOr<NumberStyle> FindNumberStyle(const std::vector<const TypeInference*>& columns,
                                                     const std::vector<std::string>& names, char separator);
  struct Example {
    std::string text;
    uint64_t line = 0;
  };
  std::array<uint64_t, kForms> counts_{};
  std::array<Example, kForms> first_;
  uint64_t integers_ = 0, long_integers_ = 0, valueless_ = 0;
  std::vector<std::string> texts_;
};

// How the numbers of a file are written, of whose columns these are, by these names. Columns that are rather texts have no say.
// Errors: InvalidArgument, nobody can tell; says why, with lines, and which options do.
absl::StatusOr<NumberStyle> FindNumberStyle(const std::vector<const TypeInference*>& columns,
                                            const std::vector<std::string>& names, char separator);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_TYPE_INFERENCE_H_
