// File: client/gatherer.h
//
// Inside of Writer: gathers samples into one frame.
//
//   Add, small or unsorted columns ---> open columns, one per tag --.
//   large ascending columns ----------> encoded at once ------------+--> Take: the frame's bytes
//   snapshots ------------------------> encoded at once ------------'
//
// Keeps the order in which a tag's samples of one time were added, because the last one wins: open columns go
// behind the encoded ones, so a tag that has an open column gets no encoded one; and a frame's snapshots
// apply after its columns, so a frame with snapshots takes no further columns (TakesColumns).
//
// Threads: one.
#ifndef HISTORIAN_CLIENT_GATHERER_H_
#define HISTORIAN_CLIENT_GATHERER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "client/wire.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"

namespace historian::client {

class Gatherer {
 public:
  // Roughly the size of the frame when it is taken, and roughly the memory that the gatherer holds.
  size_t bytes() const { return encoder_.bytes() + open_bytes_; }
  uint64_t samples() const { return encoder_.samples() + open_samples_; }
  bool empty() const { return samples() == 0; }
  // If false, the frame must be taken before anything is added to a column.
  bool TakesColumns() const { return !has_snapshots_; }

  void Add(TagId tag, ValueType type, Timestamp time, ValueBits value, Quality quality);
  void AddString(TagId tag, Timestamp time, absl::string_view value, Quality quality);
  void AddColumn(TagId tag, ValueType type, const SamplesView& samples);
  void AddSnapshot(Timestamp time, ValueType type, absl::Span<const TagId> tags,
                   absl::Span<const ValueBits> values, absl::Span<const Quality> qualities,
                   const StringColumn* strings);

  // Returns the frame and begins the next one in the memory of `next`.
  std::string Take(std::string next = std::string());

 private:
  struct OpenColumn {
    TagId tag = 0;
    ValueType type = ValueType::kFloat64;
    Samples samples;
  };

  OpenColumn& Open(TagId tag, ValueType type);
  void EncodeUnsorted(OpenColumn& column);

  FrameEncoder encoder_;
  bool has_snapshots_ = false;
  // The first open_count_ are in use; the rest keep their memory for the next frame.
  std::vector<OpenColumn> open_;
  size_t open_count_ = 0;
  absl::flat_hash_map<TagId, size_t> newest_;  // A tag's last open column.
  size_t open_bytes_ = 0;
  uint64_t open_samples_ = 0;
};

}  // namespace historian::client

#endif  // HISTORIAN_CLIENT_GATHERER_H_
