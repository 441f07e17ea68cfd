// File: server/service_env.h
//
// What every service uses. Server makes one, which outlives every call.
#ifndef HISTORIAN_SERVER_SERVICE_ENV_H_
#define HISTORIAN_SERVER_SERVICE_ENV_H_

#include "server/call_memory.h"
#include "server/caller/authority.h"
#include "server/clock_watch.h"
#include "server/config.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/peer.h"
#include "server/stream_registry.h"
#include "server/work_pool.h"
#include "storage/archive/archive.h"
#include "storage/model/clock.h"

namespace historian::server {

struct ServiceEnv {
  Archive& archive;
  const Config& config;
  const Clock& clock;
  Metrics& metrics;
  Log& log;
  // For work that may take long or wait for the disk. Work that is surely cheap runs on the thread where the
  // call arrived, because waking a thread costs as much as a cheap query.
  WorkPool& pool;
  StreamRegistry& streams;
  ClockWatch& clock_watch;
  CallMemory& call_memory;
  Authority& authority;
  // Queries of each peer that are running.
  PeerCounts& queries_of_peers;
  PeerCounts& short_queries_of_peers;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_SERVICE_ENV_H_
