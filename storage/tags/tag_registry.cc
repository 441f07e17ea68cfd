#include "storage/tags/tag_registry.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "proto/record/v1/records.pb.h"
#include "storage/format/bytes.h"
#include "storage/format/record_keys.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"
#include "storage/model/tag_pattern.h"
#include "storage/platform/heap_bytes.h"
#include "storage/tags/id_ranges.h"
#include "storage/versions/kept_definitions.h"

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
  record.set_stale_after_s(static_cast<uint32_t>(absl::ToInt64Seconds(tag.stale_after)));
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
  tag.stale_after = absl::Seconds(record.stale_after_s());
  tag.retired = record.retired();
  tag.created = record.created();
  tag.updated = record.updated();
  return tag;
}

Tag Changed(Tag tag, const TagChange& change) {
  if (change.type.has_value() && *change.type != tag.type) {
    tag.type = *change.type;
    tag.states.clear();
    if (!IsNumeric(tag.type)) tag.interpolation = DefaultInterpolation(tag.type);
  }
  if (change.unit.has_value()) tag.unit = *change.unit;
  if (change.description.has_value()) tag.description = *change.description;
  if (change.interpolation.has_value()) tag.interpolation = *change.interpolation;
  if (change.stale_after.has_value()) tag.stale_after = *change.stale_after;
  for (uint32_t code : change.remove_states) tag.states.erase(code);
  for (const auto& [code, name] : change.set_states) tag.states[code] = name;
  for (const std::string& key : change.remove_attributes) tag.attributes.erase(key);
  for (const auto& [key, value] : change.set_attributes) tag.attributes[key] = value;
  return tag;
}

// All that a creator says; what the server adds does not count.
bool SameDefinition(const Tag& a, const Tag& b) {
  return a.type == b.type && a.interpolation == b.interpolation && a.unit == b.unit &&
         a.stale_after == b.stale_after && a.description == b.description && a.states == b.states &&
         a.attributes == b.attributes;
}

// How many tags that were asked for are kept ready.
constexpr size_t kRecent = 8192;
// None of them takes more than such a part of what all may take: a tag may have 65,536 states.
constexpr size_t kRecentOneMax = 16;
// Of a tag, beside name and details: places in tables, and in the sorted list.
constexpr uint64_t kTagTableBytes = 64;

// What the texts of a tag take, as its details have them.
uint64_t TextBytes(const Tag& tag) {
  // Numbers and lengths stand between them.
  constexpr uint64_t kEntryBytes = 12;
  uint64_t bytes = tag.unit.size() + tag.description.size();
  for (const auto& [code, state] : tag.states) bytes += kEntryBytes + state.size();
  for (const auto& [key, value] : tag.attributes) bytes += kEntryBytes + key.size() + value.size();
  return bytes;
}

// What a new tag will take: of tags and of their states.
uint64_t BytesOfNew(const Tag& tag) {
  return kTagTableBytes + tag.name.size() + TextBytes(tag) + kTagStateBytes +
         (tag.type == ValueType::kString ? kTextStateBytes : 0);
}

// What a tag that is kept ready takes.
size_t RecentBytes(const Tag& tag) { return tag.MemoryBytes(); }

TagTraits TraitsOf(const Tag& tag) {
  return {tag.type, tag.interpolation, tag.retired, true,
          static_cast<uint32_t>(absl::ToInt64Seconds(tag.stale_after))};
}

// False when these bytes are not the record of a tag.
bool ParseRecord(absl::string_view bytes, record::v1::TagRecord* record) {
  return record->ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) && record->id() != 0 &&
         IsKnownValueType(record->type());
}

// Takes id, name and created_in out of the record.
std::string DetailsOf(record::v1::TagRecord record) {
  record.clear_id();
  record.clear_name();
  record.clear_created_in();
  return record.SerializeAsString();
}

