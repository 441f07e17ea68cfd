#include "server/new_archive.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "server/process.h"
#include "storage/kv/rocksdb_store.h"
#include "storage/kv/store_directory.h"
#include "storage/model/status_macros.h"

namespace historian::server {
namespace {

namespace fs = std::filesystem;

// Does not touch a file that exists.
absl::Status WriteNewFile(const std::string& path, const std::string& text) {
  const auto failed = [&path](absl::string_view what) {
    return absl::FailedPreconditionError(absl::StrCat(what, " ", path, ": ", std::strerror(errno)));
  };
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (fd < 0) return failed("making");
  const auto close_it = absl::MakeCleanup([fd] { close(fd); });
  absl::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t n = write(fd, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return failed("writing");
    rest.remove_prefix(static_cast<size_t>(n));
  }
  return fsync(fd) == 0 ? absl::OkStatus() : failed("writing");
}

}  // namespace

absl::StatusOr<std::string> MakeNewArchive(Config config, std::string config_file) {
  // Without the slash that completion puts behind a directory.
  config.data_dir = (fs::absolute(config.data_dir) / "").lexically_normal().parent_path();
  const std::string& path = config.data_dir;
  ASSIGN_OR_RETURN(const kv::StoreDirectory::State state, kv::StoreDirectory::Look(path));
  if (state == kv::StoreDirectory::State::kStore) {
    return absl::AlreadyExistsError(absl::StrCat(
        path, " holds an archive already; nothing was changed. Start it: historiand --data-dir ", path));
  }
  RETURN_IF_ERROR(RefuseToBeRootElsewhere(path));
  if (config_file.empty()) config_file = absl::StrCat(path, "/historian.toml");
  config_file = fs::absolute(config_file).lexically_normal();
  std::error_code error;
  const bool writes_config = !fs::exists(config_file, error);
  const fs::path config_directory = fs::path(config_file).parent_path();
  if (writes_config && config_directory != path && !fs::is_directory(config_directory, error)) {
    return absl::FailedPreconditionError(absl::StrCat("the configuration is to be ", config_file,
                                                      ", but there is no directory ",
                                                      config_directory.string()));
  }

  {
    // What a start does: so a file system that is not fit for it is found out now.
    ASSIGN_OR_RETURN(const std::unique_ptr<kv::Store> store, kv::OpenRocksDbStore({.path = path}));
  }
  // One that was there and empty may have been for everybody.
  if (chmod(path.c_str(), 0750) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("changing the mode of ", path, ": ", std::strerror(errno)));
  }
  if (writes_config) RETURN_IF_ERROR(WriteNewFile(config_file, PrintConfig(config)));

  const std::string start = absl::StrCat("historiand --config ", config_file);
  std::string said = absl::StrCat(
      "made a new, empty archive in ", path, "\n",
      writes_config ? "wrote" : "left as it is:", " the configuration ", config_file, "\n\nNext:\n  ", start,
      " --check-config   # looks at files and addresses, too\n  ", start, "                  # serves ",
      config.grpc.listen,
      "\n  histctl status                   # in another terminal\n"
      "  histctl token create admin --all '*' > admin.token   # before other machines may reach it\n");
  if (geteuid() == 0) {
    absl::StrAppend(
        &said, "\nIt belongs to root. A server should have a user of its own: chown -R USER: ", path, "\n");
  }
  return said;
}

}  // namespace historian::server
