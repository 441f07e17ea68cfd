// File: server/new_archive.h
//
// historiand --init: a new, empty archive, with a configuration to start from.
#ifndef HISTORIAN_SERVER_NEW_ARCHIVE_H_
#define HISTORIAN_SERVER_NEW_ARCHIVE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/config.h"

namespace historian::server {

// Makes the directory config.data_dir with an archive without a tag, for its owner and group (0750, files 0640). If there is no
// file `config_file`, writes it, with config; an empty name stands for DATA_DIR/historian.toml. Paths in it are absolute.
// Returns what was made and what to do next, in lines to be shown.
// Errors: AlreadyExists, the directory holds an archive already. Those of opening a store: it belongs to somebody else, cannot
// be written, ... Nothing is changed then.
absl::StatusOr<std::string> MakeNewArchive(Config config, std::string config_file);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_NEW_ARCHIVE_H_
