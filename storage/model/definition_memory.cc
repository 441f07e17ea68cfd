#include "storage/model/definition_memory.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace historian {
namespace {

// With less than this part of the limit left, some are refused already.
constexpr uint64_t kShortPart = 64;

std::string Size(uint64_t bytes) {
  return bytes < (uint64_t{1} << 20) ? absl::StrFormat("%.1f KiB", static_cast<double>(bytes) / (1 << 10))
                                     : absl::StrFormat("%.1f MiB", static_cast<double>(bytes) / (1 << 20));
}

}  // namespace

DefinitionMemory& DefinitionMemory::Unbounded() {
  static DefinitionMemory& memory = *new DefinitionMemory(UINT64_MAX);
  return memory;
}

uint64_t DefinitionMemory::bytes() const {
  uint64_t bytes = 0;
  for (const std::atomic<uint64_t>& of_kind : bytes_of_) bytes += of_kind.load(std::memory_order_relaxed);
  return bytes;
}

absl::Status DefinitionMemory::CheckRoom(uint64_t bytes, absl::string_view what) const {
  const uint64_t taken = this->bytes();
  if (bytes <= bytes_max_ && taken <= bytes_max_ - bytes) return absl::OkStatus();
  return NoRoom(absl::StrCat("no memory for ", what, ", which takes ", Size(bytes)));
}

absl::Status DefinitionMemory::Shortage() const {
  if (bytes() <= bytes_max_ - bytes_max_ / kShortPart) return absl::OkStatus();
  return NoRoom("no memory for new tags, states, producers, rules, holds and marks");
}

absl::Status DefinitionMemory::NoRoom(absl::string_view what) const {
  return absl::ResourceExhaustedError(absl::StrCat(
      what, ": definitions take ", Size(bytes()), " of the ", Size(bytes_max_),
      " that limits.memory_budget leaves them (a quarter): tags ", Size(Of(DefinitionKind::kTags)),
      ", their states ", Size(Of(DefinitionKind::kTagStates)), ", producers ",
      Size(Of(DefinitionKind::kProducers)), ", rules and holds ", Size(Of(DefinitionKind::kRetention)),
      ", versions ", Size(Of(DefinitionKind::kVersions) + Of(DefinitionKind::kWeeks)),
      ". Raise limits.memory_budget, or let there be fewer of them; writes to what there is go on"));
}

}  // namespace historian
