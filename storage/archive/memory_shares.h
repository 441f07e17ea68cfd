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
//   caches    6/16   Figures that were asked for before (a half of it): what makes a screen's second look quick. Decoded
//                    heads of blocks (a third): what a read needs first of all. Decoded pages (an eighth): for reads one
//                    after another in the same place. Tags that were asked for (the rest).
//
// That is while definitions (storage/model/definition_memory.h) take nothing. They come first, as they cannot wait and cannot
// be read again: what they take shrinks the caches down to 1/16, then the tails down to 4/16. When they have 8/16, their most,
// all is shared out, and new ones are refused: tails and frames still hold a few hundred frames, and the most common reads
// their heads, while with more definitions every second spent on samples would go into seals. An archive that has more of
// them, because it was opened with a higher budget before, keeps these floors, and takes so much more than its budget.
//
// Tails and frames have most, because without them nothing is stored; a cache that is small is merely slower.
// Frames are let in one at a time, so a share that is full may hold one frame more.
#ifndef HISTORIAN_STORAGE_ARCHIVE_MEMORY_SHARES_H_
#define HISTORIAN_STORAGE_ARCHIVE_MEMORY_SHARES_H_

#include <cstdint>

namespace historian {

struct MemoryShares {
  explicit constexpr MemoryShares(uint64_t budget_bytes, uint64_t definition_bytes = 0)
      : definition_bytes_max(budget_bytes / 16 * 8),
        tail_bytes(Left(budget_bytes / 16 * 8, budget_bytes / 16 * 4,
                        Excess(definition_bytes, budget_bytes / 16 * 5))),
        seal_tail_bytes(tail_bytes - budget_bytes / 16 * 2),
        frame_bytes(budget_bytes / 16 * 2),
        cache_bytes(Left(budget_bytes / 16 * 6, budget_bytes / 16, definition_bytes)),
        figure_bytes(cache_bytes / 24 * 12),
        head_bytes(cache_bytes / 24 * 8),
        page_bytes(cache_bytes / 24 * 3),
        tag_bytes(cache_bytes / 24) {}

  uint64_t definition_bytes_max;
  uint64_t tail_bytes;
  uint64_t seal_tail_bytes;  // Within tail_bytes.
  uint64_t frame_bytes;
  uint64_t cache_bytes;  // Of which these are parts:
  uint64_t figure_bytes;
  uint64_t head_bytes;
  uint64_t page_bytes;
  uint64_t tag_bytes;

 private:
  static constexpr uint64_t Excess(uint64_t bytes, uint64_t above) {
    return bytes > above ? bytes - above : 0;
  }
  // What is left of `all` when so much is taken, at least the floor.
  static constexpr uint64_t Left(uint64_t all, uint64_t floor, uint64_t taken) {
    return taken >= all - floor ? floor : all - taken;
  }
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_ARCHIVE_MEMORY_SHARES_H_
