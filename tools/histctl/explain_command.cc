#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/reader.h"
#include "storage/model/aggregate.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/lib/known_names.h"
#include "tools/histctl/lib/row_writer.h"
#include "tools/histctl/lib/time_text.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

struct ExplainOptions {
  std::string tag;
  std::string from;
  std::string to;
  std::string aggregate;
  uint32_t samples = 100;
  ConfigOptions config;
  AsOfOptions as_of;
};

Cell SecondsCell(uint64_t nanos) { return Cell::Float64(static_cast<double>(nanos) / 1e9); }

Cell ExplainedCell(const v1::ExplainedValue& value) {
  switch (value.value_case()) {
    case v1::ExplainedValue::kNumber:
      return Cell::Float64(value.number());
    case v1::ExplainedValue::kInteger:
      return Cell::Integer(value.integer());
    default:
      return Cell::Absent();
  }
}

Cell SampleValueCell(const Tag& tag, const v1::ExplainedSample& sample) {
  switch (sample.value_case()) {
    case v1::ExplainedSample::kNumber:
      return tag.type == ValueType::kFloat32 ? Cell::Float32(static_cast<float>(sample.number()))
                                             : Cell::Float64(sample.number());
    case v1::ExplainedSample::kInteger:
      return ValueCell(tag, BitsOfInt64(sample.integer()), "");
    default:
      return Cell::Text(sample.text());
  }
}

// ---- JSON

class JsonObject {
 public:
  void Add(absl::string_view name, const Cell& cell) {
    Key(name);
    AppendJsonCell(cell, &text_);
  }
  void Add(absl::string_view name, absl::string_view text) { Add(name, Cell::Text(text)); }
  void Add(absl::string_view name, const JsonObject& object) {
    Key(name);
    absl::StrAppend(&text_, object.Text());
  }
  template <typename Items, typename Make>
  void AddAll(absl::string_view name, const Items& items, Make make) {
    Key(name);
    const char* separator = "[";
    for (const auto& item : items) {
      JsonObject object;
      make(item, &object);
      absl::StrAppend(&text_, separator, "\n  ", object.Text());
      separator = ",";
    }
    absl::StrAppend(&text_, items.empty() ? "[]" : "]");
  }
  std::string Text() const { return absl::StrCat("{", text_, "}"); }

 private:
  void Key(absl::string_view name) {
    if (!text_.empty()) text_ += ", ";
    AppendJsonString(name, &text_);
    text_ += ": ";
  }
  std::string text_;
};

JsonObject JsonOf(const Context& context, const v1::ExplainedValue& value) {
  JsonObject object;
  object.Add("time", TimeCell(context, value.time()));
  object.Add("value", ExplainedCell(value));
  object.Add("status", value.status_name());
  return object;
}

