#include "storage/archive/tag_registry.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/record/v1/records.pb.h"
#include "storage/archive/record_keys.h"
#include "storage/model/status_macros.h"

namespace historian {
namespace {

record::v1::TagRecord ToRecord(const Tag& tag) {
  record::v1::TagRecord record;
  record.set_id(tag.id);
  record.set_name(tag.name);
  record.set_type(static_cast<uint32_t>(tag.type));
  record.set_interpolation(static_cast<uint32_t>(tag.interpolation));
  record.set_unit(tag.unit);
  record.set_description(tag.description);
  record.mutable_states()->insert(tag.states.begin(), tag.states.end());
  record.mutable_attributes()->insert(tag.attributes.begin(), tag.attributes.end());
  record.set_retired(tag.retired);
  record.set_created(tag.created);
  record.set_updated(tag.updated);
  return record;
}

Tag FromRecord(const record::v1::TagRecord& record) {
  Tag tag;
  tag.id = record.id();
  tag.name = record.name();
  tag.type = static_cast<ValueType>(record.type());
  tag.interpolation = static_cast<Interpolation>(record.interpolation());
  tag.unit = record.unit();
  tag.description = record.description();
  tag.states.insert(record.states().begin(), record.states().end());
  tag.attributes.insert(record.attributes().begin(), record.attributes().end());
  tag.retired = record.retired();
  tag.created = record.created();
  tag.updated = record.updated();
  return tag;
}

// All that a creator says; what the server adds does not count.
bool SameDefinition(const Tag& a, const Tag& b) {
  return a.type == b.type && a.interpolation == b.interpolation && a.unit == b.unit &&
         a.description == b.description && a.states == b.states && a.attributes == b.attributes;
}

// Tags created together are written together, up to so many at once.
constexpr size_t kCreateBatch = 1000;

}  // namespace

absl::StatusOr<std::unique_ptr<TagRegistry>> TagRegistry::Open(kv::Store& store, const Clock& clock) {
  auto registry = std::unique_ptr<TagRegistry>(new TagRegistry(store, clock));
  RETURN_IF_ERROR(registry->Load());
  return registry;
}

absl::Status TagRegistry::Load() {
  const std::unique_ptr<kv::Cursor> cursor = store_.NewCursor(kv::Space::kMeta);
  for (cursor->Seek(kTagKeyPrefix); cursor->Valid(); cursor->Next()) {
    if (cursor->key().substr(0, kTagKeyPrefix.size()) != kTagKeyPrefix) break;
    record::v1::TagRecord record;
    if (!record.ParseFromArray(cursor->value().data(), cursor->value().size()) || record.id() == 0 ||
        TagKey(record.id()) != cursor->key() || !IsKnownValueType(record.type())) {
      return absl::DataLossError(absl::StrCat("the record of tag '", record.name(), "' is damaged"));
    }
    Publish(std::make_shared<const Tag>(FromRecord(record)));
  }
  return cursor->status();
}

void TagRegistry::Publish(std::shared_ptr<const Tag> tag) {
  absl::MutexLock lock(&mu_);
  if (by_id_.size() < tag->id) {
    by_id_.resize(tag->id);
    traits_.resize(tag->id);
  }
  by_name_.emplace(tag->name, tag->id);
  traits_[tag->id - 1] = {tag->type, tag->interpolation, tag->retired, true};
  by_id_[tag->id - 1] = std::move(tag);
}

std::vector<absl::StatusOr<std::shared_ptr<const Tag>>> TagRegistry::Create(std::vector<Tag> tags) {
  absl::MutexLock write_lock(&write_mu_);
  std::vector<absl::StatusOr<std::shared_ptr<const Tag>>> results(
      tags.size(), absl::StatusOr<std::shared_ptr<const Tag>>(absl::UnknownError("")));
  TagId next_id = last_id() + 1;
  kv::Batch batch;
  std::vector<size_t> pending;                    // Items in the batch.
  std::map<std::string, size_t> pending_by_name;  // Their names.
  const auto commit = [&] {
    const absl::Status status = store_.Write(batch);
    for (size_t i : pending) {
      if (status.ok()) {
        Publish(*results[i]);
      } else {
        results[i] = Annotate(status, absl::StrCat("creating tag '", tags[i].name, "'"));
      }
    }
    batch = kv::Batch();
    pending.clear();
    pending_by_name.clear();
  };
  for (size_t i = 0; i < tags.size(); ++i) {
    Tag& tag = tags[i];
    if (absl::Status status = ValidateTag(tag); !status.ok()) {
      results[i] = std::move(status);
      continue;
    }
    if (pending_by_name.count(tag.name) != 0) commit();
    if (const std::shared_ptr<const Tag> existing = Find(tag.name)) {
      if (SameDefinition(*existing, tag)) {
        results[i] = existing;
      } else {
        results[i] =
            absl::AlreadyExistsError(absl::StrCat("tag '", tag.name, "' exists with another definition (id ",
                                                  existing->id, ", ", ValueTypeName(existing->type), ")"));
      }
      continue;
    }
    tag.id = next_id++;
    tag.retired = false;
    tag.created = tag.updated = clock_.Now();
    batch.Put(TagKey(tag.id), ToRecord(tag).SerializeAsString());
    results[i] = std::make_shared<const Tag>(tag);
    pending.push_back(i);
    pending_by_name.emplace(tag.name, i);
    if (pending.size() == kCreateBatch) commit();
  }
  if (!pending.empty()) commit();
  return results;
}

absl::StatusOr<std::shared_ptr<const Tag>> TagRegistry::Replace(Tag tag) {
  RETURN_IF_ERROR(ValidateTag(tag));
  tag.updated = clock_.Now();
  kv::Batch batch;
  batch.Put(TagKey(tag.id), ToRecord(tag).SerializeAsString());
  RETURN_IF_ERROR(Annotate(store_.Write(batch), absl::StrCat("changing tag '", tag.name, "'")));
  auto shared = std::make_shared<const Tag>(std::move(tag));
  Publish(shared);
  return shared;
}

absl::StatusOr<std::shared_ptr<const Tag>> TagRegistry::Update(TagId id, const TagChange& change) {
  absl::MutexLock write_lock(&write_mu_);
  const std::shared_ptr<const Tag> old = Find(id);
  if (old == nullptr) return absl::NotFoundError(absl::StrCat("no tag has id ", id));
  Tag tag = *old;
  if (change.unit.has_value()) tag.unit = *change.unit;
  if (change.description.has_value()) tag.description = *change.description;
  if (change.interpolation.has_value()) tag.interpolation = *change.interpolation;
  for (uint32_t code : change.remove_states) tag.states.erase(code);
  for (const auto& [code, name] : change.set_states) tag.states[code] = name;
  for (const std::string& key : change.remove_attributes) tag.attributes.erase(key);
  for (const auto& [key, value] : change.set_attributes) tag.attributes[key] = value;
  return Replace(std::move(tag));
}

absl::StatusOr<std::shared_ptr<const Tag>> TagRegistry::SetRetired(TagId id, bool retired) {
  absl::MutexLock write_lock(&write_mu_);
  const std::shared_ptr<const Tag> old = Find(id);
  if (old == nullptr) return absl::NotFoundError(absl::StrCat("no tag has id ", id));
  if (old->retired == retired) return old;
  Tag tag = *old;
  tag.retired = retired;
  return Replace(std::move(tag));
}

std::shared_ptr<const Tag> TagRegistry::Find(TagId id) const {
  absl::ReaderMutexLock lock(&mu_);
  return id == 0 || id > by_id_.size() ? nullptr : by_id_[id - 1];
}

std::shared_ptr<const Tag> TagRegistry::Find(absl::string_view name) const {
  absl::ReaderMutexLock lock(&mu_);
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : by_id_[found->second - 1];
}

std::vector<std::shared_ptr<const Tag>> TagRegistry::List(absl::string_view pattern, absl::string_view prefix,
                                                          absl::string_view after, size_t limit,
                                                          bool include_retired) const {
  std::vector<std::shared_ptr<const Tag>> tags;
  absl::ReaderMutexLock lock(&mu_);
  auto it = after.empty() || after < prefix ? by_name_.lower_bound(prefix) : by_name_.upper_bound(after);
  for (; it != by_name_.end() && tags.size() < limit; ++it) {
    if (absl::string_view(it->first).substr(0, prefix.size()) != prefix) break;
    const std::shared_ptr<const Tag>& tag = by_id_[it->second - 1];
    if (tag->retired && !include_retired) continue;
    if (pattern.empty() || MatchesGlob(pattern, it->first)) tags.push_back(tag);
  }
  return tags;
}

size_t TagRegistry::size() const {
  absl::ReaderMutexLock lock(&mu_);
  return by_name_.size();
}

TagId TagRegistry::last_id() const {
  absl::ReaderMutexLock lock(&mu_);
  return static_cast<TagId>(by_id_.size());
}

void TagRegistry::GetTraits(const TagId* ids, size_t count, TagTraits* traits) const {
  absl::ReaderMutexLock lock(&mu_);
  for (size_t i = 0; i < count; ++i) {
    traits[i] = ids[i] == 0 || ids[i] > traits_.size() ? TagTraits() : traits_[ids[i] - 1];
  }
}

}  // namespace historian