// The same of the record as it is stored, where id and name come first and created_in last: mostly a copy of the rest.
// Spoils *record.
void TakeDetails(absl::string_view stored, record::v1::TagRecord* record, std::string* details) {
  using google::protobuf::internal::WireFormatLite;
  using google::protobuf::io::CodedInputStream;
  CodedInputStream in(reinterpret_cast<const uint8_t*>(stored.data()), static_cast<int>(stored.size()));
  uint32_t id = 0, name_size = 0;
  if (in.ReadTag() == WireFormatLite::MakeTag(1, WireFormatLite::WIRETYPE_VARINT) && in.ReadVarint32(&id) &&
      in.ReadTag() == WireFormatLite::MakeTag(2, WireFormatLite::WIRETYPE_LENGTH_DELIMITED) &&
      in.ReadVarint32(&name_size) && in.Skip(static_cast<int>(name_size))) {
    uint8_t last[2 * format::kVarintBytesMax];
    uint8_t* end = last;
    if (record->created_in() != 0) {
      end = WireFormatLite::WriteUInt64ToArray(record::v1::TagRecord::kCreatedInFieldNumber,
                                               record->created_in(), end);
    }
    absl::string_view rest = stored.substr(in.CurrentPosition());
    if (absl::ConsumeSuffix(&rest, absl::string_view(reinterpret_cast<const char*>(last), end - last))) {
      details->assign(rest.data(), rest.size());
      return;
    }
  }
  *details = DetailsOf(std::move(*record));
}

// Room for one more, an eighth at a time: doubling would leave up to half of it unused.
template <typename T>
void GrowTo(size_t size, std::vector<T>* v) {
  if (size > v->capacity()) v->reserve(size + size / 8);
  if (size > v->size()) v->resize(size);
}

// Tags created together are written together, up to so many at once.
constexpr size_t kCreateBatch = 1000;
// Tags loaded are made known so many at a time.
constexpr size_t kLoadedAtOnce = 256;
// Names that a list looks at, or a sort moves, before it is asked whether to go on: some hundredths of a second at most.
// Names may have a costly pattern to match.
constexpr size_t kListedAtOnce = 64;
constexpr size_t kSortedAtOnce = 8192;
// A run so much shorter than another looks for the places of its names in that one.
constexpr size_t kFewNames = 16;

bool IsTagKey(absl::string_view key) {
  return key.size() == kTagKeyPrefix.size() + sizeof(TagId) && absl::StartsWith(key, kTagKeyPrefix);
}

}  // namespace

TagId TagRegistry::IdOf(const char* put) {
  TagId id;
  std::memcpy(&id, ByteShelf::At(put).data(), sizeof(id));
  return id;
}

TagRegistry::TagRegistry(kv::Store& store, const VersionTable& versions, const Clock& clock,
                         DefinitionMemory& memory)
    : store_(store),
      versions_(versions),
      clock_(clock),
      memory_(memory),
      details_shelf_(&details_),
      by_name_(0, NameHash{&names_}, NameEq{&names_}),
      recent_(kRecent) {}

absl::StatusOr<std::unique_ptr<TagRegistry>> TagRegistry::Open(kv::Store& store, const VersionTable& versions,
                                                               const Clock& clock, absl::Status* damage,
                                                               DefinitionMemory& memory) {
  auto registry = std::unique_ptr<TagRegistry>(new TagRegistry(store, versions, clock, memory));
  const absl::Status loaded = registry->Load();
  if (damage == nullptr || !absl::IsDataLoss(loaded)) {
    RETURN_IF_ERROR(loaded);
  } else {
    *damage = loaded;
  }
  return registry;
}

absl::Status TagRegistry::Load() {
  TagId last = 0;
  absl::Status damage;
  {
    const std::unique_ptr<kv::Cursor> cursor = store_.NewCursor(kv::Space::kMeta);
    cursor->SeekForPrev(TagKey(~TagId{0}));
    damage = cursor->status();
    if (!damage.ok() && !absl::IsDataLoss(damage)) return damage;
    if (cursor->Valid() && IsTagKey(cursor->key())) last = IdOfKey(cursor->key(), kTagKeyPrefix);
  }
  if (!damage.ok()) {
    // Only a walk forward goes on behind damage.
    const std::unique_ptr<kv::Cursor> cursor = store_.NewCursor(kv::Space::kMeta);
    for (cursor->Seek(kTagKeyPrefix); cursor->Valid(); cursor->Next()) {
      if (IsTagKey(cursor->key())) last = std::max(last, IdOfKey(cursor->key(), kTagKeyPrefix));
    }
  }
  {
    absl::MutexLock lock(&mu_);
    GrowTo(last, &names_);
    GrowTo(last, &details_);
    GrowTo(last, &traits_);
    by_name_.reserve(last);
  }
  absl::Mutex damage_mu;
  RETURN_IF_ERROR(ForEachIdRange(last, [&](uint64_t begin, uint64_t end) {
    const absl::Status status = LoadRange(begin, end);
    if (!absl::IsDataLoss(status)) return status;
    absl::MutexLock lock(&damage_mu);
    damage.Update(status);
    return absl::OkStatus();
  }));
  absl::MutexLock lock(&mu_);
  NoteMemory();
  return damage;
}

