// File: storage/archive/memory_shares.h
//
// How the archive's memory budget is divided. The shares add up to all of it, so that the archive keeps its
// budget even when everything is full at once.
//
//   tails     8/16   Open samples. A seal begins at 6/16, and frames wait at 8/16: the last quarter is what
//                    arrives while a seal works. What the caches below do not use is lent to the tails, so that a
//                    burst need not wait; while they have it the caches take nothing new.
//   frames    2/16   Frames on their way, from their arrival until they are in the tails. Those of one sync of
//                    the disk are a few MiB, so more than this makes nothing faster.
//   figures   3/16   Figures that were asked for before: what makes a screen's second look quick.
//   heads     2/16   Decoded heads of blocks: what a read needs first of all.
//   pages     1/16   Decoded pages: for reads one after another in the same place.
//
// Tails and frames have most, because without them nothing is stored; a cache that is small is merely slower.
// Frames are let in one at a time, so a share that is full may hold one frame more.
#ifndef HISTORIAN_STORAGE_ARCHIVE_MEMORY_SHARES_H_
#define HISTORIAN_STORAGE_ARCHIVE_MEMORY_SHARES_H_

#include <cstdint>

namespace historian {

struct MemoryShares {
  explicit constexpr MemoryShares(uint64_t budget_bytes)
      : tail_bytes(budget_bytes / 16 * 8),
        seal_tail_bytes(budget_bytes / 16 * 6),
        frame_bytes(budget_bytes / 16 * 2),
        figure_bytes(budget_bytes / 16 * 3),
        head_bytes(budget_bytes / 16 * 2),
        page_bytes(budget_bytes / 16) {}

  uint64_t tail_bytes;
  uint64_t seal_tail_bytes;  // Within tail_bytes.
  uint64_t frame_bytes;
  uint64_t figure_bytes;
  uint64_t head_bytes;
  uint64_t page_bytes;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_ARCHIVE_MEMORY_SHARES_H_
