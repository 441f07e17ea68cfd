// File: storage/archive/tag_registry.h
//
// All tags: in memory for look-up, in the store for good.
#ifndef HISTORIAN_STORAGE_ARCHIVE_TAG_REGISTRY_H_
#define HISTORIAN_STORAGE_ARCHIVE_TAG_REGISTRY_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "storage/kv/store.h"
#include "storage/model/clock.h"
#include "storage/model/tag.h"

namespace historian {

// What the write path needs to know of a tag.
struct TagTraits {
  ValueType type = ValueType::kFloat64;
  Interpolation interpolation = Interpolation::kSloped;
  bool retired = false;
  bool exists = false;
};

// What an update changes; fields without a value stay.
struct TagChange {
  std::optional<std::string> unit;
  std::optional<std::string> description;
  std::optional<Interpolation> interpolation;
  std::map<uint32_t, std::string> set_states;
  std::vector<uint32_t> remove_states;
  std::map<std::string, std::string> set_attributes;
  std::vector<std::string> remove_attributes;
};

// Threads: any number. A tag is immutable once handed out; a change makes a new one.
class TagRegistry {
 public:
  // Reads every tag from the store, which must outlive the registry, as must the clock.
  static absl::StatusOr<std::unique_ptr<TagRegistry>> Open(kv::Store& store, const Clock& clock);

  // Creates tags durably, each on its own; results in the order given. A name that exists with an equal
  // definition gives the existing tag; with another one AlreadyExists, and the caller may Find() it.
  // InvalidArgument from ValidateTag; ResourceExhausted when the store is full.
  std::vector<absl::StatusOr<std::shared_ptr<const Tag>>> Create(std::vector<Tag> tags);

  // NotFound; InvalidArgument when the changed tag would not be valid.
  absl::StatusOr<std::shared_ptr<const Tag>> Update(TagId id, const TagChange& change);
  absl::StatusOr<std::shared_ptr<const Tag>> SetRetired(TagId id, bool retired);

  // Null when there is none.
  std::shared_ptr<const Tag> Find(TagId id) const;
  std::shared_ptr<const Tag> Find(absl::string_view name) const;

  // Tags in order of name, names after `after`, beginning with `prefix` and matching the glob `pattern`
  // (empty: all), at most `limit`.
  std::vector<std::shared_ptr<const Tag>> List(absl::string_view pattern, absl::string_view prefix,
                                               absl::string_view after, size_t limit,
                                               bool include_retired) const;

  size_t size() const;
  // Ids are 1 to last_id().
  TagId last_id() const;

  // Copies the traits of the ids into *traits, which is as long; exists is false for unknown ones. One lock
  // for all.
  void GetTraits(const TagId* ids, size_t count, TagTraits* traits) const;

 private:
  TagRegistry(kv::Store& store, const Clock& clock) : store_(store), clock_(clock) {}
  absl::Status Load();
  absl::StatusOr<std::shared_ptr<const Tag>> Replace(Tag tag) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);
  void Publish(std::shared_ptr<const Tag> tag) ABSL_LOCKS_EXCLUDED(mu_);

  kv::Store& store_;
  const Clock& clock_;

  absl::Mutex write_mu_;  // One change at a time, held across the store's write.
  mutable absl::Mutex mu_ ABSL_ACQUIRED_AFTER(write_mu_);
  std::vector<std::shared_ptr<const Tag>> by_id_ ABSL_GUARDED_BY(mu_);  // [id - 1].
  std::vector<TagTraits> traits_ ABSL_GUARDED_BY(mu_);                  // [id - 1].
  std::map<std::string, TagId, std::less<>> by_name_ ABSL_GUARDED_BY(mu_);
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_ARCHIVE_TAG_REGISTRY_H_