absl::Status TagRegistry::LoadRange(uint64_t begin, uint64_t end) {
  struct Loaded {
    TagId id;
    TagTraits traits;
    std::string name;
    std::string details;
  };
  absl::Status damage;
  std::vector<Loaded> loaded(kLoadedAtOnce);
  size_t size = 0;
  const auto publish = [&] {
    absl::MutexLock lock(&mu_);
    // Where names have their places is all over the set: all are asked for before the first is needed.
    for (size_t i = 0; i < size; ++i) by_name_.prefetch(loaded[i].name);
    for (size_t i = 0; i < size; ++i) {
      Publish(loaded[i].id, loaded[i].name, loaded[i].traits, loaded[i].details);
    }
    size = 0;
  };
  record::v1::TagRecord record;
  const std::unique_ptr<kv::Cursor> cursor = store_.NewCursor(kv::Space::kMeta);
  for (cursor->Seek(TagKey(static_cast<TagId>(begin))); cursor->Valid(); cursor->Next()) {
    if (!IsTagKey(cursor->key()) || IdOfKey(cursor->key(), kTagKeyPrefix) >= end) break;
    if (const TagId id = IdOfKey(cursor->key(), kTagKeyPrefix);
        !ParseRecord(cursor->value(), &record) || record.id() != id) {
      damage.Update(absl::DataLossError(absl::StrCat("the record of tag ", id, " is damaged")));
      continue;
    }
    Loaded& one = loaded[size++];
    one.id = record.id();
    one.traits = {static_cast<ValueType>(record.type()), static_cast<Interpolation>(record.interpolation()),
                  record.retired(), true, record.stale_after_s()};
    one.name = record.name();
    TakeDetails(cursor->value(), &record, &one.details);
    if (size == loaded.size()) publish();
  }
  publish();
  const absl::Status status = cursor->status();
  return status.ok() ? damage : status;
}

void TagRegistry::Publish(TagId id, absl::string_view name, const TagTraits& traits,
                          absl::string_view details) {
  GrowTo(id, &names_);
  GrowTo(id, &details_);
  GrowTo(id, &traits_);
  if (names_[id - 1] == nullptr) {
    names_[id - 1] = PutName(id, name);
    by_name_.insert(id);
    texts_ += traits.type == ValueType::kString;
  } else {
    Forget(id);
  }
  details_shelf_.Put(id, details);
  traits_[id - 1] = traits;
}

const char* TagRegistry::PutName(TagId id, absl::string_view name) {
  std::string named(sizeof(id), '\0');
  std::memcpy(named.data(), &id, sizeof(id));
  named.append(name.data(), name.size());
  return names_shelf_.Put(named);
}

void TagRegistry::Rename(TagId id, absl::string_view name) {
  by_name_.erase(id);
  names_[id - 1] = PutName(id, name);
  renamed_.push_back(names_[id - 1]);
  by_name_.insert(id);
  Forget(id);
}

void TagRegistry::Forget(TagId id) {
  absl::MutexLock recent_lock(&recent_mu_);
  const size_t place = id % kRecent;
  if (recent_[place] != nullptr && recent_[place]->id == id) DropRecent(place);
}

void TagRegistry::NoteMemory() {
  // The sorted names are there once a list is asked for.
  memory_.Set(DefinitionKind::kTags, names_shelf_.memory_bytes() + details_shelf_.memory_bytes() +
                                         HeapBytesOf(names_) + HeapBytesOf(details_) + HeapBytesOf(traits_) +
                                         TableBytes(by_name_) + names_.size() * sizeof(names_[0]));
  memory_.Set(DefinitionKind::kTagStates, names_.size() * kTagStateBytes + texts_ * kTextStateBytes);
}

void TagRegistry::DropRecent(size_t place) const {
  if (recent_[place] == nullptr) return;
  recent_bytes_ -= RecentBytes(*recent_[place]);
  recent_[place].reset();
}

