// File: storage/model/sample.h
//
// One sample of a tag, by value. Columns of them: storage/model/samples.h.
#ifndef HISTORIAN_STORAGE_MODEL_SAMPLE_H_
#define HISTORIAN_STORAGE_MODEL_SAMPLE_H_

#include "storage/model/quality.h"
#include "storage/model/timestamp.h"
#include "storage/model/value.h"

namespace historian {

// One sample by value. For string tags `value` is 0: their text is not summarised.
struct Sample {
  Timestamp time = 0;
  ValueBits value = 0;
  Quality quality = kGood;

  friend bool operator==(const Sample&, const Sample&) = default;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_SAMPLE_H_
