// File: server/process.h
//
// What the process asks of the system when it starts.
#ifndef HISTORIAN_SERVER_PROCESS_H_
#define HISTORIAN_SERVER_PROCESS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/log.h"

namespace historian::server {

// Raises the number of files that the process may have open to the most that it may ask for.
void RaiseDescriptorLimit();
// Returns how many files the process may have open.
uint64_t DescriptorLimit();

// Returns how much memory the system lets the process have: the least limit (memory.max, memory.high) of its control groups,
// UINT64_MAX if there is none. The arguments are for tests.
uint64_t MemoryLimit(const std::string& groups_of_process = "/proc/self/cgroup",
                     const std::string& groups = "/sys/fs/cgroup");

// New files are for their owner and read by the group: 0640, directories 0750. Writing to a pipe that nobody reads, or beyond
// the limit of a file's size, is an error, not the end of the process. Until the server takes signals (server/signals.h),
// SIGHUP and the stray ones do nothing.
void SetUpFilesAndSignals();

// Signals whose default is to end the process, which are not for this server.
std::vector<int> StraySignals();

// Returns who owns the data directory, if the process is root's and the directory is not.
std::string OwnerOtherThanRoot(const std::string& data_dir);
// Root would leave files there that its owner could not read.
// Errors: FailedPrecondition, the process is root's and the directory somebody else's; says what to do.
absl::Status RefuseToBeRootElsewhere(const std::string& data_dir);

// Warns if the system lets the process have less memory than it needs.
void WarnOfMemoryLimit(uint64_t needed, uint64_t limit, Log& log);
// Warns if the data directory exists and others than its owner and group may enter it.
void WarnOfOpenDirectory(const std::string& data_dir, Log& log);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_PROCESS_H_