size_t TagRegistry::recent_bytes() const {
  absl::MutexLock lock(&recent_mu_);
  return recent_bytes_;
}

void TagRegistry::SetRecentBytesMax(size_t bytes_max) {
  absl::MutexLock lock(&recent_mu_);
  recent_bytes_max_ = std::min(bytes_max, kRecentBytesMax);
  while (recent_bytes_ > recent_bytes_max_) DropRecent(recent_next_++ % kRecent);
}

std::shared_ptr<const Tag> TagRegistry::Make(TagId id) const {
  {
    absl::MutexLock recent_lock(&recent_mu_);
    const std::shared_ptr<const Tag>& recent = recent_[id % kRecent];
    if (recent != nullptr && recent->id == id) return recent;
  }
  record::v1::TagRecord record;
  const absl::string_view details = TagShelf::At(details_[id - 1]);
  HISTORIAN_CHECK(record.ParseFromArray(details.data(), details.size()));
  record.set_id(id);
  record.set_name(std::string(NameAt(names_[id - 1])));
  auto tag = std::make_shared<const Tag>(FromRecord(record));
  const size_t bytes = RecentBytes(*tag);
  absl::MutexLock recent_lock(&recent_mu_);
  if (bytes > recent_bytes_max_ / kRecentOneMax) return tag;
  DropRecent(id % kRecent);
  while (recent_bytes_ + bytes > recent_bytes_max_) DropRecent(recent_next_++ % kRecent);
  recent_[id % kRecent] = tag;
  recent_bytes_ += bytes;
  return tag;
}

std::vector<absl::StatusOr<std::shared_ptr<const Tag>>> TagRegistry::Create(std::vector<Tag> tags,
                                                                            const KeepGoing& keep_going) {
  const absl::StatusOr<Turns::Turn> turn = changes_.Take(keep_going);
  std::vector<absl::StatusOr<std::shared_ptr<const Tag>>> results(
      tags.size(),
      absl::StatusOr<std::shared_ptr<const Tag>>(turn.ok() ? absl::UnknownError("") : turn.status()));
  if (!turn.ok()) return results;
  TagId next_id = last_id() + 1;
  std::vector<size_t> pending;                    // Items not written yet.
  std::map<std::string, size_t> pending_by_name;  // Their names.
  uint64_t pending_bytes = 0;                     // What they will take.
  const auto commit = [&] {
    absl::ReaderMutexLock stays_open(&versions_.closing_mu());
    const Version created_in = versions_.open();
    kv::Batch batch;
    for (size_t i : pending) {
      record::v1::TagRecord record = ToRecord(**results[i]);
      record.set_created_in(created_in);
      batch.Put(TagKey(record.id()), record.SerializeAsString());
    }
    absl::Status status = GoOn(keep_going);
    if (status.ok()) status = store_.Write(batch);
    for (size_t i : pending) {
      if (status.ok()) {
        const Tag& tag = **results[i];
        absl::MutexLock lock(&mu_);
        Publish(tag.id, tag.name, TraitsOf(tag), DetailsOf(ToRecord(tag)));
        if (i == pending.back()) NoteMemory();
      } else {
        results[i] = Annotate(status, absl::StrCat("creating tag '", tags[i].name, "'"));
      }
    }
    pending.clear();
    pending_by_name.clear();
    pending_bytes = 0;
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
    const uint64_t bytes = BytesOfNew(tag);
    if (absl::Status room = memory_.CheckRoom(pending_bytes + bytes, absl::StrCat("tag '", tag.name, "'"));
        !room.ok()) {
      results[i] = std::move(room);
      continue;
    }
    pending_bytes += bytes;
    tag.id = next_id++;
    tag.retired = false;
    tag.created = tag.updated = clock_.Now();
    results[i] = std::make_shared<const Tag>(tag);
    pending.push_back(i);
    pending_by_name.emplace(tag.name, i);
    if (pending.size() == kCreateBatch) commit();
  }
  if (!pending.empty()) commit();
  return results;
}

