// File: storage/tags/tag_registry.h
//
// All tags: in memory for look-up, in the store for good. The store also keeps what they were before each change.
//
//   names    id and name, one behind the other     <- index by hash of the name
//   details  the rest of each, packed              <- [id - 1]
//   traits   what the write path asks for          <- [id - 1]
//
// A million tags that nobody asks for take about 110 bytes each, with names of 40 bytes (measured: 107 with a unit, 123 with one
// state, 2.3 KB with a hundred).
// A Tag is made of them when it is asked for, and those asked for lately are kept, within a number of bytes. Names are sorted
// when a list is first asked for, and new ones merged into what is sorted. A list walks over a snapshot of the sorted names,
// and holds up nobody.
//
// All of it is counted in DefinitionMemory, and what there is no room for is refused. A change that needs no more than there
// was never is.
//
// Changes come one at a time, and each waits for the store; readers see it when it is durable. They never wait for a
// change: what they lock is locked by it for as long as it takes to enter one tag.
#ifndef HISTORIAN_STORAGE_TAGS_TAG_REGISTRY_H_
#define HISTORIAN_STORAGE_TAGS_TAG_REGISTRY_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "storage/kv/store.h"
#include "storage/model/clock.h"
#include "storage/model/data_version.h"
#include "storage/model/definition_memory.h"
#include "storage/model/keep_going.h"
#include "storage/model/tag.h"
#include "storage/model/turn.h"
#include "storage/tags/byte_shelf.h"
#include "storage/versions/version_table.h"

namespace historian {

// What is needed to know of many tags at once.
struct TagTraits {
  ValueType type = ValueType::kFloat64;
  Interpolation interpolation = Interpolation::kSloped;
  bool retired = false;
  bool exists = false;
  uint32_t stale_after_s = 0;  // 0: never.
};

// What an update changes; fields without a value stay. Of the type, see TagRegistry::ChangeType.
struct TagChange {
  std::optional<ValueType> type;
  std::optional<std::string> unit;
  std::optional<std::string> description;
  std::optional<Interpolation> interpolation;
  std::optional<absl::Duration> stale_after;
  std::map<uint32_t, std::string> set_states;
  std::vector<uint32_t> remove_states;
  std::map<std::string, std::string> set_attributes;
  std::vector<std::string> remove_attributes;
};

// Which tags a list has: those that all of it is true of.
struct TagQuery {
  absl::string_view pattern = "";  // Empty: any name.
  absl::string_view prefix = "";
  absl::string_view after = "";  // Names behind this one.
  size_t limit = SIZE_MAX;
  bool include_retired = false;
};

// Threads: any number, but nobody creates or changes tags on the threads of the journal and the shards. A tag is
// immutable once handed out; a change makes a new one.
//
// Calls with `keep_going` ask it while they wait for others and between their steps, and end with what it says. A change
// that the store has been given is not taken back by that.
class TagRegistry {
 public:
  // Of tags that are kept ready. More would help nobody.
  static constexpr size_t kRecentBytesMax = size_t{8} << 20;

  // Reads every tag from the store, which must outlive the registry, as must the versions and the clock. DataLoss, a record
  // is damaged, goes to *damage, and the registry has all others; then no tag may be created. Null: it is an error. The
  // memory must outlive it too.
  static absl::StatusOr<std::unique_ptr<TagRegistry>> Open(
      kv::Store& store, const VersionTable& versions, const Clock& clock, absl::Status* damage = nullptr,
      DefinitionMemory& memory = DefinitionMemory::Unbounded());

  // Creates tags durably, each on its own; results in the order given. A name that exists with an equal
  // definition gives the existing tag; with another one AlreadyExists, and the caller may Find() it.
  // InvalidArgument from ValidateTag; ResourceExhausted when the store is full, or DefinitionMemory is.
  std::vector<absl::StatusOr<std::shared_ptr<const Tag>>> Create(std::vector<Tag> tags,
                                                                 const KeepGoing& keep_going = nullptr);

