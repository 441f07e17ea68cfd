// File: storage/model/version.h
//
// The version of this Historian: what every program of it prints.
#ifndef HISTORIAN_STORAGE_MODEL_VERSION_H_
#define HISTORIAN_STORAGE_MODEL_VERSION_H_

namespace historian {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_VERSION_H_
