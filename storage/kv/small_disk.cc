#include "storage/kv/small_disk.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

namespace historian::kv {
namespace {

namespace fs = std::filesystem;

// Why this program has no mounts of its own; empty: it has.
std::string EnterOwnMounts() {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  if (::unshare(CLONE_NEWNS) != 0) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
      return absl::StrCat("no mount namespace is permitted here: ", std::strerror(errno));
    // user_namespaces(7): without a map nobody could own a file; the group's wants setgroups denied first.
    std::ofstream("/proc/self/uid_map") << absl::StrCat(user, " ", user, " 1");
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/gid_map") << absl::StrCat(group, " ", group, " 1");
  }
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return absl::StrCat("mounts cannot be kept from others: ", std::strerror(errno));
  return "";
}

// Before main(): namespaces belong to a thread, and later ones get them from this.
const std::string* const no_own_mounts = new std::string(EnterOwnMounts());

}  // namespace

SmallDisk::SmallDisk(uint64_t bytes) : path_(absl::StrCat(::testing::TempDir(), "disk.XXXXXX")) {
  if (!no_own_mounts->empty()) {
    reason_ = *no_own_mounts;
  } else if (::mkdtemp(path_.data()) == nullptr) {
    reason_ = absl::StrCat("making ", path_, ": ", std::strerror(errno));
  } else if (::mount("none", path_.c_str(), "tmpfs", 0, absl::StrCat("size=", bytes).c_str()) != 0) {
    reason_ = absl::StrCat("mounting a tmpfs: ", std::strerror(errno));
  }
}

SmallDisk::~SmallDisk() {
  if (mounted()) ::umount2(path_.c_str(), MNT_DETACH);
  std::error_code ignored;
  fs::remove(path_, ignored);
}

void SmallDisk::Fill(uint64_t but_bytes) {
  const int fd = ::open((*this / "ballast").c_str(), O_CREAT | O_WRONLY, 0644);
  uint64_t free = fs::space(path_).available;
  // Whoever else writes may be quicker.
  while (free > but_bytes && ::posix_fallocate(fd, 0, free - but_bytes) != 0)
    free = fs::space(path_).available;
  ::close(fd);
}

void SmallDisk::Empty() { fs::remove(*this / "ballast"); }

}  // namespace historian::kv
