// docs/semantics.md says what the code does. To write it anew:
//
//   HISTORIAN_SEMANTICS=$PWD/docs/semantics.md bazel-bin/storage/aggregate/semantics_test
#include "storage/aggregate/semantics.h"

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"

namespace historian {
namespace {

// The value of what the page has worked out.
class Arithmetic {
 public:
  explicit Arithmetic(absl::string_view text) : rest_(text) {}

  double Value() {
    const double value = Sum();
    EXPECT_EQ(rest_, "") << "is left over";
    return value;
  }

 private:
  bool Take(absl::string_view what) {
    while (absl::ConsumePrefix(&rest_, " ")) continue;
    return absl::ConsumePrefix(&rest_, what);
  }
  double Sum() {
    double value = Product();
    for (;;) {
      if (Take("+")) {
        value += Product();
      } else if (Take("-")) {
        value -= Product();
      } else {
        return value;
      }
    }
  }
  double Product() {
    double value = Factor();
    for (;;) {
      if (Take("x")) {
        value *= Factor();
      } else if (Take("/")) {
        value /= Factor();
      } else {
        return value;
      }
    }
  }
  double Factor() {
    const bool root = Take("sqrt");
    if (Take("(")) {
      const double value = Sum();
      EXPECT_TRUE(Take(")")) << "before '" << rest_ << "'";
      return root ? std::sqrt(value) : value;
    }
    size_t size = 0;
    while (size < rest_.size() &&
           (std::isdigit(static_cast<unsigned char>(rest_[size])) || rest_[size] == '.'))
      ++size;
    double value = 0;
    EXPECT_TRUE(absl::SimpleAtod(rest_.substr(0, size), &value)) << "no number at '" << rest_ << "'";
    rest_.remove_prefix(size);
    return value;
  }

  absl::string_view rest_;
};

TEST(Semantics, WhatIsWorkedOutIsWhatTheCodeComputes) {
  for (const AggregateText& text : AggregateTexts()) {
    SCOPED_TRACE(InfoOf(text.id).standard_name);
    const StandardValue value = OfExample(text.id);
    ASSERT_TRUE(value.value.has_value());
    if (text.worked.empty()) {
      EXPECT_EQ(InfoOf(text.id).result, AggregateResult::kQuality);
      continue;
    }
    const double got = ToDouble(ResultTypeOf(text.id, ValueType::kFloat64), *value.value);
    EXPECT_NEAR(Arithmetic(text.worked).Value(), got, 1e-9 * std::fmax(1, std::fabs(got)));
  }
}

TEST(Semantics, TheDocumentIsWhatTheTableSays) {
  const std::string page = SemanticsPage();
  if (const char* path = std::getenv("HISTORIAN_SEMANTICS"); path != nullptr) std::ofstream(path) << page;
  std::ifstream file("docs/semantics.md");
  std::stringstream document;
  document << file.rdbuf();
  EXPECT_EQ(document.str(), page);
}

}  // namespace
}  // namespace historian