absl::StatusOr<Version> TagRegistry::KeepRecord(TagId id, Timestamp changed, kv::Batch* batch) {
  const std::string key = TagKey(id);
  ASSIGN_OR_RETURN(std::optional<std::string> stored, store_.Get(kv::Space::kMeta, key));
  record::v1::TagRecord record;
  if (!stored.has_value() || !ParseRecord(*stored, &record)) {
    return absl::DataLossError("its record is damaged");
  }
  RETURN_IF_ERROR(Keep(store_, key,
                       {.record = *std::move(stored), .until = versions_.open(), .changed = changed}, batch));
  return record.created_in();
}

absl::StatusOr<std::shared_ptr<const Tag>> TagRegistry::Replace(std::shared_ptr<const Tag> old, Tag tag) {
  RETURN_IF_ERROR(ValidateTag(tag));
  if (SameDefinition(*old, tag) && old->retired == tag.retired) return old;
  if (const uint64_t before = TextBytes(*old), after = TextBytes(tag); after > before) {
    RETURN_IF_ERROR(memory_.CheckRoom(after - before, absl::StrCat("a change of tag '", tag.name, "'")));
  }
  tag.updated = clock_.Now();
  record::v1::TagRecord record = ToRecord(tag);
  const absl::Status written = [&]() -> absl::Status {
    absl::ReaderMutexLock stays_open(&versions_.closing_mu());
    kv::Batch batch;
    ASSIGN_OR_RETURN(const Version created_in, KeepRecord(tag.id, tag.updated, &batch));
    record.set_created_in(created_in);
    batch.Put(TagKey(tag.id), record.SerializeAsString());
    RETURN_IF_ERROR(store_.Write(batch));
    absl::MutexLock lock(&mu_);
    Publish(tag.id, tag.name, TraitsOf(tag), DetailsOf(std::move(record)));
    NoteMemory();
    return absl::OkStatus();
  }();
  RETURN_IF_ERROR(Annotate(written, absl::StrCat("changing tag '", tag.name, "'")));
  return std::make_shared<const Tag>(std::move(tag));
}

absl::StatusOr<std::shared_ptr<const Tag>> TagRegistry::Update(TagId id, const TagChange& change,
                                                               const KeepGoing& keep_going) {
  ASSIGN_OR_RETURN(const Turns::Turn turn, changes_.Take(keep_going));
  const std::shared_ptr<const Tag> old = Find(id);
  if (old == nullptr) return absl::NotFoundError(absl::StrCat("no tag has id ", id));
  return Replace(old, Changed(*old, change));
}

absl::StatusOr<std::shared_ptr<const Tag>> TagRegistry::ChangeType(TagId id, const TagChange& change,
                                                                   const KeepGoing& keep_going) {
  ASSIGN_OR_RETURN(const Turns::Turn turn, changes_.Take(keep_going));
  const std::shared_ptr<const Tag> old = Find(id);
  if (old == nullptr) return absl::NotFoundError(absl::StrCat("no tag has id ", id));
  Tag moved = *old;
  moved.name = absl::StrCat(old->name, "~", id);
  moved.retired = true;
  moved.updated = clock_.Now();
  RETURN_IF_ERROR(ValidateTag(moved));
  if (Find(moved.name) != nullptr) {
    return absl::AlreadyExistsError(absl::StrCat("tag '", moved.name, "' exists, which '", old->name,
                                                 "' would be named when another tag has its name"));
  }
  Tag tag = Changed(*old, change);
  tag.id = last_id() + 1;
  tag.created = tag.updated = moved.updated;
  RETURN_IF_ERROR(ValidateTag(tag));
  RETURN_IF_ERROR(
      memory_.CheckRoom(BytesOfNew(tag) + moved.name.size(), absl::StrCat("tag '", tag.name, "'")));
  const absl::Status written = [&]() -> absl::Status {
    record::v1::TagRecord moved_record = ToRecord(moved), record = ToRecord(tag);
    absl::ReaderMutexLock stays_open(&versions_.closing_mu());
    kv::Batch batch;
    ASSIGN_OR_RETURN(const Version created_in, KeepRecord(id, tag.updated, &batch));
    moved_record.set_created_in(created_in);
    record.set_created_in(versions_.open());
    batch.Put(TagKey(id), moved_record.SerializeAsString());
    batch.Put(TagKey(tag.id), record.SerializeAsString());
    RETURN_IF_ERROR(store_.Write(batch));
    absl::MutexLock lock(&mu_);
    Rename(id, moved.name);
    Publish(id, moved.name, TraitsOf(moved), DetailsOf(std::move(moved_record)));
    Publish(tag.id, tag.name, TraitsOf(tag), DetailsOf(std::move(record)));
    NoteMemory();
    return absl::OkStatus();
  }();
  RETURN_IF_ERROR(Annotate(written, absl::StrCat("changing the type of tag '", tag.name, "'")));
  return std::make_shared<const Tag>(std::move(tag));
}

