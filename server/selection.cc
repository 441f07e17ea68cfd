#include "server/selection.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace historian::server {
namespace {

// Looked up before it is asked whether to go on. A Tag is made of each.
constexpr int kNamesAtOnce = 256;

absl::Status TooMany(uint64_t limit) {
  return absl::ResourceExhaustedError(
      absl::StrCat("the selection has more than ", limit, " tags, which is the limit (limits.query_tags)"));
}

}  // namespace

absl::StatusOr<SelectedTags> SelectTags(const TagRegistry& tags, const v1::TagSelection& selection,
                                        uint64_t limit, const KeepGoing& keep_going) {
  // Before anything is allocated for them. Repeated ones count here: who sends so many gets what he asked
  // for.
  if (static_cast<uint64_t>(selection.ids_size()) + selection.names_size() > limit) return TooMany(limit);
  SelectedTags selected;
  selected.ids.reserve(selection.ids_size() + selection.names_size());

  // Ids in ascending order, which is what programs send, need no set to be told apart.
  bool ascending = selection.names_size() == 0 && selection.pattern().empty();
  for (int i = 1; ascending && i < selection.ids_size(); ++i)
    ascending = selection.ids(i - 1) < selection.ids(i);
  if (ascending) {
    selected.ids.assign(selection.ids().begin(), selection.ids().end());
  } else {
    absl::flat_hash_set<TagId> seen;
    seen.reserve(selected.ids.capacity());
    for (const TagId id : selection.ids()) {
      if (seen.insert(id).second) selected.ids.push_back(id);
    }
    for (int i = 0; i < selection.names_size(); ++i) {
      if (i % kNamesAtOnce == 0) RETURN_IF_ERROR(GoOn(keep_going));
      const std::string& name = selection.names(i);
      ASSIGN_OR_RETURN(const std::shared_ptr<const Tag> tag, FindTag(tags, name));
      if (seen.insert(tag->id).second) selected.ids.push_back(tag->id);
    }
    if (!selection.pattern().empty()) {
      ASSIGN_OR_RETURN(
          const std::vector<TagId> matches,
          tags.ListIds({.pattern = selection.pattern(), .limit = limit + 1, .include_retired = true},
                       keep_going));
      for (const TagId id : matches) {
        if (seen.insert(id).second) selected.ids.push_back(id);
      }
    }
    if (selected.ids.size() > limit) return TooMany(limit);
  }

  selected.traits.resize(selected.ids.size());
  tags.GetTraits(selected.ids.data(), selected.ids.size(), selected.traits.data());
  for (size_t i = 0; i < selected.ids.size(); ++i) {
    if (!selected.traits[i].exists) return FindTag(tags, selected.ids[i]).status();
  }
  return selected;
}

absl::StatusOr<Version> ResolveAsOf(const VersionTable& versions, const v1::AsOf& as_of) {
  switch (as_of.at_case()) {
    case v1::AsOf::kVersion:
      // kVersionNow and above are what a caller in this program means by "now".
      return versions.Resolve({.version = std::min<Version>(as_of.version(), kVersionMax)});
    case v1::AsOf::kTime:
      return versions.Resolve({.time = as_of.time()});
    default:
      return absl::InvalidArgumentError("as_of names neither a version nor a time");
  }
}

absl::StatusOr<std::shared_ptr<const Tag>> FindTag(const TagRegistry& tags, TagId id) {
  if (auto tag = tags.Find(id); tag != nullptr) return tag;
  return absl::NotFoundError(absl::StrCat("no tag has the id ", id));
}

absl::StatusOr<std::shared_ptr<const Tag>> FindTag(const TagRegistry& tags, absl::string_view name) {
  if (auto tag = tags.Find(name); tag != nullptr) return tag;
  return absl::NotFoundError(
      absl::StrCat("no tag has the name '", absl::Utf8SafeCHexEscape(name.substr(0, 600)), "'"));
}

absl::StatusOr<std::shared_ptr<const Tag>> FindTag(const TagRegistry& tags, const v1::TagKey& key) {
  switch (key.key_case()) {
    case v1::TagKey::kId:
      return FindTag(tags, key.id());
    case v1::TagKey::kName:
      return FindTag(tags, key.name());
    case v1::TagKey::KEY_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("the key has neither an id nor a name");
}

absl::StatusOr<std::shared_ptr<const Tag>> FindTagAsOf(const TagRegistry& tags, const v1::TagKey& key,
                                                       Version as_of) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const Tag> now, FindTag(tags, key));
  ASSIGN_OR_RETURN(std::shared_ptr<const Tag> then, tags.FindAsOf(now->id, as_of));
  if (then != nullptr) return then;
  return absl::NotFoundError(
      absl::StrCat("tag ", now->id, " '", now->name, "' was created after version ", as_of));
}

std::string TagLabel(const TagRegistry& tags, TagId id) {
  const auto tag = tags.Find(id);
  return tag == nullptr ? absl::StrCat("tag ", id) : absl::StrCat("tag ", id, " '", tag->name, "'");
}

}  // namespace historian::server
