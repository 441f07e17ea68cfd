#include "tools/histbench/json.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace historian::histbench {

void Json::Open(absl::string_view key) {
  Begin(key);
  text_ += '{';
  ++depth_;
  first_ = true;
}

void Json::OpenList(absl::string_view key) {
  Begin(key);
  text_ += '[';
  ++depth_;
  first_ = true;
}

void Json::Close() { End('}'); }
void Json::CloseList() { End(']'); }

void Json::Number(absl::string_view key, double value) {
  Begin(key);
  if (!std::isfinite(value) || value < 0) {
    text_ += "null";
  } else if (value == std::floor(value) && value < 1e15) {
    absl::StrAppend(&text_, absl::StrFormat("%.0f", value));
  } else {
    absl::StrAppend(&text_, absl::StrFormat("%.6g", value));
  }
}

void Json::Bool(absl::string_view key, bool value) {
  Begin(key);
  text_ += value ? "true" : "false";
}

void Json::Text(absl::string_view key, absl::string_view value) {
  Begin(key);
  text_ += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') text_ += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppend(&text_, absl::StrFormat("\\u%04x", static_cast<unsigned char>(c)));
    } else {
      text_ += c;
    }
  }
  text_ += '"';
}

std::string Json::Take() { return std::move(text_) + "\n"; }

void Json::Begin(absl::string_view key) {
  if (!first_) text_ += ',';
  if (depth_ > 0) text_ += '\n', text_.append(static_cast<size_t>(2 * depth_), ' ');
  if (!key.empty()) absl::StrAppend(&text_, "\"", key, "\": ");
  first_ = false;
}

void Json::End(char c) {
  --depth_;
  if (!first_) text_ += '\n', text_.append(static_cast<size_t>(2 * depth_), ' ');
  text_ += c;
  first_ = false;
}

}  // namespace historian::histbench
