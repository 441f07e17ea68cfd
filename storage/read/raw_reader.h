// File: storage/read/raw_reader.h
//
// The raw samples of a tag in a range, batch by batch, from either end: what a TagReader has in clusters.
//
// Threads: one at a time. Errors: those of RawReader::Next.
#ifndef HISTORIAN_STORAGE_READ_RAW_READER_H_
#define HISTORIAN_STORAGE_READ_RAW_READER_H_

#include <memory>

#include "storage/read/requests.h"
#include "storage/read/tag_reader.h"

namespace historian {

// Takes the reader over. See Archive::ReadRaw.
std::unique_ptr<RawReader> NewRawReader(std::unique_ptr<TagReader> reader, const RawRequest& request);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_READ_RAW_READER_H_
