#include "client/tag_items.h"

#include "absl/strings/str_cat.h"

namespace historian::client {

std::string ToString(const TagKey& key) {
  if (const TagId* id = std::get_if<TagId>(&key)) return absl::StrCat("tag ", *id);
  return absl::StrCat("tag '", std::get<std::string>(key), "'");
}

}  // namespace historian::client
