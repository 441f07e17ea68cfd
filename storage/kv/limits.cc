#include "storage/kv/limits.h"

#include <algorithm>

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
    case Space::kRollups:
      return "rollups";
    case Space::kSuperseded:
      return "superseded";
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

absl::Status RunChecker::CheckReplace(absl::string_view begin, absl::string_view end) const {
  RETURN_IF_ERROR(CheckKey(begin));
  RETURN_IF_ERROR(CheckKey(end));
  if (begin >= end) {
    return absl::InvalidArgumentError(absl::StrCat("a run cannot replace from ", PrintableKey(begin),
                                                   " to before ", PrintableKey(end), ": that is nothing"));
  }
  if (empty()) return absl::OkStatus();
  return absl::InvalidArgumentError("a run says what it replaces once, and before its first key");
}

absl::Status RunChecker::CheckAdd(absl::string_view key, absl::string_view value) const {
  RETURN_IF_ERROR(CheckKeyAndValue(key, value));
  if (replaces() && (key < replace_begin_ || key >= replace_end_)) {
    return absl::InvalidArgumentError(absl::StrCat("the key ", PrintableKey(key), " lies outside the range ",
                                                   PrintableKey(replace_begin_), " to before ",
                                                   PrintableKey(replace_end_), " which the run replaces"));
  }
  if (!has_keys_ || last_key_ < key) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("keys of a run must ascend strictly: ", PrintableKey(key),
                                                 " was added after ", PrintableKey(last_key_)));
}

void RunChecker::Replaced(absl::string_view begin, absl::string_view end) {
  replace_begin_.assign(begin.data(), begin.size());
  replace_end_.assign(end.data(), end.size());
}

void RunChecker::Added(absl::string_view key) {
  last_key_.assign(key.data(), key.size());
  has_keys_ = true;
}

}  // namespace historian::kv
