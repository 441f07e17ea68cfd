// File: storage/read/pages_as_of.h
//
// What an earlier version saw of a tag in a partition, where that is not what there is now:
//
//   pages        of which it saw all     as they are
//                of which it saw a part  read, and what it saw encoded anew, in memory: together with what was replaced later
//   superseded   where there is no such page, what was replaced later stands below the blocks
#ifndef HISTORIAN_STORAGE_READ_PAGES_AS_OF_H_
#define HISTORIAN_STORAGE_READ_PAGES_AS_OF_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/read/partition_view.h"
#include "storage/read/read_view.h"

namespace historian {

// Of the heads, which must have been read before the call: so what settling moves out of them in between is found in
// either place, or in both. A damaged page is not an error: it is missing, and *damage says so. Errors: the store's, and
// DataLoss of superseded statements.
absl::StatusOr<PagesAsOf> ReadPagesAsOf(const ReadView& view, int32_t partition,
                                        std::shared_ptr<const StoredHeads> heads, PageFetcher& pages,
                                        absl::Status* damage);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_READ_PAGES_AS_OF_H_
