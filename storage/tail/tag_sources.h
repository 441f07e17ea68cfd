// File: storage/tail/tag_sources.h
//
// What there is of a tag, as far as its tail knows.
#ifndef HISTORIAN_STORAGE_TAIL_TAG_SOURCES_H_
#define HISTORIAN_STORAGE_TAIL_TAG_SOURCES_H_

#include <memory>

#include "storage/model/tag.h"
#include "storage/model/timestamp.h"
#include "storage/model/value.h"
#include "storage/tail/frozen_tail.h"

namespace historian {

// All of one moment. Nothing is stored when oldest > newest.
struct TagSources {
  TagId tag = 0;
  ValueType type = ValueType::kFloat64;
  std::shared_ptr<const TailView> tail;
  Timestamp oldest = 0;
  Timestamp newest = -1;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_TAIL_TAG_SOURCES_H_
