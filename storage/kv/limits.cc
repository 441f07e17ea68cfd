#include "storage/kv/limits.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/model/status_macros.h"

namespace historian::kv {
namespace {

constexpr size_t kLogNameBytesMax = 32;
constexpr size_t kPrintableKeyBytes = 48;

}  // namespace

absl::string_view SpaceName(Space space) {
  switch (space) {
    case Space::kMeta:
      return "meta";
    case Space::kHeads:
      return "heads";
    case Space::kPages:
      return "pages";
    case Space::kCheckpoint:
      return "checkpoint";
  }
  return "unknown";
}

std::string PrintableKey(absl::string_view key) {
  std::string text = absl::CHexEscape(key.substr(0, kPrintableKeyBytes));
  if (key.size() > kPrintableKeyBytes) absl::StrAppend(&text, "... (", key.size(), " bytes)");
  return text;
}

absl::Status CheckKey(absl::string_view key) {
  if (key.size() <= kKeyBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the key ", PrintableKey(key), " has ", key.size(),
                                                 " bytes, the limit is ", kKeyBytesMax));
}

absl::Status CheckKeyAndValue(absl::string_view key, absl::string_view value) {
  RETURN_IF_ERROR(CheckKey(key));
  if (value.size() <= kValueBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the value of key ", PrintableKey(key), " has ",
                                                 value.size(), " bytes, the limit is ", kValueBytesMax));
}

absl::Status CheckBatch(const Batch& batch) {
  for (const Batch::Op& op : batch.ops()) {
    RETURN_IF_ERROR(op.value.has_value() ? CheckKeyAndValue(op.key, *op.value) : CheckKey(op.key));
  }
  return absl::OkStatus();
}

absl::Status CheckLogName(absl::string_view name) {
  const bool letters = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  if (!name.empty() && name.size() <= kLogNameBytesMax && letters) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the log name \"", PrintableKey(name), "\" is not 1 to ",
                                                 kLogNameBytesMax, " of [a-z0-9_]"));
}

absl::Status CheckRunSpace(Space space) {
  if (space != Space::kMeta) return absl::OkStatus();
  return absl::InvalidArgumentError("the space meta takes batches, not runs");
}

absl::Status CheckNextOfRun(const std::string* previous_key, absl::string_view key, absl::string_view value) {
  RETURN_IF_ERROR(CheckKeyAndValue(key, value));
  if (previous_key == nullptr || *previous_key < key) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("keys of a run must ascend strictly: ", PrintableKey(key),
                                                 " was added after ", PrintableKey(*previous_key)));
}

absl::Status CheckRunsDisjoint(std::vector<RunExtent> runs) {
  std::sort(runs.begin(), runs.end(), [](const RunExtent& a, const RunExtent& b) {
    return std::tie(a.space, a.first_key) < std::tie(b.space, b.first_key);
  });
  for (size_t i = 1; i < runs.size(); ++i) {
    const RunExtent& a = runs[i - 1];
    const RunExtent& b = runs[i];
    if (a.space == b.space && b.first_key <= a.last_key) {
      return absl::InvalidArgumentError(absl::StrCat("two runs of the space ", SpaceName(a.space),
                                                     " overlap: one ends with ", PrintableKey(a.last_key),
                                                     ", the other begins with ", PrintableKey(b.first_key)));
    }
  }
  return absl::OkStatus();
}

}  // namespace historian::kv
