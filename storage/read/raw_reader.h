// File: storage/read/raw_reader.h
//
// The raw samples of a tag in a range, batch by batch, from either end:
//
//   clusters    |--0--||---1---|  |----2----||--3--|     cut at the range, in order or in reverse
//   range              [-----------------)
//   bounds             ^                    ^            the nearest outside it, when asked for
//   batches            |--0--|  |---1---|                of kRawBatchMax samples at most
//
// Threads: one at a time. Errors: those of RawReader::Next.
#ifndef HISTORIAN_STORAGE_READ_RAW_READER_H_
#define HISTORIAN_STORAGE_READ_RAW_READER_H_

#include <memory>

#include "storage/read/requests.h"

namespace historian {

struct ReadView;

// See Archive::ReadRaw. Requires a range within the times that samples may have.
std::unique_ptr<RawReader> NewRawReader(ReadView view, const RawRequest& request);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_READ_RAW_READER_H_
