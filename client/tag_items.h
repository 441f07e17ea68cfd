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

// What became of one item.
struct TagOutcome {
  absl::Status status;
  Tag tag;  // Set if the status is OK, or AlreadyExists (then the existing tag). Else its id is 0.
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
