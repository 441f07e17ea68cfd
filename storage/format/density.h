// File: storage/format/density.h
#ifndef HISTORIAN_STORAGE_FORMAT_DENSITY_H_
#define HISTORIAN_STORAGE_FORMAT_DENSITY_H_

namespace historian::format {

// How hard an encoder tries. A reader reads both, and need not know which one was written.
enum class Density {
  kFast,   // Some nanoseconds a sample: for journals, tails and blocks that are sealed while samples come in.
  kDense,  // Tries the forms of cold data too, and takes one that saves enough: about ten times the time.
};

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_DENSITY_H_
