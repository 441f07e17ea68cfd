// File: server/peer.h
//
// Who is at the other end of a connection, and how much each of them has.
#ifndef HISTORIAN_SERVER_PEER_H_
#define HISTORIAN_SERVER_PEER_H_

#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace historian::server {

// Returns gRPC's name of a peer without its port: "ipv4:10.0.0.7" of "ipv4:10.0.0.7:53412". All connections of one
// machine have it in common.
inline absl::string_view PeerAddress(absl::string_view peer) {
  const size_t colon = peer.rfind(':');
  return peer.find(':') == colon ? peer : peer.substr(0, colon);
}

// Counts what each peer has at the moment. Peers that have nothing take no memory.
//
// Threads: any number.
class PeerCounts {
 public:
  // Counts one more, unless the peer has `limit` already.
  bool TryAdd(absl::string_view address, uint64_t limit) {
    absl::MutexLock lock(&mu_);
    uint64_t& count = counts_[address];
    if (count >= limit) return false;
    ++count;
    return true;
  }
  // One of those that were added is gone.
  void Remove(absl::string_view address) {
    absl::MutexLock lock(&mu_);
    const auto it = counts_.find(address);
    if (it != counts_.end() && --it->second == 0) counts_.erase(it);
  }

 private:
  absl::Mutex mu_;
  absl::flat_hash_map<std::string, uint64_t> counts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_PEER_H_
