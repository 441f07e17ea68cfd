// File: server/surroundings.h
//
// What a configuration names, looked at without starting: certificates and keys, permissions, the log's directory, the data
// directory, addresses. A configuration with which all of this is good starts, unless something changes meanwhile.
//
// Changes nothing: it makes no file and no directory, and lets go of the addresses at once. Rights are those of the user who
// looks; the server may have fewer, which is warned of.
#ifndef HISTORIAN_SERVER_SURROUNDINGS_H_
#define HISTORIAN_SERVER_SURROUNDINGS_H_

#include <string>
#include <vector>

#include "server/config.h"
#include "storage/model/clock.h"

namespace historian::server {

struct Surroundings {
  // Each says where the setting stands, as those of LoadConfig do.
  std::vector<std::string> mistakes;
  std::vector<std::string> warnings;
};

// The configuration must have no mistakes.
Surroundings LookAtSurroundings(const LoadedConfig& loaded, const Clock& clock);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_SURROUNDINGS_H_
