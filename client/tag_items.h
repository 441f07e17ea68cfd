// File: client/tag_items.h
//
// What calls about tags take and give, one tag at a time.
#ifndef HISTORIAN_CLIENT_TAG_ITEMS_H_
#define HISTORIAN_CLIENT_TAG_ITEMS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "storage/model/tag.h"

namespace historian::client {

// A tag by id or by name.
using TagKey = std::variant<TagId, std::string>;

// Returns "tag 7" or "tag 'area-1/flow'", for messages.
std::string ToString(const TagKey& key);

// What a tag's unit means, as the server knows it (UnitInfo in tags.proto).
struct UnitInfo {
  bool known =
      false;         // Else values in it cannot be converted, and the fields below are empty but for `note`.
  std::string ucum;  // The same unit in UCUM.
  std::string quantity;  // What is measured in it; empty without a common name.
  std::string si_unit;   // A value is value * factor + offset in this unit.
  double factor = 1;
  double offset = 0;
  std::string note;  // Why it is not known, or what it may be mistaken for.
};

// What became of one item.
struct TagOutcome {
  absl::Status status;
  Tag tag;             // Set if the status is OK, or AlreadyExists (then the existing tag). Else its id is 0.
  UnitInfo unit_info;  // Of the tag's unit.
};

// Changes the fields that are given and leaves the others. A name never changes.
struct TagUpdate {
  TagKey key;
  // Only for a tag whose samples are all Bad: its name then means a new tag of this type, which is in the outcome, and the
  // old one is named NAME~ID.
  std::optional<ValueType> type;
  std::optional<std::string> unit;
  std::optional<std::string> description;
  std::optional<Interpolation> interpolation;
  std::optional<absl::Duration> stale_after;  // Parts of a second are cut off. Zero: never.
  std::map<uint32_t, std::string> set_states;
  std::vector<uint32_t> remove_states;
  std::map<std::string, std::string> set_attributes;
  std::vector<std::string> remove_attributes;
};

// The union of its parts, each tag once: ids first, then names, then the pattern's matches in name order.
struct TagSelection {
  std::vector<TagId> ids;
  std::vector<std::string> names;
  std::string pattern;  // A glob over names; it may match nothing. Empty: no pattern.

  bool empty() const { return ids.empty() && names.empty() && pattern.empty(); }
};

}  // namespace historian::client

#endif  // HISTORIAN_CLIENT_TAG_ITEMS_H_
