#include "storage/format/worked_examples.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace historian::format {
namespace {

constexpr absl::string_view kFence = "```";

// Appends the bytes that the line begins with; false when it begins with none, or with something else.
bool TakeBytes(absl::string_view line, std::string* bytes) {
  const absl::string_view hex = line.substr(0, line.find("  "));
  if (hex.empty()) return false;
  for (const absl::string_view byte : absl::StrSplit(hex, ' ')) {
    if (byte.size() != 2 || !std::all_of(byte.begin(), byte.end(), absl::ascii_isxdigit)) return false;
    bytes->append(absl::HexStringToBytes(byte));
  }
  return true;
}

}  // namespace

std::vector<std::string> SpecificationsIn(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() == ".md") names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<std::map<std::string, std::string>> ReadWorkedExamples(const std::string& path) {
  std::ifstream in(path);
  if (!in.good()) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  std::map<std::string, std::string> examples;
  std::string* example = nullptr;  // The one the line is in.
  bool fenced = false;
  int number = 0;
  const auto wrong = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(path, ":", number, ": ", what));
  };
  for (std::string line; std::getline(in, line);) {
    ++number;
    absl::string_view rest = line;
    if (rest.substr(0, kFence.size()) == kFence) {
      rest.remove_prefix(kFence.size());
      example = nullptr;
      fenced = !fenced;
      if (fenced && !rest.empty()) {
        const auto [it, is_new] = examples.emplace(std::string(rest), "");
        if (!is_new) return wrong("a second example of this name");
        example = &it->second;
      }
    } else if (example != nullptr && !TakeBytes(rest, example)) {
      return wrong("a line of an example must begin with bytes in hexadecimal, two spaces behind them");
    }
  }
  if (fenced) return wrong("a fenced block does not end");
  return examples;
}

}  // namespace historian::format
