// File: storage/model/background.h
//
// For threads whose work waits for nobody.
#ifndef HISTORIAN_STORAGE_MODEL_BACKGROUND_H_
#define HISTORIAN_STORAGE_MODEL_BACKGROUND_H_

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace historian {

// From now on the calling thread, and it alone, yields to all other work as far as the system allows.
inline void YieldToAllOther() {
  constexpr int kNiceness = 10;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kNiceness);
}

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_BACKGROUND_H_
