// File: tools/histctl/reading.h
//
// What the reading commands share: finding tags, reading as of a version, and values as cells.
#ifndef HISTORIAN_TOOLS_HISTCTL_READING_H_
#define HISTORIAN_TOOLS_HISTCTL_READING_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/connection.h"
#include "client/reader.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"
#include "tools/histctl/context.h"
#include "tools/histctl/lib/row_writer.h"

namespace CLI {
class App;
}

namespace historian::histctl {

// Tags by names and patterns, each once, in the order of the arguments; matches of a pattern by name.
// Errors: NotFound, names what is not there (a pattern without a match too).
absl::StatusOr<std::vector<Tag>> FindTags(const client::Connection& connection,
                                          const std::vector<std::string>& names_and_patterns);
absl::StatusOr<Tag> FindTag(const client::Connection& connection, const std::string& name);

client::TagSelection SelectionOf(const std::vector<Tag>& tags);

struct Range {
  Timestamp from = 0;
  Timestamp to = 0;
};
// Errors: UsageError, no times, or --to before --from.
absl::StatusOr<Range> ParseRange(const Context& context, absl::string_view from, absl::string_view to);

// What --as-of asks for: a version, or a time that stands for the last version that had closed by then.
void AddAsOfOption(CLI::App* app, std::string* as_of);
// The reader; with --as-of (not empty) says on stderr as of which version it reads.
// Errors: UsageError, neither a number nor a time. FailedPrecondition: no such version, or none had closed by then.
absl::StatusOr<client::Reader> ReaderAsOf(const client::Connection& connection, const std::string& as_of,
                                          Context* context);

// Digital values: the code; people see the state's name.
Cell ValueCell(const Tag& tag, ValueBits bits, absl::string_view string);
Cell SampleCell(const Tag& tag, const SamplesView& samples, size_t i);
// Absent for other tags than digital ones.
Cell StateCell(const Tag& tag, ValueBits bits);
Cell TimeCell(const Context& context, Timestamp t);
// People see nothing when it is Good.
Cell QualityCell(Quality quality);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_READING_H_
