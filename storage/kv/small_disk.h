// File: storage/kv/small_disk.h
//
// A disk of a few MiB, for tests that fill it.
//
//   SmallDisk disk(uint64_t{64} << 20);
//   if (!disk.mounted()) GTEST_SKIP() << disk.reason();
//   OpenRocksDbStore({.path = disk / "store"});
//   disk.Fill();                                        // Every write fails with ENOSPC.
//
// The disk is a tmpfs below the test's own directory. A program that links this library enters a mount namespace of
// its own before main(), so nobody else sees the disk, and it goes when the program ends, however it ends. An
// ordinary user also enters a user namespace for that. Where neither is permitted the disk is not mounted.
#ifndef HISTORIAN_STORAGE_KV_SMALL_DISK_H_
#define HISTORIAN_STORAGE_KV_SMALL_DISK_H_

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace historian::kv {

class SmallDisk {
 public:
  explicit SmallDisk(uint64_t bytes);
  ~SmallDisk();

  bool mounted() const { return reason_.empty(); }
  const std::string& reason() const { return reason_; }  // Why it is not mounted.
  const std::string& path() const { return path_; }
  std::string operator/(absl::string_view name) const { return absl::StrCat(path_, "/", name); }

  // Takes all the room but `but_bytes`, with one file. Room that others give back meanwhile may stay free.
  void Fill(uint64_t but_bytes = 0);
  // Gives it back.
  void Empty();

 private:
  std::string path_;
  std::string reason_;
};

}  // namespace historian::kv

#endif  // HISTORIAN_STORAGE_KV_SMALL_DISK_H_
