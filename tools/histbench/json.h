// File: tools/histbench/json.h
//
// Writes nested JSON objects and lists, one field after another.
#ifndef HISTORIAN_TOOLS_HISTBENCH_JSON_H_
#define HISTORIAN_TOOLS_HISTBENCH_JSON_H_

#include <string>

#include "absl/strings/string_view.h"

namespace historian::histbench {

// In lists the keys are empty.
class Json {
 public:
  void Open(absl::string_view key);
  void OpenList(absl::string_view key);
  void Close();
  void CloseList();
  // A number that was not measured, negative or not finite, is null.
  void Number(absl::string_view key, double value);
  void Bool(absl::string_view key, bool value);
  void Text(absl::string_view key, absl::string_view value);
  std::string Take();

 private:
  void Begin(absl::string_view key);
  void End(char c);

  std::string text_;
  int depth_ = 0;
  bool first_ = true;
};

}  // namespace historian::histbench

#endif  // HISTORIAN_TOOLS_HISTBENCH_JSON_H_
