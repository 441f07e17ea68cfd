// File: storage/read/read_view.h
//
// What one read of one tag sees, from its beginning to its end.
#ifndef HISTORIAN_STORAGE_READ_READ_VIEW_H_
#define HISTORIAN_STORAGE_READ_READ_VIEW_H_

#include <memory>
#include <utility>

#include "storage/sealed/retention.h"
#include "storage/tail/tag_sources.h"

namespace historian {

struct ReadView : TagSources {
  ReadView(TagSources sources, std::shared_ptr<const ExpiredTable> expired_table)
      : TagSources(std::move(sources)), expired(std::move(expired_table)) {}

  std::shared_ptr<const ExpiredTable> expired;

  // Readers see no samples of the partition; nor do folds.
  bool HasExpired(int32_t partition) const {
    const Expired* const of_tag = expired->Of(tag);
    return of_tag != nullptr && of_tag->HasRaw(partition);
  }
  bool HasAllExpired(int32_t partition) const {
    const Expired* const of_tag = expired->Of(tag);
    return of_tag != nullptr && of_tag->HasAll(partition);
  }
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_READ_READ_VIEW_H_
