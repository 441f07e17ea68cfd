// File: storage/model/definition_memory.h
//
// The memory of definitions: of what is in memory for as long as it exists, because somebody defined it. Each kind says
// here what it takes, and asks here before it takes more.
//
//   RETURN_IF_ERROR(memory.CheckRoom(bytes, "tag 'a'"));   // Or it is not created.
//   ...                                                    // It is.
//   memory.Set(DefinitionKind::kTags, all_bytes);
//
// Between the two others may do the same, so all together may be above the limit by what one call of each kind makes. What
// was stored when the limit was higher is read all the same, and only new ones are refused.
//
// Threads: any number; each kind is set by one at a time. Nothing waits, and nothing is done for a sample.
#ifndef HISTORIAN_STORAGE_MODEL_DEFINITION_MEMORY_H_
#define HISTORIAN_STORAGE_MODEL_DEFINITION_MEMORY_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace historian {

enum class DefinitionKind {
  kTags,  // Names, texts, states, and the indexes over them.
  kTagStates,  // What there is of every tag beside its definition: its tail, its newest value, what has expired of it.
  kProducers,  // Names, numbers, checksums of frames.
  kRetention,  // Rules and legal holds, and the patterns compiled of them.
  kVersions,   // Versions that have closed.
  kWeeks,      // What is known of each week that has samples.
};
inline constexpr int kDefinitionKinds = 6;

// A text that is the newest value of a tag is kept in memory if it is no longer; a longer one is read again when it is asked
// for.
inline constexpr size_t kNewestTextBytes = 128;

// What each tag takes as kTagStates, whether it has samples yet or not: a writer cannot be refused for what its tags take.
// A tail (storage/tail/shard.h), and what the last page taught of the next (storage/write/encode_hints.h).
inline constexpr uint64_t kTagStateBytes = 64 + 3;
// A tag of strings takes its newest value beside that.
inline constexpr uint64_t kTextStateBytes = kNewestTextBytes + 16;

class DefinitionMemory {
 public:
  explicit DefinitionMemory(uint64_t bytes_max) : bytes_max_(bytes_max) {}
  // For who has no limit.
  static DefinitionMemory& Unbounded();

  void Set(DefinitionKind kind, uint64_t bytes) {
    bytes_of_[static_cast<size_t>(kind)].store(bytes, std::memory_order_relaxed);
  }
  uint64_t Of(DefinitionKind kind) const {
    return bytes_of_[static_cast<size_t>(kind)].load(std::memory_order_relaxed);
  }
  uint64_t bytes() const;  // Of all kinds.
  uint64_t bytes_max() const { return bytes_max_; }

  // ResourceExhausted: there is no room for so much more. Names the limit, what definitions take, and what to do.
  absl::Status CheckRoom(uint64_t bytes, absl::string_view what) const;
  // Not OK when there is hardly any room left, for those who look after the archive. Has the same message.
  absl::Status Shortage() const;

 private:
  absl::Status NoRoom(absl::string_view what) const;

  const uint64_t bytes_max_;
  std::array<std::atomic<uint64_t>, kDefinitionKinds> bytes_of_{};
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_DEFINITION_MEMORY_H_
