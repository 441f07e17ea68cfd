// File: storage/read/block_list.h
//
// The blocks of a tag, for administration: which there are, what they take, and the bytes of one.
#ifndef HISTORIAN_STORAGE_READ_BLOCK_LIST_H_
#define HISTORIAN_STORAGE_READ_BLOCK_LIST_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/kv/store.h"
#include "storage/read/read_view.h"
#include "storage/read/requests.h"
#include "storage/sealed/retention.h"

namespace historian {

// Those with samples in [start, end), by their first times. DataLoss when a head is damaged; what ends the view.
absl::StatusOr<std::vector<BlockInfo>> ListBlocks(const ReadView& view, Timestamp start, Timestamp end);

// Adds what the tag has in blocks and rollups. Errors: those of ListBlocks.
absl::Status AddSealed(kv::Store& store, const ReadView& view, TagStorage* storage);

// NotFound: there is no such block, or its samples have expired.
absl::StatusOr<BlockBytes> ReadBlockBytes(kv::Store& store, const ExpiredTable& expired, const Tag& tag,
                                          const format::BlockId& id);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_READ_BLOCK_LIST_H_
