// File: storage/format/worked_examples.h
//
// Reads the worked examples of the specifications (the .md beside the codecs), so that tests can hold the
// codecs to them. An example is a fenced block with a name; each of its lines begins with bytes in
// hexadecimal, and what follows two spaces explains them:
//
//   ```example
//   98 03           first: 204
//   02              2 bits each
//   ```
//
// Fenced blocks without a name are grammar or text and are passed over.
//
// Threads: pure functions.
#ifndef HISTORIAN_STORAGE_FORMAT_WORKED_EXAMPLES_H_
#define HISTORIAN_STORAGE_FORMAT_WORKED_EXAMPLES_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace historian::format {

// The names of the specifications (*.md) in the directory, in order.
std::vector<std::string> SpecificationsIn(const std::string& directory);

// The bytes of each example of the specification, by its name.
// Errors: NotFound, no such file. InvalidArgument, a line of an example that does not begin with bytes, an
// example that does not end, or a second one of a name; says which line.
absl::StatusOr<std::map<std::string, std::string>> ReadWorkedExamples(const std::string& path);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_WORKED_EXAMPLES_H_
