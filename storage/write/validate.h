// File: storage/write/validate.h
//
// What may be stored of a frame, and why the rest may not.
#ifndef HISTORIAN_STORAGE_WRITE_VALIDATE_H_
#define HISTORIAN_STORAGE_WRITE_VALIDATE_H_

#include "absl/status/status.h"
#include "storage/model/frame.h"
#include "storage/sealed/retention.h"
#include "storage/tags/tag_registry.h"
#include "storage/write/time_limits.h"
#include "storage/write/write_filter.h"
#include "storage/write/write_result.h"

namespace historian {

// InvalidArgument for a frame that is too large to be taken at all; names the limits.
absl::Status CheckFrameSize(const Frame& frame);

// Takes out of the frame what cannot be stored, and says so in *result (stored, rejected, rejections).
// Afterwards every column is of an existing tag, of its type, with strictly ascending times from
// kTimestampMin to what the limits say of it `now`, that are not too old, known qualities and canonical values, and every snapshot
// likewise with strictly ascending tags. Every tag is one that the filter lets pass; null: any.
void ValidateFrame(const TagRegistry& tags, const TooOld& too_old, const TimeLimits& limits,
                   const WriteFilter* filter, Timestamp now, Frame* frame, WriteResult* result);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_WRITE_VALIDATE_H_