  // Give the tag as it is then. A change to what it already is changes nothing. NotFound; InvalidArgument when the
  // changed tag would not be valid; ResourceExhausted when there is no room for what is new of it.
  absl::StatusOr<std::shared_ptr<const Tag>> Update(TagId id, const TagChange& change,
                                                    const KeepGoing& keep_going = nullptr);
  absl::StatusOr<std::shared_ptr<const Tag>> SetRetired(TagId id, bool retired,
                                                        const KeepGoing& keep_going = nullptr);

  // Gives the tag's name to a new tag, which has the type that the change says and is else like the old one with the change.
  // The old one keeps its id and its samples, is named NAME~ID from then on, and is retired. For tags whose samples say
  // nothing, which the caller has looked after. A frame that comes at the same moment is the old one's.
  // Errors: as Update; AlreadyExists, there is a tag NAME~ID.
  absl::StatusOr<std::shared_ptr<const Tag>> ChangeType(TagId id, const TagChange& change,
                                                        const KeepGoing& keep_going = nullptr);

  // Null when there is none.
  std::shared_ptr<const Tag> Find(TagId id) const;
  std::shared_ptr<const Tag> Find(absl::string_view name) const;
  // Empty when there is none. Good as long as the registry; no Tag is made.
  absl::string_view NameOf(TagId id) const;
  // The tag as of a version that has closed, from the store; null when it was created later. Changes from before they
  // were kept are not known: it is then as it was before the first that is. DataLoss: a record of it is damaged.
  absl::StatusOr<std::shared_ptr<const Tag>> FindAsOf(TagId id, Version version) const;

  // The ids of the tags that the query asks for, in order of their names. No Tag is made.
  // Errors: InvalidArgument, the pattern is none (tag_pattern.h).
  absl::StatusOr<std::vector<TagId>> ListIds(const TagQuery& query,
                                             const KeepGoing& keep_going = nullptr) const;

  size_t size() const;
  // Ids are 1 to last_id().
  TagId last_id() const;

  // What the tags take that are kept ready because they were asked for lately, and how much that may be from now on.
  size_t recent_bytes() const ABSL_LOCKS_EXCLUDED(recent_mu_);
  void SetRecentBytesMax(size_t bytes_max) ABSL_LOCKS_EXCLUDED(recent_mu_);

  // Copies the traits of the ids into *traits, which is as long; exists is false for unknown ones. One lock
  // for all.
  void GetTraits(const TagId* ids, size_t count, TagTraits* traits) const;

 private:
  // Finds tags in a set of ids by name. The vector is TagRegistry::names_.
  struct NameHash {
    using is_transparent = void;
    const std::vector<const char*>* names;
    size_t operator()(absl::string_view name) const { return absl::Hash<absl::string_view>()(name); }
    size_t operator()(TagId id) const { return (*this)(NameAt((*names)[id - 1])); }
  };
  struct NameEq {
    using is_transparent = void;
    const std::vector<const char*>* names;
    bool operator()(TagId a, TagId b) const { return a == b; }
    bool operator()(TagId a, absl::string_view b) const { return NameAt((*names)[a - 1]) == b; }
    bool operator()(absl::string_view a, TagId b) const { return (*this)(b, a); }
  };

