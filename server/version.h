// File: server/version.h
#ifndef HISTORIAN_SERVER_VERSION_H_
#define HISTORIAN_SERVER_VERSION_H_

namespace historian::server {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_VERSION_H_
