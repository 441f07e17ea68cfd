// File: storage/write/write_filter.h
//
// Which tags whoever sends a frame may write. Who they are is decided elsewhere.
#ifndef HISTORIAN_STORAGE_WRITE_WRITE_FILTER_H_
#define HISTORIAN_STORAGE_WRITE_WRITE_FILTER_H_

#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "storage/model/tag.h"
#include "storage/tags/tag_registry.h"

namespace historian {

// Threads: any number.
class WriteFilter {
 public:
  enum class Verdict : uint8_t {
    kPasses,
    kNotPermitted,
    kUnknown,  // The sender is not to learn that the tag exists.
  };

  virtual ~WriteFilter() = default;
  // verdicts[i] is of ids[i].
  virtual void Check(const TagRegistry& tags, absl::Span<const TagId> ids, Verdict* verdicts) const = 0;
  // Every tag passes: nothing needs to be asked.
  virtual bool PassesAll() const = 0;
  // For messages.
  virtual std::string who() const = 0;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_WRITE_WRITE_FILTER_H_