void PrintJson(const Tag& tag, const v1::ExplainResponse& answer, Context* context) {
  const auto time = [context](Timestamp t) { return TimeCell(*context, t); };
  JsonObject all;
  all.Add("tag", answer.tag_name());
  all.Add("unit", answer.unit());
  all.Add("aggregate", answer.aggregate_name());
  all.Add("from", time(answer.start()));
  all.Add("to", time(answer.end()));
  all.Add("value", JsonOf(*context, answer.value()));
  all.Add("agrees", answer.has_agrees() ? Cell::Bool(answer.agrees()) : Cell::Absent());
  if (answer.has_by_definition()) all.Add("by_definition", JsonOf(*context, answer.by_definition()));
  all.Add("good_share", Cell::Float64(answer.good_share()));
  all.Add("complete", Cell::Bool(answer.complete()));
  all.Add("samples_left_out", answer.samples_left_out());
  all.Add("formula", answer.formula());
  all.Add("figures", answer.figures());
  all.Add("status_rule", answer.status_rule());
  all.Add("shares", answer.shares());
  all.Add("bounds_kind", answer.bounds_kind());
  all.AddAll("bounds", answer.bounds(), [&](const v1::ExplainedBound& bound, JsonObject* object) {
    *object = JsonOf(*context, bound.value());
    object->Add("how", bound.how());
  });
  all.Add("samples_count", Cell::Unsigned(answer.samples_count()));
  all.AddAll("samples", answer.samples(), [&](const v1::ExplainedSample& sample, JsonObject* object) {
    object->Add("time", time(sample.time()));
    object->Add("value", SampleValueCell(tag, sample));
    object->Add("quality", sample.quality_name());
    object->Add("role", sample.role());
  });
  all.Add("good_s", SecondsCell(answer.good_ns()));
  all.Add("uncertain_s", SecondsCell(answer.uncertain_ns()));
  all.Add("bad_s", SecondsCell(answer.bad_ns()));
  all.Add("no_data_s", SecondsCell(answer.no_data_ns()));
  all.Add("usual_distance_s", SecondsCell(answer.usual_distance_ns()));
  all.Add("gaps_count", Cell::Unsigned(answer.gaps_count()));
  all.AddAll("gaps", answer.gaps(), [&](const v1::ExplainedGap& gap, JsonObject* object) {
    object->Add("from", time(gap.from()));
    object->Add("to", time(gap.to()));
  });
  all.AddAll("partitions", answer.partitions(), [&](const v1::ExplainedPartition& in, JsonObject* object) {
    object->Add("from", time(in.start()));
    object->Add("to", time(in.end()));
    object->Add("raw_expired", Cell::Bool(in.raw_expired()));
    object->Add("all_expired", Cell::Bool(in.all_expired()));
    object->Add("tail", Cell::Bool(in.tail()));
    object->Add("rollup_slot_s",
                in.rollup_slot_ns() == 0 ? Cell::Absent() : SecondsCell(in.rollup_slot_ns()));
    object->Add("rollup_version",
                in.rollup_slot_ns() == 0 ? Cell::Absent() : Cell::Unsigned(in.rollup_version()));
  });
  all.Add("partitions_left_off", Cell::Unsigned(answer.partitions_left_off()));
  all.AddAll("blocks", answer.blocks(), [&](const v1::ExplainedBlock& block, JsonObject* object) {
    object->Add("first_time", time(block.first_time()));
    object->Add("last_time", time(block.last_time()));
    object->Add("seal", Cell::Unsigned(block.seal()));
    object->Add("samples", Cell::Unsigned(block.samples()));
    object->Add("bytes", Cell::Bytes(block.bytes()));
    object->Add("pages", Cell::Unsigned(block.pages()));
    object->Add("first_page", Cell::Unsigned(block.first_page()));
    object->Add("pages_in_interval", Cell::Unsigned(block.pages_in_interval()));
    object->Add("lowest_version", Cell::Unsigned(block.lowest_version()));
    object->Add("highest_version", Cell::Unsigned(block.highest_version()));
  });
  all.Add("blocks_left_off", Cell::Unsigned(answer.blocks_left_off()));
  if (answer.has_since()) {
    JsonObject since = JsonOf(*context, answer.since().value());
    since.Add("added", Cell::Unsigned(answer.since().added()));
    since.Add("replaced", Cell::Unsigned(answer.since().replaced()));
    all.Add("since", since);
  }
  JsonObject config;
  const v1::AggregateConfig& from = answer.config();
  config.Add("treat_uncertain_as_bad", Cell::Bool(from.treat_uncertain_as_bad()));
  config.Add("percent_data_bad", Cell::Unsigned(from.percent_data_bad()));
  config.Add("percent_data_good", Cell::Unsigned(from.percent_data_good()));
  config.Add("use_sloped_extrapolation", Cell::Bool(from.use_sloped_extrapolation()));
  config.Add("resolution_s", SecondsCell(from.resolution_ns()));
  config.Add("stepped", Cell::Bool(answer.interpolation() == v1::INTERPOLATION_STEPPED));
  config.Add("stepped_from", answer.interpolation_from());
  all.Add("config", config);
  all.Add("version", Cell::Unsigned(answer.version()));
  context->out->Append(absl::StrCat(all.Text(), "\n"));
}

// ---- For people

std::string ValueText(const v1::ExplainedValue& value) {
  const Cell cell = ExplainedCell(value);
  return absl::StrCat(cell.kind == Cell::Kind::kAbsent ? "none" : cell.text, ", ", value.status_name());
}

std::string SecondsText(uint64_t nanos) { return absl::StrCat(SecondsCell(nanos).text, " s"); }

std::string ConfigText(const v1::ExplainResponse& answer) {
  const v1::AggregateConfig& config = answer.config();
  return absl::StrCat("TreatUncertainAsBad ", config.treat_uncertain_as_bad() ? "on" : "off",
                      ", PercentDataBad ", config.percent_data_bad(), ", PercentDataGood ",
                      config.percent_data_good(),
                      config.use_sloped_extrapolation() ? ", UseSlopedExtrapolation" : "", ", ",
                      answer.interpolation() == v1::INTERPOLATION_STEPPED ? "stepped" : "sloped", " (",
                      answer.interpolation_from(), "), unit of time ", SecondsText(config.resolution_ns()));
}

