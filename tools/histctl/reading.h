// File: tools/histctl/reading.h
//
// What the reading commands share: finding tags, reading as of a version, and values as cells.
#ifndef HISTORIAN_TOOLS_HISTCTL_READING_H_
#define HISTORIAN_TOOLS_HISTCTL_READING_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "client/connection.h"
#include "client/reader.h"
#include "storage/model/aggregate_config.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"
#include "tools/histctl/context.h"
#include "tools/histctl/lib/csv_style.h"
#include "tools/histctl/lib/row_writer.h"

namespace CLI {
class App;
}

namespace historian::histctl {

// Whether it stands for the tags it matches; no tag has such a name.
bool IsPattern(absl::string_view text);
// NotFound: names the tag, and those that may have been meant, which it asks the server for.
absl::Status NoSuchTagError(const client::Connection& connection, const std::string& name);
// NotFound. One answer to every pattern that matches nothing.
absl::Status NoMatchError(absl::string_view pattern);

// --allow-empty of a command that makes a rule for a pattern of tags, which holds for tags to come as well.
void AddAllowEmptyOption(CLI::App* app, bool* allow_empty);
// Errors: NotFound, no tag matches, retired or not; those of the server.
absl::Status RequireMatch(const client::Connection& connection, const std::string& pattern, bool allow_empty);

// Tags by names and patterns, each once, in the order of the arguments; matches of a pattern by name.
// Errors: NotFound, names what is not there (a pattern without a match too).
absl::StatusOr<std::vector<Tag>> FindTags(const client::Connection& connection,
                                          const std::vector<std::string>& names_and_patterns);
// Errors: NotFound; UsageError, a pattern.
absl::StatusOr<Tag> FindTag(const client::Connection& connection, const std::string& name);

client::TagSelection SelectionOf(const std::vector<Tag>& tags);

struct Range {
  Timestamp from = 0;
  Timestamp to = 0;
};
// Errors: UsageError, no times, or --to before --from.
absl::StatusOr<Range> ParseRange(const Context& context, absl::string_view from, absl::string_view to);

// Says on stderr that the tag has no samples in the range, and where it has some: `around` are the newest before the range and
// the first behind it, where they exist.
void NoteWhereSamplesAre(const Tag& tag, const Range& range, absl::Span<const Timestamp> around,
                         Context* context);
// The same; asks the server where they are, and says nothing if it does not tell.
void NoteWhereSamplesAre(const client::Reader& reader, const Tag& tag, const Range& range, Context* context);

// --as-of: a version, or a time that stands for the last version that had closed by then.
void AddAsOfOption(CLI::App* app, std::string* as_of);
// What it asks for; without it (empty), now. Says on stderr which version that is.
// Errors: UsageError, neither a number nor a time. FailedPrecondition: no such version, or none had closed by then.
absl::StatusOr<AsOf> ParseAsOf(const client::Connection& connection, const std::string& as_of,
                               Context* context);

// The tags as they were then. NotFound: one was created later.
absl::StatusOr<std::vector<client::TagOutcome>> TagsAsOf(const client::Connection& connection,
                                                         const AsOf& as_of, const std::vector<Tag>& tags);
// Makes the tags what they were then. Errors: those of TagsAsOf.
absl::Status MakeTagsAsOf(const client::Connection& connection, const AsOf& as_of, std::vector<Tag>* tags);

// The same for commands that read samples. By default units and names of states are those of today.
struct AsOfOptions {
  std::string as_of;
  bool tags_too = false;
};
void AddAsOfOptions(CLI::App* app, AsOfOptions* options);
// The reader; with `tags_too`, *tags become what they were then.
// Errors: those of ParseAsOf; NotFound, a tag was created later.
absl::StatusOr<client::Reader> ReaderAsOf(const client::Connection& connection, const AsOfOptions& options,
                                          Context* context, std::vector<Tag>* tags);

// --unit of the commands that read values.
void AddUnitOption(CLI::App* app, std::string* unit);
// The tag as its values were read: of this type, and in this unit unless it is empty.
Tag InUnit(Tag tag, ValueType type, absl::string_view unit);

// How aggregates are computed.
struct ConfigOptions {
  std::string interpolation;
  AggregateConfig config;
  bool use_uncertain = false;
};
void AddConfigOptions(CLI::App* command, ConfigOptions* options);
// What they say; nothing of `interpolation` if that is left to each tag. Errors: UsageError.
absl::Status ParseConfig(const ConfigOptions& options, std::optional<Interpolation>* interpolation,
                         AggregateConfig* config);

// How CSV is written.
struct CsvOptions {
  std::string separator;
  std::string time_format;
  bool decimal_comma = false;
  bool byte_order_mark = false;

  bool Any() const { return !separator.empty() || !time_format.empty() || decimal_comma || byte_order_mark; }
};
void AddCsvOptions(CLI::App* app, CsvOptions* options);
// Errors: UsageError.
absl::StatusOr<CsvStyle> StyleOf(const CsvOptions& options, const Context& context);

// Significant digits of computed values that people see.
inline constexpr int kComputedDigits = 8;

// Digital values: the code; people see the state's name.
Cell ValueCell(const Tag& tag, ValueBits bits, absl::string_view string, int digits = 0);
// digits: as in Cell::Float64.
Cell SampleCell(const Tag& tag, const SamplesView& samples, size_t i, int digits = 0);
// Absent for other tags than digital ones.
Cell StateCell(const Tag& tag, ValueBits bits);
Cell TimeCell(const Context& context, Timestamp t);
// "time", with the zone it is printed in as its unit.
Heading TimeHeading(const Context& context);
// People see nothing when it is Good.
Cell QualityCell(Quality quality);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_READING_H_
