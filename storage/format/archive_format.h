// File: storage/format/archive_format.h
//
// The format of an archive as a whole, in its ArchiveRecord (proto/record/v1/records.proto). A build reads all formats up to its
// own, and raises that of an archive to its own when it first opens it; older builds then refuse it.
//
//   1  until commit e228ddc
//   2  samples have their versions
//   3  slow tags are settled into long partitions
//   4  summaries have details, which the aggregates of OPC UA need; rollups have quarter-hours
#ifndef HISTORIAN_STORAGE_FORMAT_ARCHIVE_FORMAT_H_
#define HISTORIAN_STORAGE_FORMAT_ARCHIVE_FORMAT_H_

#include <cstdint>

namespace historian {

inline constexpr uint32_t kArchiveFormat = 4;

}  // namespace historian

#endif  // HISTORIAN_STORAGE_FORMAT_ARCHIVE_FORMAT_H_
