// File: client/tags.h
//
// Tags: creating, finding, changing and retiring them. Every call takes many items, and each succeeds or
// fails by itself: one tag's error does not stop the others. A call with more than 10,000 items is cut into
// several requests.
//
//   Tags tags(connection);
//   for (const Tag& tag : tags.List({.prefix = "area-1/"})) ...
//
// Errors:  a returned status is about the call (Unavailable, DeadlineExceeded); an item's own is in its
//          TagOutcome.
// Threads: any number.
#ifndef HISTORIAN_CLIENT_TAGS_H_
#define HISTORIAN_CLIENT_TAGS_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/connection.h"
#include "client/tag_items.h"
#include "storage/model/data_version.h"
#include "storage/model/tag.h"

namespace historian::client {

struct TagListOptions {
  std::string pattern;  // A glob over names: * ? [a-z]. Empty: all.
  std::string prefix;   // Only names that begin with this.
  bool include_retired = false;
  uint32_t page_size = 1000;  // At most 10,000.
};

// Tags in name order, fetched a page at a time while they are walked. One pass, which may be left early.
// After the loop status() says whether the walk reached its end or failed.
//
// Threads: one.
class TagList {
 public:
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Tag;
    using difference_type = std::ptrdiff_t;
    using pointer = const Tag*;
    using reference = const Tag&;

    iterator() = default;
    reference operator*() const { return list_->page_[list_->at_]; }
    pointer operator->() const { return &list_->page_[list_->at_]; }
    iterator& operator++() {
      if (!list_->Advance()) list_ = nullptr;
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(const iterator& other) const { return list_ == other.list_; }

   private:
    friend class TagList;
    explicit iterator(TagList* list) : list_(list) {}
    TagList* list_ = nullptr;  // Null: the end.
  };

  iterator begin();
  iterator end() { return iterator(); }
  const absl::Status& status() const { return status_; }

 private:
  friend class Tags;
  TagList(Connection connection, TagListOptions options)
      : connection_(std::move(connection)), options_(std::move(options)) {}
  bool Advance();    // Moves to the next tag; false if there are no more.
  bool FetchPage();  // Replaces page_; false on an error or an empty last page.

  Connection connection_;
  TagListOptions options_;
  std::vector<Tag> page_;
  size_t at_ = 0;
  std::string token_;
  bool begun_ = false;
  bool last_page_ = false;
  absl::Status status_;
};

class Tags {
 public:
  explicit Tags(Connection connection) : connection_(std::move(connection)) {}

  // Creates tags. If the name exists the item's status is AlreadyExists, or OK if the existing tag is equal:
  // so a create can be repeated. id, created, updated and retired are ignored.
  absl::StatusOr<std::vector<TagOutcome>> Create(absl::Span<const Tag> tags) const;
  absl::StatusOr<std::vector<TagOutcome>> Update(absl::Span<const TagUpdate> updates) const;
  // Finds tags by id or name. An item without a tag has the status NotFound. With as_of, tags as they were then, by the names
  // of today.
  absl::StatusOr<std::vector<TagOutcome>> Get(absl::Span<const TagKey> keys, const AsOf& as_of = {}) const;
  // A retired tag keeps its archive and takes no more samples.
  absl::StatusOr<std::vector<TagOutcome>> Retire(absl::Span<const TagKey> keys) const;
  absl::StatusOr<std::vector<TagOutcome>> Unretire(absl::Span<const TagKey> keys) const;

  // Finds one tag. Errors: also NotFound.
  absl::StatusOr<Tag> Get(const TagKey& key) const;

  // Creates the tags that do not exist and gets those that do, in the order of `tags`. Existing tags are not
  // changed, even if their unit or description differs.
  // Errors: that of the first item that fails. FailedPrecondition, a tag of this name has another type.
  absl::StatusOr<std::vector<Tag>> Ensure(absl::Span<const Tag> tags) const;
  absl::StatusOr<std::vector<Tag>> Ensure(std::initializer_list<Tag> tags) const {
    return Ensure(absl::MakeConstSpan(tags.begin(), tags.size()));
  }

  TagList List(TagListOptions options = {}) const { return TagList(connection_, std::move(options)); }

 private:
  Connection connection_;
};

}  // namespace historian::client

#endif  // HISTORIAN_CLIENT_TAGS_H_
