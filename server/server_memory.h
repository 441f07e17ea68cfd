// File: server/server_memory.h
//
// What the server has in memory, as far as it is counted. What gRPC buffers is not: it keeps to a quota of its own.
#ifndef HISTORIAN_SERVER_SERVER_MEMORY_H_
#define HISTORIAN_SERVER_SERVER_MEMORY_H_

#include <cstdint>

#include "server/call_memory.h"
#include "storage/archive/stats.h"

namespace historian::server {

// In bytes.
struct ServerMemory {
  ArchiveMemory archive;
  uint64_t definition_bytes_max = 0;
  uint64_t store = 0;
  uint64_t calls = 0;  // Requests and answers.

  uint64_t total() const { return archive.total() + store + calls; }
};

inline ServerMemory MemoryOf(const ArchiveStats& stats, const CallMemory& calls) {
  return {.archive = stats.memory,
          .definition_bytes_max = stats.definition_bytes_max,
          .store = stats.store.memory_bytes,
          .calls = calls.used_bytes()};
}

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_SERVER_MEMORY_H_
