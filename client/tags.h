// File: client/tags.h
//
// Tags: creating, finding, changing and retiring them. Every call is in bulk and per item: one tag's error
// leaves the others done. As many items as you like; the calls are cut into requests of at most 10,000.
//
//   Tags tags(connection);
//   for (const Tag& tag : tags.List({.prefix = "area-1/"})) ...
//
// Errors: a returned status is about the call (Unavailable, DeadlineExceeded); an item's own is in its
// TagOutcome. Threads: any number.
#ifndef HISTORIAN_CLIENT_TAGS_H_
#define HISTORIAN_CLIENT_TAGS_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/connection.h"
#include "storage/model/tag.h"

namespace historian::client {

// A tag by id or by name.
using TagKey = std::variant<TagId, std::string>;

// "tag 7", "tag 'area-1/flow'": for messages.
std::string ToString(const TagKey& key);

// What became of one item. The tag is set when OK, and for AlreadyExists (the one that exists); else its id
// is 0.
struct TagOutcome {
  absl::Status status;
  Tag tag;
};

// Changes what is given and leaves the rest. Name and type never change.
struct TagUpdate {
  TagKey key;
  std::optional<std::string> unit;
  std::optional<std::string> description;
  std::optional<Interpolation> interpolation;
  std::map<uint32_t, std::string> set_states;
  std::vector<uint32_t> remove_states;
  std::map<std::string, std::string> set_attributes;
  std::vector<std::string> remove_attributes;
};

struct TagListOptions {
  std::string pattern;  // A glob over names: * ? [a-z]. Empty: all.
  std::string prefix;   // Only names that begin with it.
  bool include_retired = false;
  uint32_t page_size = 1000;  // At most 10,000.
};

// Tags in name order, fetched a page at a time while they are walked. One pass; end early as you like.
// After the loop status() says whether the walk reached its end or failed.
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
  bool Advance();    // To the next tag. False: there is none.
  bool FetchPage();  // Replaces page_. False: an error, or an empty last page.

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

  // A name that exists is AlreadyExists, unless everything is equal, which is OK: a create can be repeated.
  // id, created, updated and retired are ignored.
  absl::StatusOr<std::vector<TagOutcome>> Create(absl::Span<const Tag> tags) const;
  absl::StatusOr<std::vector<TagOutcome>> Update(absl::Span<const TagUpdate> updates) const;
  // Resolves ids or names. An item that does not exist is NotFound.
  absl::StatusOr<std::vector<TagOutcome>> Get(absl::Span<const TagKey> keys) const;
  // A retired tag keeps its archive and takes no more samples.
  absl::StatusOr<std::vector<TagOutcome>> Retire(absl::Span<const TagKey> keys) const;
  absl::StatusOr<std::vector<TagOutcome>> Unretire(absl::Span<const TagKey> keys) const;

  // One tag; its own status is the returned one.
  absl::StatusOr<Tag> Get(const TagKey& key) const;

  // Creates those that do not exist and gets those that do, as they are: a unit or description that differs
  // stays as the server has it. In the order of `tags`.
  // Errors: the first item's. FailedPrecondition: a tag of this name exists with another type.
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