std::string PartitionText(const Context& context, const v1::ExplainedPartition& in) {
  std::vector<std::string> parts;
  if (in.all_expired()) {
    parts.push_back("everything has expired");
  } else if (in.raw_expired()) {
    parts.push_back("raw samples have expired");
  }
  if (in.tail()) parts.push_back("samples that are not sealed yet");
  if (in.rollup_slot_ns() > 0) {
    parts.push_back(absl::StrCat("a rollup of slots from ", DurationText(in.rollup_slot_ns()),
                                 " on, up to version ", in.rollup_version()));
  }
  return absl::StrCat("week from ", TimeText(in.start(), context.zone), parts.empty() ? "" : ": ",
                      absl::StrJoin(parts, ", "));
}

void PrintSamples(const Tag& tag, const v1::ExplainResponse& answer, Context* context) {
  RowWriter rows(context->format,
                 {TimeHeading(*context),
                  {.name = "value", .unit = answer.unit(), .right = true},
                  {.name = "quality"},
                  {.name = "role", .cut = Cut::kText}},
                 context->out);
  for (const v1::ExplainedSample& sample : answer.samples()) {
    rows.AddRow({TimeCell(*context, sample.time()), SampleValueCell(tag, sample),
                 Cell::Text(sample.quality_name()), Cell::Text(sample.role())});
  }
  rows.Finish();
}

void PrintBlocks(const v1::ExplainResponse& answer, Context* context) {
  RowWriter rows(context->format,
                 {{.name = "block from"},
                  {.name = "to"},
                  {.name = "seal", .right = true},
                  {.name = "samples", .right = true},
                  {.name = "size", .right = true},
                  {.name = "pages", .right = true},
                  {.name = "of them read", .right = true},
                  {.name = "versions", .right = true}},
                 context->out);
  for (const v1::ExplainedBlock& block : answer.blocks()) {
    const uint32_t first = block.first_page(), last = first + block.pages_in_interval() - 1;
    rows.AddRow({TimeCell(*context, block.first_time()), TimeCell(*context, block.last_time()),
                 Cell::Unsigned(block.seal()), Cell::Unsigned(block.samples()), Cell::Bytes(block.bytes()),
                 Cell::Unsigned(block.pages()),
                 Cell::Text(first == last ? absl::StrCat(first) : absl::StrCat(first, " to ", last)),
                 Cell::Text(block.lowest_version() == block.highest_version()
                                ? absl::StrCat(block.lowest_version())
                                : absl::StrCat(block.lowest_version(), " to ", block.highest_version()))});
  }
  rows.Finish();
}

void PrintForPeople(const Tag& tag, const v1::ExplainResponse& answer, Context* context) {
  RecordWriter record(context->format, context->out);
  const auto add = [&](absl::string_view name, absl::string_view text) {
    if (!text.empty()) record.Add(name, Cell::Text(text));
  };
  const auto time = [context](Timestamp t) { return TimeText(t, context->zone); };
  add("tag", absl::StrCat(answer.tag_name(), answer.unit().empty() ? "" : " ",
                          answer.unit().empty() ? "" : absl::StrCat("[", answer.unit(), "]")));
  add("interval", absl::StrCat(time(answer.start()), " to ", time(answer.end()),
                               answer.complete() ? "" : ", not complete yet"));
  add("aggregate", answer.aggregate_name());
  add("value", absl::StrCat(ValueText(answer.value()), ", at ", time(answer.value().time())));
  if (answer.has_agrees()) {
    add("checked", answer.agrees()
                       ? "the samples, one by one, give the same by definition"
                       : absl::StrCat("THE SAMPLES GIVE SOMETHING ELSE: ", ValueText(answer.by_definition()),
                                      ", at ", time(answer.by_definition().time())));
  }
  add("not checked", answer.samples_left_out());
  add("formula", answer.formula());
  add("figures", answer.figures());
  add("status", answer.status_rule());
  add("", answer.shares());
  for (const v1::ExplainedBound& bound : answer.bounds()) {
    add(bound.value().time() == answer.start() ? "bound at start" : "bound at end",
        absl::StrCat(ValueText(bound.value()), "; ", bound.how()));
  }
  if (answer.bounds_kind() == "none") add("bounds", "the aggregate looks at none");
  if (answer.samples_left_out().empty()) {
    add("time", absl::StrCat(SecondsText(answer.good_ns()), " Good, ", SecondsText(answer.uncertain_ns()),
                             " Uncertain, ", SecondsText(answer.bad_ns()), " Bad, ",
                             SecondsText(answer.no_data_ns()), " without data"));
  }
  for (const v1::ExplainedGap& gap : answer.gaps()) {
    add("gap", absl::StrCat(time(gap.from()), " to ", time(gap.to()), ", where ",
                            SecondsText(answer.usual_distance_ns()), " are usual"));
  }
  const uint64_t more_gaps = answer.gaps_count() - answer.gaps_size();
  if (more_gaps > 0) add("", absl::StrCat("and ", more_gaps, " more"));
  for (const v1::ExplainedPartition& in : answer.partitions()) add("stored in", PartitionText(*context, in));
  if (answer.partitions_left_off() > 0)
    add("", absl::StrCat("and ", answer.partitions_left_off(), " more weeks"));
  add("version", absl::StrCat(answer.version()));
  if (answer.has_since()) {
    add("since then", absl::StrCat(answer.since().added(), " samples added, ", answer.since().replaced(),
                                   " replaced; now ", ValueText(answer.since().value())));
  }
  add("configuration", ConfigText(answer));
  record.Finish();
  if (answer.samples_size() > 0) {
    const uint64_t listed = static_cast<uint64_t>(answer.samples_size());
    context->out->Append(listed == answer.samples_count()
                             ? absl::StrCat("\n", listed, " samples:\n")
                             : absl::StrCat("\nThe first ", (listed + 1) / 2, " and the last ", listed / 2,
                                            " of ", answer.samples_count(), " samples:\n"));
    PrintSamples(tag, answer, context);
  } else if (answer.samples_left_out().empty()) {
    context->out->Append("\nNo samples.\n");
  }
  if (answer.blocks_size() > 0) {
    context->out->Append("\n");
    PrintBlocks(answer, context);
    if (answer.blocks_left_off() > 0) {
      context->out->Append(absl::StrCat("and ", answer.blocks_left_off(), " more blocks\n"));
    }
  }
}

