// File: storage/backup/directory_target.h
//
// A target that is a directory, of a local disk or of NFS.
//
//   LOCK       held (flock) by whoever changes the repository; says who that was last. On NFS the server keeps it
//   incoming/  files that are not finished
//   ...        the objects, under their names
//
// A file is written in incoming/, synced, renamed to its name, and its directory synced. So after a kill or a power cut
// there are whole objects, and litter in incoming/.
//
// The path may be on a disk that is only there at times. Nothing but Make() makes the directory itself: what is not mounted is
// an error, and no disk is filled that was not meant.
#ifndef HISTORIAN_STORAGE_BACKUP_DIRECTORY_TARGET_H_
#define HISTORIAN_STORAGE_BACKUP_DIRECTORY_TARGET_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "storage/backup/target.h"

namespace historian::backup {

// Changes nothing before something is written. `at_step` is called before each step that changes the directory, for tests that
// end there.
std::unique_ptr<Target> NewDirectoryTarget(std::string path,
                                           std::function<void(absl::string_view step)> at_step = nullptr);

}  // namespace historian::backup

#endif  // HISTORIAN_STORAGE_BACKUP_DIRECTORY_TARGET_H_
