// File: storage/archive/archive_model.h
//
// What an archive should answer, computed the slow and obvious way: every tag is a map from time to the
// sample last written there, and every answer a loop over it.
#ifndef HISTORIAN_STORAGE_ARCHIVE_ARCHIVE_MODEL_H_
#define HISTORIAN_STORAGE_ARCHIVE_ARCHIVE_MODEL_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/aggregate/interval_fold.h"
#include "storage/aggregate/samples_source.h"
#include "storage/model/frame.h"
#include "storage/model/samples.h"

namespace historian {

class ArchiveModel {
 public:
  struct Stored {
    ValueBits value = 0;
    std::string text;
    Quality quality = kGood;
    friend bool operator==(const Stored&, const Stored&) = default;
  };
  using TagSamples = std::map<Timestamp, Stored>;

  // What of a valid frame readers see from then on.
  void Apply(const Frame& frame) {
    for (const FrameColumn& column : frame.columns) Apply(column.tag, column.type, column.samples.View());
    for (const FrameSnapshot& snapshot : frame.snapshots) {
      for (size_t i = 0; i < snapshot.tags.size(); ++i) {
        Apply(snapshot.tags[i], snapshot.type,
              {&snapshot.time, &snapshot.values[i],
               snapshot.qualities.empty() ? nullptr : &snapshot.qualities[i], &snapshot.strings, 1});
      }
    }
  }

  const TagSamples& Of(TagId tag) { return tags_[tag]; }

  // All samples of the tag with start <= time < end.
  Samples Raw(TagId tag, ValueType type, Timestamp start, Timestamp end) {
    Samples samples;
    const TagSamples& stored = tags_[tag];
    for (auto it = stored.lower_bound(start); it != stored.end() && it->first < end; ++it) {
      if (type == ValueType::kString) {
        samples.AddString(it->first, it->second.text, it->second.quality);
      } else {
        samples.Add(it->first, it->second.value, it->second.quality);
      }
    }
    return samples;
  }

  // The fold over the raw samples.
  std::vector<Interval> Fold(TagId tag, ValueType type, const std::vector<Timestamp>& edges,
                             const FoldConfig& config, uint32_t parts = kAllParts) {
    std::vector<Interval> intervals;
    const Samples all = Raw(tag, type, kTimestampMin, kTimestampMax);
    SamplesSource source(type, all.View());
    IntervalFold fold(type, config, edges, parts, AppendTo(&intervals), &source);
    for (size_t i = 0; i < all.size(); ++i) fold.Add(all.View().Slice(i, 1));
    fold.Finish();
    return intervals;
  }

 private:
  void Apply(TagId tag, ValueType type, const SamplesView& samples) {
    for (size_t i = 0; i < samples.size; ++i) {
      Stored& stored = tags_[tag][samples.times[i]];
      stored.quality = samples.QualityAt(i);
      stored.value = type == ValueType::kString ? 0 : samples.values[i];
      if (type == ValueType::kString) stored.text = std::string(samples.StringAt(i));
    }
  }

  std::map<TagId, TagSamples> tags_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_ARCHIVE_ARCHIVE_MODEL_H_
