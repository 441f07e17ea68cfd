// File: server/caller/right.h
//
// What a caller may do with a tag.
//
//   read        its samples, and everything that is computed of them
//   write       samples
//   configure   create it, change its definition, retire it
//   administer  what concerns its storage: blocks, verification. On every tag: what concerns the whole server too, such as
//               retention, legal holds, versions, producers, seals, and who may do what
//
// Each of them includes seeing the tag's definition. A tag on which a caller has none of them does not exist for it: it is
// not in lists and patterns, and a call that names it is answered as if nobody had ever created it.
#ifndef HISTORIAN_SERVER_CALLER_RIGHT_H_
#define HISTORIAN_SERVER_CALLER_RIGHT_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace historian::server {

enum class Right : uint8_t { kRead, kWrite, kConfigure, kAdminister };
inline constexpr int kRights = 4;
inline constexpr std::array<Right, kRights> kAllRights = {Right::kRead, Right::kWrite, Right::kConfigure,
                                                          Right::kAdminister};

// "read", "write", "configure" or "administer".
constexpr const char* RightName(Right right) {
  constexpr std::array<const char*, kRights> kNames = {"read", "write", "configure", "administer"};
  return kNames[static_cast<int>(right)];
}

// A set of rights, as bits.
using RightBits = uint8_t;
constexpr RightBits BitOf(Right right) { return static_cast<RightBits>(1 << static_cast<int>(right)); }
inline constexpr RightBits kEveryRight = (1 << kRights) - 1;

// What one principal or token may do, as it is written down.
struct Permissions {
  // By right: patterns over the names of tags (storage/model/tag_pattern.h). "*" is every tag.
  std::array<std::vector<std::string>, kRights> tags;
  // Patterns over the names of producers that it may write as. Empty: its own name, and all that begin with that and '/'.
  std::vector<std::string> producers;

  std::vector<std::string>& on(Right right) { return tags[static_cast<int>(right)]; }
  const std::vector<std::string>& on(Right right) const { return tags[static_cast<int>(right)]; }
  friend bool operator==(const Permissions&, const Permissions&) = default;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_CALLER_RIGHT_H_
