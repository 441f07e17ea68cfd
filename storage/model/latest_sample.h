// File: storage/model/latest_sample.h
//
// The newest sample of a tag, by value.
#ifndef HISTORIAN_STORAGE_MODEL_LATEST_SAMPLE_H_
#define HISTORIAN_STORAGE_MODEL_LATEST_SAMPLE_H_

#include <string>

#include "storage/model/sample.h"

namespace historian {

struct LatestSample {
  Sample sample;
  std::string text;  // Strings only.
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_LATEST_SAMPLE_H_
