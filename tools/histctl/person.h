// File: tools/histctl/person.h
//
// Who sits in front of the terminal.
#ifndef HISTORIAN_TOOLS_HISTCTL_PERSON_H_
#define HISTORIAN_TOOLS_HISTCTL_PERSON_H_

#include <pwd.h>
#include <unistd.h>

#include <string>

namespace historian::histctl {

// The name of the user this process runs as; its number when the system has no name for it.
inline std::string Person() {
  const passwd* const user = getpwuid(getuid());
  return user != nullptr ? user->pw_name : std::to_string(getuid());
}

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_PERSON_H_