  TagRegistry(kv::Store& store, const VersionTable& versions, const Clock& clock, DefinitionMemory& memory);
  absl::Status Load();
  absl::Status LoadRange(uint64_t begin, uint64_t end);
  // The tag takes the place of `old`, which is kept, unless they are the same. Requires the turn.
  absl::StatusOr<std::shared_ptr<const Tag>> Replace(std::shared_ptr<const Tag> old, Tag tag);
  // Puts into the batch what keeps the tag's record of now, which changes then; returns the version it was created in.
  // Requires the turn, and that no version closes before the batch is written.
  absl::StatusOr<Version> KeepRecord(TagId id, Timestamp changed, kv::Batch* batch);
  // A new tag, or the new details of one that is there.
  void Publish(TagId id, absl::string_view name, const TagTraits& traits, absl::string_view details)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The tag has another name from now on.
  void Rename(TagId id, absl::string_view name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  const char* PutName(TagId id, absl::string_view name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // It is not kept ready any more.
  void Forget(TagId id) ABSL_LOCKS_EXCLUDED(recent_mu_);
  // Says what all takes.
  void NoteMemory() ABSL_SHARED_LOCKS_REQUIRED(mu_);
  std::shared_ptr<const Tag> Make(TagId id) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  // Empties the place of the tag.
  void DropRecent(size_t place) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(recent_mu_);

  // What stands in names_shelf_, sorted by name. It lives as long as the registry, so a list needs no lock.
  using Names = std::vector<const char*>;
  // All names that there are when it is called.
  absl::StatusOr<std::shared_ptr<const Names>> SortedNames(const KeepGoing& keep_going) const
      ABSL_LOCKS_EXCLUDED(mu_);
  // Both of whoever has the sort's turn. Given up half way, they keep what they have done for the next one.
  absl::Status SortThrough(TagId last, const KeepGoing& keep_going) const ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status AddSorted(Names fresh, const KeepGoing& keep_going) const;
  absl::Status MergeLastRuns(const KeepGoing& keep_going) const;

  // What stands in names_shelf_: an id of four bytes, then the name.
  static TagId IdOf(const char* put);
  static absl::string_view NameAt(const char* put) { return ByteShelf::At(put).substr(sizeof(TagId)); }

  kv::Store& store_;
  const VersionTable& versions_;
  const Clock& clock_;
  DefinitionMemory& memory_;

  Turns changes_;  // One change at a time, over the store's write too.

  mutable Turns sorts_;  // Guards the next two.
  // Sorted runs, each less than half as long as the one before; one run once a sort is complete.
  mutable std::vector<std::shared_ptr<const Names>> runs_;
  mutable TagId sorted_through_ = 0;   // The runs have the names of 1 to this,
  mutable size_t sorted_renamed_ = 0;  // and so many of renamed_. Names that tags had before stay among them.

  mutable absl::Mutex mu_;
  ByteShelf names_shelf_ ABSL_GUARDED_BY(mu_);           // Put under mu_; what is put may be read without it.
  std::vector<const char*> names_ ABSL_GUARDED_BY(mu_);  // [id - 1]; null: no such tag.
  std::vector<const char*> renamed_ ABSL_GUARDED_BY(mu_);  // Names that tags have got since.
  std::vector<const char*> details_ ABSL_GUARDED_BY(mu_);  // [id - 1].
  TagShelf details_shelf_ ABSL_GUARDED_BY(mu_);            // TagRecords without id, name and created_in.
  uint64_t texts_ ABSL_GUARDED_BY(mu_) = 0;                // Tags of strings.
  std::vector<TagTraits> traits_ ABSL_GUARDED_BY(mu_);     // [id - 1].
  absl::flat_hash_set<TagId, NameHash, NameEq> by_name_ ABSL_GUARDED_BY(mu_);

  // Tags asked for lately: [id % size], null or of another id with the same place. What is to give way is taken in turn.
  mutable absl::Mutex recent_mu_ ABSL_ACQUIRED_AFTER(mu_);
  mutable std::vector<std::shared_ptr<const Tag>> recent_ ABSL_GUARDED_BY(recent_mu_);
  mutable size_t recent_bytes_ ABSL_GUARDED_BY(recent_mu_) = 0;
  size_t recent_bytes_max_ ABSL_GUARDED_BY(recent_mu_) = kRecentBytesMax;
  mutable size_t recent_next_ ABSL_GUARDED_BY(recent_mu_) = 0;  // The next to give way.
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_TAGS_TAG_REGISTRY_H_