absl::Status RunExplain(const ExplainOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const Range range, ParseRange(*context, options.from, options.to));
  if (range.from == range.to) return UsageError("--from and --to are the same time");
  client::ExplainRequest request{.start = range.from, .end = range.to, .samples_max = options.samples};
  const absl::StatusOr<std::vector<Aggregate>> aggregates = ParseAggregates(options.aggregate);
  if (!aggregates.ok()) return UsageError(absl::StrCat("--aggregate: ", aggregates.status().message()));
  if (aggregates->size() != 1) return UsageError("--aggregate: one value is explained, so one aggregate");
  request.aggregate = (*aggregates)[0];
  RETURN_IF_ERROR(ParseConfig(options.config, &request.interpolation, &request.config));
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(const Tag found, FindTag(connection, options.tag));
  std::vector<Tag> tags = {found};
  ASSIGN_OR_RETURN(const client::Reader reader, ReaderAsOf(connection, options.as_of, context, &tags));
  ASSIGN_OR_RETURN(const v1::ExplainResponse answer, reader.Explain(found.id, request));
  if (answer.has_agrees() && !answer.agrees()) {
    context->Fail("the value is not what the samples give by definition: that is a fault of the server's");
  }
  switch (context->format) {
    case Format::kJson:
      PrintJson(tags[0], answer, context);
      break;
    case Format::kCsv:
      PrintSamples(tags[0], answer, context);
      break;
    case Format::kTable:
      PrintForPeople(tags[0], answer, context);
      break;
  }
  return absl::OkStatus();
}

}  // namespace

void AddExplainCommand(CLI::App* app, Context* context) {
  const auto options = std::make_shared<ExplainOptions>();
  CLI::App* const explain = app->add_subcommand(
      "explain", "how one value of an aggregate comes about: its samples, bounds, figures, blocks");
  explain->add_option("TAG", options->tag, "a tag's name")->required();
  explain->add_option("--from", options->from, "the interval: from this time on")->required();
  explain->add_option("--to", options->to, "until before this time")->required();
  explain->add_option("--aggregate", options->aggregate, "which one; see histctl aggregate --help")
      ->required();
  explain->add_option("--samples", options->samples, "list so many at most, the first and the last")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  AddConfigOptions(explain, &options->config);
  AddAsOfOptions(explain, &options->as_of);
  explain->footer(
      "\nThe value is what `histctl aggregate` prints for this interval. It is made once more from the "
      "samples, one by\n"
      "one, by the aggregate's definition (docs/semantics.md), and both are compared; the exit code is 1 if "
      "they are\n"
      "not the same. Of an interval with over 1,000,000 samples, or whose samples have expired, the value "
      "and where it\n"
      "is stored are told. --format csv: the samples only. Times in sentences are UTC.\n"
      "\nExamples:\n"
      "  histctl explain plant/area-1/pump-101/flow --from '2026-11-23 08:00' --to '2026-11-23 09:00' "
      "--aggregate avg\n"
      "  histctl explain plant/area-1/pump-101/flow --from y --to t --aggregate twa --samples 20\n"
      "  histctl explain plant/area-1/pump-101/flow --from y --to t --aggregate max --format json\n");
  explain->callback([=] { context->run = [=] { return RunExplain(*options, context); }; });
}

}  // namespace historian::histctl