absl::StatusOr<std::shared_ptr<const Tag>> TagRegistry::SetRetired(TagId id, bool retired,
                                                                   const KeepGoing& keep_going) {
  ASSIGN_OR_RETURN(const Turns::Turn turn, changes_.Take(keep_going));
  const std::shared_ptr<const Tag> old = Find(id);
  if (old == nullptr) return absl::NotFoundError(absl::StrCat("no tag has id ", id));
  Tag tag = *old;
  tag.retired = retired;
  return Replace(old, std::move(tag));
}

std::shared_ptr<const Tag> TagRegistry::Find(TagId id) const {
  absl::ReaderMutexLock lock(&mu_);
  return id == 0 || id > names_.size() || names_[id - 1] == nullptr ? nullptr : Make(id);
}

std::shared_ptr<const Tag> TagRegistry::Find(absl::string_view name) const {
  absl::ReaderMutexLock lock(&mu_);
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : Make(*found);
}

absl::string_view TagRegistry::NameOf(TagId id) const {
  absl::ReaderMutexLock lock(&mu_);
  return id == 0 || id > names_.size() || names_[id - 1] == nullptr ? absl::string_view()
                                                                    : NameAt(names_[id - 1]);
}

absl::StatusOr<std::shared_ptr<const Tag>> TagRegistry::FindAsOf(TagId id, Version version) const {
  if (version == kVersionNow) return Find(id);
  ASSIGN_OR_RETURN(const std::optional<std::string> stored, ReadAsOf(store_, TagKey(id), version));
  if (!stored.has_value()) return nullptr;
  record::v1::TagRecord record;
  if (!ParseRecord(*stored, &record) || record.id() != id) {
    return absl::DataLossError(
        absl::StrCat("the record of tag ", id, " as of version ", version, " is damaged"));
  }
  if (record.created_in() > version) return nullptr;
  return std::make_shared<const Tag>(FromRecord(record));
}

// Sorting a million names takes a second: nobody who writes waits for it, and who waits for it can give up.
absl::StatusOr<std::shared_ptr<const TagRegistry::Names>> TagRegistry::SortedNames(
    const KeepGoing& keep_going) const {
  const TagId last = last_id();
  ASSIGN_OR_RETURN(const Turns::Turn turn, sorts_.Take(keep_going));
  RETURN_IF_ERROR(SortThrough(last, keep_going));
  return runs_.empty() ? std::make_shared<const Names>() : runs_.front();
}

absl::Status TagRegistry::SortThrough(TagId last, const KeepGoing& keep_going) const {
  while (sorted_through_ < last) {
    RETURN_IF_ERROR(GoOn(keep_going));
    const TagId end =
        sorted_through_ + static_cast<TagId>(std::min<size_t>(last - sorted_through_, kSortedAtOnce));
    Names fresh;
    {
      absl::ReaderMutexLock lock(&mu_);
      for (TagId id = sorted_through_ + 1; id <= end; ++id) {
        if (names_[id - 1] != nullptr) fresh.push_back(names_[id - 1]);
      }
    }
    sorted_through_ = end;
    RETURN_IF_ERROR(AddSorted(std::move(fresh), keep_going));
  }
  Names renamed;
  {
    absl::ReaderMutexLock lock(&mu_);
    renamed.assign(renamed_.begin() + static_cast<ptrdiff_t>(sorted_renamed_), renamed_.end());
  }
  sorted_renamed_ += renamed.size();
  RETURN_IF_ERROR(AddSorted(std::move(renamed), keep_going));
  while (runs_.size() > 1) RETURN_IF_ERROR(MergeLastRuns(keep_going));
  return absl::OkStatus();
}

