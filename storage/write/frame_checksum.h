// File: storage/write/frame_checksum.h
//
// What tells a frame that is sent again from another one with its number.
#ifndef HISTORIAN_STORAGE_WRITE_FRAME_CHECKSUM_H_
#define HISTORIAN_STORAGE_WRITE_FRAME_CHECKSUM_H_

#include <cstdint>

#include "storage/model/frame.h"

namespace historian {

// Of what the frame says as it came, before anything of it was refused: tags, types, times, values, qualities and texts, in
// their order. The number is not in it, nor how it was encoded on the wire. Kept in the journal (frame_record.md), so it never changes.
// Cost: less than a nanosecond a sample.
uint32_t FrameChecksum(const Frame& frame);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_WRITE_FRAME_CHECKSUM_H_
