// File: storage/tail/load_tails.h
//
// Brings back the tails that the last seals wrote down: the greater part of a restart with very many tags.
#ifndef HISTORIAN_STORAGE_TAIL_LOAD_TAILS_H_
#define HISTORIAN_STORAGE_TAIL_LOAD_TAILS_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "storage/kv/store.h"
#include "storage/tags/tag_registry.h"
#include "storage/tail/shard.h"

namespace historian {

// DataLoss: a record is damaged, or is of no tag; names the tag. All others are loaded then. *lost: the tags whose record
// is damaged, or may be missing, ascending.
absl::Status LoadTails(kv::Store& store, const TagRegistry& tags, const VersionTable& versions,
                       const std::vector<std::unique_ptr<Shard>>& shards, std::vector<TagId>* lost);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_TAIL_LOAD_TAILS_H_
