// File: tools/histctl/near_tags.h
//
// The tags that somebody may have meant.
#ifndef HISTORIAN_TOOLS_HISTCTL_NEAR_TAGS_H_
#define HISTORIAN_TOOLS_HISTCTL_NEAR_TAGS_H_

#include <string>
#include <vector>

#include "client/connection.h"

namespace historian::histctl {

// Names of tags that contain `typed` (in upper or lower case), or else those nearest to it: three at most. Asks the server four
// times at most, for at most a thousand tags each time, so of very many tags some that are near may be missed. None if the
// server does not answer.
std::vector<std::string> NearTags(const client::Connection& connection, const std::string& typed);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_NEAR_TAGS_H_
