// File: server/watcher.h
//
// Looks at the archive's statistics once in a while and logs what changed: seals, what has expired, writes refused and
// accepted again (also when that was over before it looked), memory for definitions that is out, damage.
//
// Threads: one.
#ifndef HISTORIAN_SERVER_WATCHER_H_
#define HISTORIAN_SERVER_WATCHER_H_

#include <cstdint>
#include <set>
#include <string>

#include "server/log.h"
#include "storage/archive/archive.h"

namespace historian::server {

class Watcher {
 public:
  explicit Watcher(Log& log) : log_(log) {}
  void Look(const ArchiveStats& stats);

 private:
  Log& log_;
  uint64_t seals_ = 0;
  uint64_t expiries_ = 0;
  bool accepting_ = true;
  bool definitions_short_ = false;
  uint64_t write_failures_ = 0;
  std::set<std::string> damage_;  // Logged already.
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_WATCHER_H_