absl::Status TagRegistry::AddSorted(Names fresh, const KeepGoing& keep_going) const {
  if (fresh.empty()) return absl::OkStatus();
  std::sort(fresh.begin(), fresh.end(), [](const char* a, const char* b) { return NameAt(a) < NameAt(b); });
  runs_.push_back(std::make_shared<const Names>(std::move(fresh)));
  while (runs_.size() > 1 && runs_[runs_.size() - 2]->size() <= 2 * runs_.back()->size()) {
    RETURN_IF_ERROR(MergeLastRuns(keep_going));
  }
  return absl::OkStatus();
}

absl::Status TagRegistry::MergeLastRuns(const KeepGoing& keep_going) const {
  const Names& a = *runs_[runs_.size() - 2];
  const Names& b = *runs_.back();
  const auto by_name = [](const char* x, const char* y) { return NameAt(x) < NameAt(y); };
  auto merged = std::make_shared<Names>();
  merged->reserve(a.size() + b.size());
  // Names lie all over memory: a few new ones look for their places, and the others are not looked at.
  const bool few = b.size() < a.size() / kFewNames;
  size_t rest = 0, moved = 0;
  for (const char* name : b) {
    if (few) {
      const size_t place =
          static_cast<size_t>(std::upper_bound(a.begin() + rest, a.end(), name, by_name) - a.begin());
      merged->insert(merged->end(), a.begin() + rest, a.begin() + place);
      rest = place;
    } else {
      while (rest < a.size() && by_name(a[rest], name)) {
        merged->push_back(a[rest++]);
        if (++moved % kSortedAtOnce == 0) RETURN_IF_ERROR(GoOn(keep_going));
      }
    }
    merged->push_back(name);
    if (++moved % kSortedAtOnce == 0) RETURN_IF_ERROR(GoOn(keep_going));
  }
  merged->insert(merged->end(), a.begin() + rest, a.end());
  runs_.pop_back();
  runs_.back() = std::move(merged);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<TagId>> TagRegistry::ListIds(const TagQuery& query,
                                                        const KeepGoing& keep_going) const {
  ASSIGN_OR_RETURN(const TagPattern pattern, TagPattern::Compile(query.pattern));
  ASSIGN_OR_RETURN(const std::shared_ptr<const Names> names, SortedNames(keep_going));
  auto it = query.after.empty() || query.after < query.prefix
                ? std::lower_bound(names->begin(), names->end(), query.prefix,
                                   [](const char* a, absl::string_view b) { return NameAt(a) < b; })
                : std::upper_bound(names->begin(), names->end(), query.after,
                                   [](absl::string_view a, const char* b) { return a < NameAt(b); });
  std::vector<TagId> ids;
  Names matched;
  std::vector<TagId> found;
  std::vector<TagTraits> traits(kListedAtOnce);
  bool at_end = false;
  TagId last = 0;
  while (!at_end && ids.size() < query.limit) {
    RETURN_IF_ERROR(GoOn(keep_going));
    matched.clear();
    for (size_t looked = 0; looked < kListedAtOnce && !at_end; ++looked) {
      at_end = it == names->end() || NameAt(*it).substr(0, query.prefix.size()) != query.prefix;
      if (at_end) break;
      if (query.pattern.empty() || pattern.Matches(NameAt(*it))) matched.push_back(*it);
      ++it;
    }
    found.clear();
    {
      absl::ReaderMutexLock lock(&mu_);
      for (const char* const name : matched) {
        const TagId id = IdOf(name);
        // Else it is named otherwise by now; or it stands there twice, for it was sorted after it got the name.
        if (names_[id - 1] == name && id != last) found.push_back(last = id);
      }
    }
    if (!query.include_retired) GetTraits(found.data(), found.size(), traits.data());
    for (size_t i = 0; i < found.size() && ids.size() < query.limit; ++i) {
      if (query.include_retired || !traits[i].retired) ids.push_back(found[i]);
    }
  }
  return ids;
}

size_t TagRegistry::size() const {
  absl::ReaderMutexLock lock(&mu_);
  return by_name_.size();
}

TagId TagRegistry::last_id() const {
  absl::ReaderMutexLock lock(&mu_);
  return static_cast<TagId>(names_.size());
}

void TagRegistry::GetTraits(const TagId* ids, size_t count, TagTraits* traits) const {
  absl::ReaderMutexLock lock(&mu_);
  for (size_t i = 0; i < count; ++i) {
    traits[i] = ids[i] == 0 || ids[i] > traits_.size() ? TagTraits() : traits_[ids[i] - 1];
  }
}

}  // namespace historian
