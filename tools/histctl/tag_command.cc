#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/tags.h"
#include "storage/model/nearest_name.h"
#include "storage/model/status_macros.h"
#include "storage/model/units.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/lib/file_kind.h"
#include "tools/histctl/lib/known_names.h"
#include "tools/histctl/lib/mapped_file.h"
#include "tools/histctl/lib/tag_csv.h"
#include "tools/histctl/lib/time_text.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

struct TagOptions {
  std::string as_of;
  std::vector<std::string> names;
  std::string pattern;
  std::string prefix;
  std::string type = "float64";
  std::string new_type;
  std::string interpolation;
  std::string unit;
  std::string description;
  std::vector<std::string> states;
  std::vector<std::string> attributes;
  std::vector<uint32_t> remove_states;
  std::vector<std::string> remove_attributes;
  std::string stale_after;
  bool has_unit = false;
  bool has_description = false;
  bool retired = false;
  bool undo = false;
  bool update = false;
  std::string file;
};

absl::StatusOr<Interpolation> ParseInterpolation(absl::string_view text) {
  if (text == "stepped") return Interpolation::kStepped;
  if (text == "sloped") return Interpolation::kSloped;
  return UsageError(absl::StrCat("--interpolation: '", text, "' is neither stepped nor sloped"));
}

// --state 0=Off --state 1=On
absl::StatusOr<std::map<uint32_t, std::string>> StatesOf(const std::vector<std::string>& texts) {
  std::map<uint32_t, std::string> states;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    uint32_t code = 0;
    if (equals == std::string::npos || !absl::SimpleAtoi(text.substr(0, equals), &code)) {
      return UsageError(absl::StrCat("--state: '", text, "' is not CODE=NAME such as 1=Running"));
    }
    states[code] = text.substr(equals + 1);
  }
  return states;
}

absl::StatusOr<std::map<std::string, std::string>> AttributesOf(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> attributes;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return UsageError(absl::StrCat("--attribute: '", text, "' is not KEY=VALUE"));
    }
    attributes[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return attributes;
}

// "never" is zero.
absl::StatusOr<absl::Duration> ParseStaleAfter(const std::string& text) {
  if (text == "never") return absl::ZeroDuration();
  const absl::StatusOr<absl::Duration> duration = ParseDuration(text);
  if (!duration.ok())
    return UsageError(absl::StrCat("--stale-after: ", duration.status().message(), ", nor 'never'"));
  if (*duration != absl::Floor(*duration, absl::Seconds(1))) {
    return UsageError(absl::StrCat("--stale-after: ", text, " is not whole seconds"));
  }
  return *duration;
}

absl::string_view InterpolationName(Interpolation interpolation) {
  return interpolation == Interpolation::kStepped ? "stepped" : "sloped";
}

absl::StatusOr<ValueType> TypeOf(const std::string& name) {
  ValueType type;
  if (ParseValueType(name, &type)) return type;
  return UsageError(absl::StrCat("--type: '", name,
                                 "': expected float64, float32, int64, bool, digital or string",
                                 DidYouMean(name, ValueTypeNames())));
}

// How many units are noted one by one.
constexpr size_t kUnitNotesMax = 10;

// What a unit means, for people.
std::string MeaningOf(const Tag& tag, const client::UnitInfo& unit) {
  if (tag.unit.empty()) return "";
  if (!unit.known) return "not known, so its values cannot be converted";
  const std::string what = unit.quantity.empty() ? unit.ucum : unit.quantity;
  const auto in_si = [&](double value) {
    return absl::StrCat(value, " ", unit.ucum, " = ",
                        absl::StrFormat("%.8g", value * unit.factor + unit.offset), " ", unit.si_unit);
  };
  if (unit.si_unit == unit.ucum) return what;
  return absl::StrCat(what, "; ", unit.offset != 0 ? absl::StrCat(in_si(0), ", ") : "", in_si(1));
}

// Says which units are not known, or are read as something else than they say; each once.
void NoteUnits(const std::vector<client::TagOutcome>& outcomes, Context* context) {
  std::set<std::string> noted;
  for (const client::TagOutcome& outcome : outcomes) {
    const client::UnitInfo& unit = outcome.unit_info;
    if (!outcome.status.ok() || outcome.tag.unit.empty() ||
        (unit.note.empty() && unit.ucum == outcome.tag.unit))
      continue;
    if (!noted.insert(outcome.tag.unit).second) continue;
    if (noted.size() > kUnitNotesMax) return context->Note("there are more units like these");
    if (!unit.known) {
      context->Note(absl::StrCat("values in '", outcome.tag.unit, "' cannot be converted: ", unit.note));
    } else if (!unit.note.empty()) {
      context->Note(absl::StrCat("unit ", unit.note));
    } else {
      context->Note(absl::StrCat("unit '", outcome.tag.unit, "' is read as ", unit.ucum));
    }
  }
}

absl::Status CreateTags(const TagOptions& options, Context* context) {
  Tag tag;
  ASSIGN_OR_RETURN(tag.type, TypeOf(options.type));
  tag.interpolation = DefaultInterpolation(tag.type);
  if (!options.interpolation.empty()) {
    ASSIGN_OR_RETURN(tag.interpolation, ParseInterpolation(options.interpolation));
  }
  if (!options.stale_after.empty()) {
    ASSIGN_OR_RETURN(tag.stale_after, ParseStaleAfter(options.stale_after));
  }
  tag.unit = options.unit;
  tag.description = options.description;
  ASSIGN_OR_RETURN(tag.states, StatesOf(options.states));
  ASSIGN_OR_RETURN(tag.attributes, AttributesOf(options.attributes));
  std::vector<Tag> tags;
  for (const std::string& name : options.names) {
    tag.name = name;
    if (const absl::Status valid = ValidateTag(tag); !valid.ok()) return UsageError(valid.message());
    tags.push_back(tag);
  }
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(const std::vector<client::TagOutcome> outcomes, client::Tags(connection).Create(tags));
  // One tag's error is the command's own; of many it is one of many.
  if (outcomes.size() == 1)
    RETURN_IF_ERROR(Annotate(outcomes[0].status, absl::StrCat("tag '", tags[0].name, "'")));
  NoteUnits(outcomes, context);
  RowWriter rows(context->format, {{.name = "id", .right = true}, {.name = "name", .cut = Cut::kName}},
                 context->out);
  for (size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].status.ok()) {
      rows.AddRow({Cell::Unsigned(outcomes[i].tag.id), Cell::Text(tags[i].name)});
    } else {
      context->Fail(absl::StrCat("tag '", tags[i].name, "': ", outcomes[i].status.message()));
    }
  }
  rows.Finish();
  return absl::OkStatus();
}

// Of a list without a tag: asked for some, and there are none. That there is no tag at all is no error.
absl::Status CheckEmpty(const TagOptions& options, const client::TagList& list) {
  RETURN_IF_ERROR(list.status());
  if (options.pattern.empty() && options.prefix.empty()) return absl::OkStatus();
  return NoMatchError(options.prefix.empty() ? options.pattern
                      : options.pattern.empty()
                          ? options.prefix + "*"
                          : absl::StrCat(options.pattern, "' and begins with '", options.prefix));
}

absl::Status ListTags(const TagOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  client::TagList list =
      client::Tags(connection)
          .List({.pattern = options.pattern, .prefix = options.prefix, .include_retired = options.retired});
  client::TagList::iterator tag = list.begin();
  if (tag == list.end()) RETURN_IF_ERROR(CheckEmpty(options, list));
  RowWriter rows(context->format,
                 {{.name = "id", .right = true},
                  {.name = "name", .cut = Cut::kName},
                  {.name = "type"},
                  {.name = "unit"},
                  {.name = "interpolation"},
                  {.name = "description", .cut = Cut::kText},
                  {.name = "retired"}},
                 context->out);
  for (; tag != list.end(); ++tag) {
    rows.AddRow({Cell::Unsigned(tag->id), Cell::Text(tag->name), Cell::Text(ValueTypeName(tag->type)),
                 Cell::Text(tag->unit), Cell::Text(InterpolationName(tag->interpolation)),
                 Cell::Text(tag->description),
                 Cell::Bool(tag->retired).Shown(tag->retired ? "retired" : " ")});
  }
  rows.Finish();
  return list.status();
}

absl::Status ShowTags(const TagOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(std::vector<Tag> tags, FindTags(connection, options.names));
  ASSIGN_OR_RETURN(const AsOf as_of, ParseAsOf(connection, options.as_of, context));
  ASSIGN_OR_RETURN(const std::vector<client::TagOutcome> found, TagsAsOf(connection, as_of, tags));
  const std::vector<std::string> names = {
      "name",   "id",         "type",        "interpolation", "unit",    "unit_means", "description",
      "states", "attributes", "stale_after", "retired",       "created", "updated"};
  std::vector<Heading> headings;
  for (const std::string& name : names) headings.push_back({.name = name});
  std::unique_ptr<RowWriter> rows;
  if (context->format != Format::kTable)
    rows = std::make_unique<RowWriter>(context->format, headings, context->out);
  for (const client::TagOutcome& outcome : found) {
    const Tag& tag = outcome.tag;
    std::vector<Cell> cells = {Cell::Text(tag.name),
                               Cell::Unsigned(tag.id),
                               Cell::Text(ValueTypeName(tag.type)),
                               Cell::Text(InterpolationName(tag.interpolation)),
                               Cell::Text(tag.unit),
                               Cell::Text(MeaningOf(tag, outcome.unit_info)),
                               Cell::Text(tag.description),
                               Cell::Text(StatesText(tag.states)),
                               Cell::Text(AttributesText(tag.attributes)),
                               Cell::Text(StaleAfterText(tag.stale_after)),
                               Cell::Bool(tag.retired),
                               TimeCell(*context, tag.created),
                               TimeCell(*context, tag.updated)};
    if (rows != nullptr) {
      rows->AddRow(std::move(cells));
      continue;
    }
    if (&outcome != found.data()) context->out->Append("\n");
    RecordWriter record(context->format, context->out);
    for (size_t i = 0; i < names.size(); ++i) record.Add(names[i], std::move(cells[i]));
    record.Finish();
  }
  if (rows != nullptr) rows->Finish();
  return absl::OkStatus();
}

// A change is made to tags that are named one by one.
absl::Status RefusePatterns(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!IsPattern(name)) continue;
    return UsageError(absl::StrCat("'", name, "' is a pattern, and this takes names: histctl tag list '",
                                   name, "' shows those that it matches"));
  }
  return absl::OkStatus();
}

// What each of `names` came to; one name's error is the command's own.
absl::Status ReportOutcomes(const client::Connection& connection, const std::vector<std::string>& names,
                            const std::vector<client::TagOutcome>& outcomes, Context* context) {
  const auto explained = [&](size_t i) {
    return absl::IsNotFound(outcomes[i].status)
               ? NoSuchTagError(connection, names[i])
               : Annotate(outcomes[i].status, absl::StrCat("tag '", names[i], "'"));
  };
  if (outcomes.size() == 1) return explained(0);
  for (size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i].status.ok()) context->Fail(explained(i).message());
  }
  return absl::OkStatus();
}

absl::Status SetTags(const TagOptions& options, Context* context) {
  RETURN_IF_ERROR(RefusePatterns(options.names));
  client::TagUpdate update;
  if (!options.new_type.empty()) {
    ASSIGN_OR_RETURN(update.type, TypeOf(options.new_type));
  }
  if (options.has_unit) update.unit = options.unit;
  if (!options.stale_after.empty()) {
    ASSIGN_OR_RETURN(update.stale_after, ParseStaleAfter(options.stale_after));
  }
  if (options.has_description) update.description = options.description;
  if (!options.interpolation.empty()) {
    ASSIGN_OR_RETURN(update.interpolation, ParseInterpolation(options.interpolation));
  }
  ASSIGN_OR_RETURN(update.set_states, StatesOf(options.states));
  ASSIGN_OR_RETURN(update.set_attributes, AttributesOf(options.attributes));
  update.remove_states = options.remove_states;
  update.remove_attributes = options.remove_attributes;
  std::vector<client::TagUpdate> updates;
  for (const std::string& name : options.names) {
    update.key = name;
    updates.push_back(update);
  }
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(const std::vector<client::TagOutcome> outcomes, client::Tags(connection).Update(updates));
  if (options.has_unit) NoteUnits(outcomes, context);
  return ReportOutcomes(connection, options.names, outcomes, context);
}

absl::Status RetireTags(const TagOptions& options, Context* context) {
  RETURN_IF_ERROR(RefusePatterns(options.names));
  const std::vector<client::TagKey> keys(options.names.begin(), options.names.end());
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  const client::Tags tags(connection);
  ASSIGN_OR_RETURN(const std::vector<client::TagOutcome> outcomes,
                   options.undo ? tags.Unretire(keys) : tags.Retire(keys));
  return ReportOutcomes(connection, options.names, outcomes, context);
}

// From what the server has to what the file says.
client::TagUpdate Difference(const Tag& from, const Tag& to) {
  client::TagUpdate update{.key = from.name};
  if (from.unit != to.unit) update.unit = to.unit;
  if (from.stale_after != to.stale_after) update.stale_after = to.stale_after;
  if (from.description != to.description) update.description = to.description;
  if (from.interpolation != to.interpolation) update.interpolation = to.interpolation;
  for (const auto& [code, name] : to.states) {
    const auto old = from.states.find(code);
    if (old == from.states.end() || old->second != name) update.set_states[code] = name;
  }
  for (const auto& [code, name] : from.states) {
    if (!to.states.contains(code)) update.remove_states.push_back(code);
  }
  for (const auto& [key, value] : to.attributes) {
    const auto old = from.attributes.find(key);
    if (old == from.attributes.end() || old->second != value) update.set_attributes[key] = value;
  }
  for (const auto& [key, value] : from.attributes) {
    if (!to.attributes.contains(key)) update.remove_attributes.push_back(key);
  }
  return update;
}

absl::Status ImportTags(const TagOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(options.file));
  if (const absl::Status text = RefuseOtherKinds(file.text()); !text.ok()) {
    return LocalFileError(absl::StrCat(options.file, ": ", text.message()));
  }
  absl::StatusOr<std::vector<TagRow>> rows = ParseTagCsv(file.text());
  if (!rows.ok()) return LocalFileError(absl::StrCat(options.file, ": ", rows.status().message()));
  const auto where = [&](const TagRow& row) { return absl::StrCat(options.file, ":", row.line, ": "); };
  std::vector<const TagRow*> good;
  std::vector<Tag> tags;
  for (const TagRow& row : *rows) {
    if (!row.status.ok()) {
      context->Fail(absl::StrCat(where(row), row.status.message()));
      continue;
    }
    good.push_back(&row);
    tags.push_back(row.tag);
  }
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  const client::Tags client_tags(connection);
  ASSIGN_OR_RETURN(const std::vector<client::TagOutcome> outcomes, client_tags.Create(tags));
  NoteUnits(outcomes, context);
  uint64_t failed = rows->size() - tags.size(), updated = 0;
  std::vector<client::TagUpdate> updates;
  std::vector<const TagRow*> updated_rows;
  std::vector<client::TagKey> retire, unretire;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const client::TagOutcome& outcome = outcomes[i];
    if (outcome.status.ok() || (absl::IsAlreadyExists(outcome.status) && options.update &&
                                outcome.tag.id != 0 && outcome.tag.type == tags[i].type)) {
      if (!outcome.status.ok()) {
        updates.push_back(Difference(outcome.tag, tags[i]));
        updated_rows.push_back(good[i]);
      }
      if (tags[i].retired && !outcome.tag.retired) retire.emplace_back(tags[i].name);
      if (!tags[i].retired && outcome.tag.retired) unretire.emplace_back(tags[i].name);
      continue;
    }
    ++failed;
    const bool differs = absl::IsAlreadyExists(outcome.status);
    context->Fail(
        absl::StrCat(where(*good[i]), "tag '", tags[i].name, "': ", outcome.status.message(),
                     differs && outcome.tag.type == tags[i].type ? "; --update would change it" : ""));
  }
  if (!updates.empty()) {
    ASSIGN_OR_RETURN(const std::vector<client::TagOutcome> changed, client_tags.Update(updates));
    for (size_t i = 0; i < changed.size(); ++i) {
      if (changed[i].status.ok()) {
        ++updated;
        continue;
      }
      ++failed;
      context->Fail(absl::StrCat(where(*updated_rows[i]), "tag '", updated_rows[i]->tag.name,
                                 "': ", changed[i].status.message()));
    }
  }
  const auto check = [&](const std::vector<client::TagKey>& keys,
                         absl::StatusOr<std::vector<client::TagOutcome>> result) -> absl::Status {
    RETURN_IF_ERROR(result.status());
    for (size_t i = 0; i < keys.size(); ++i) {
      if ((*result)[i].status.ok()) continue;
      ++failed;
      context->Fail(absl::StrCat(client::ToString(keys[i]), ": ", (*result)[i].status.message()));
    }
    return absl::OkStatus();
  };
  if (!retire.empty()) RETURN_IF_ERROR(check(retire, client_tags.Retire(retire)));
  if (!unretire.empty()) RETURN_IF_ERROR(check(unretire, client_tags.Unretire(unretire)));
  RecordWriter record(context->format, context->out);
  record.Add("tags", Cell::Unsigned(rows->size()));
  record.Add("changed", Cell::Unsigned(updated));
  record.Add("failed", Cell::Unsigned(failed));
  record.Finish();
  return absl::OkStatus();
}

absl::Status ExportTags(const TagOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  std::unique_ptr<Output> file;
  if (!options.file.empty() && options.file != "-") {
    ASSIGN_OR_RETURN(file, OutputToFile(options.file));
  }
  Output* const out = file != nullptr ? file.get() : context->out;
  client::TagList list =
      client::Tags(connection)
          .List({.pattern = options.pattern, .prefix = options.prefix, .include_retired = true});
  client::TagList::iterator tag = list.begin();
  if (tag == list.end()) RETURN_IF_ERROR(CheckEmpty(options, list));
  out->Append(TagCsvHeader());
  for (; tag != list.end(); ++tag) out->Append(TagCsvRow(*tag));
  RETURN_IF_ERROR(list.status());
  return file != nullptr ? file->Close() : absl::OkStatus();
}

}  // namespace

void AddTagCommand(CLI::App* app, Context* context) {
  CLI::App* const tag = app->add_subcommand("tag", "create, find, change and retire tags");
  tag->require_subcommand(1);
  const auto options = std::make_shared<TagOptions>();
  const auto add = [&](const char* name, const char* about,
                       absl::Status (*run)(const TagOptions&, Context*)) {
    CLI::App* const command = tag->add_subcommand(name, about);
    command->callback([=] { context->run = [=] { return run(*options, context); }; });
    return command;
  };
  const auto add_properties = [&](CLI::App* command) {
    command->add_option("--interpolation", options->interpolation,
                        "between samples: stepped (it stays) or sloped (a straight line)");
    command->add_option("--stale-after", options->stale_after,
                        "a newest sample older than this, such as 10m, is stale; or never");
    command->add_option("--state", options->states, "CODE=NAME of a digital tag's state; repeat it")
        ->allow_extra_args(false);
    command->add_option("--attribute", options->attributes, "KEY=VALUE; repeat it")->allow_extra_args(false);
  };

  CLI::App* const create = add("create", "create tags", CreateTags);
  create->add_option("NAME", options->names, "names, such as plant/area-1/pump-101/flow")->required();
  create->add_option("--type", options->type, "float64, float32, int64, bool, digital or string")
      ->capture_default_str();
  create->add_option(
      "--unit", options->unit,
      "engineering unit: UCUM (m3/h, Cel, kW.h), as plants write it (m³/h, degC, kWh), or any text");
  create->add_option("--description", options->description, "what it is");
  add_properties(create);
  create->footer(
      "\nA tag that exists with the same properties is left as it is; with others it is an error.\n"
      "\nExamples:\n"
      "  histctl tag create plant/area-1/pump-199/flow --unit m3/h --description 'Flow behind the pump'\n"
      "  histctl tag create plant/area-1/pump-199/state --type digital --state 0=Off --state 1=Running "
      "--state "
      "2=Fault\n"
      "  histctl tag create boiler/steps --type int64 --interpolation stepped --attribute plc=S7-1500\n");

  CLI::App* const list = add("list", "list tags by name", ListTags);
  list->add_option("PATTERN", options->pattern, "a pattern of names (default: all)");
  list->add_option("--prefix", options->prefix, "only names that begin with this");
  list->add_flag("--retired", options->retired, "also retired tags");
  list->footer(
      "\nExamples:\n  histctl tag list 'plant/area-1/*/flow'\n  histctl tag list --prefix plant/area-1/ "
      "--format json\n");

  CLI::App* const show = add("show", "all properties of tags", ShowTags);
  show->add_option("NAME", options->names, "names or patterns")->required();
  AddAsOfOption(show, &options->as_of);
  show->footer(
      "\nExamples:\n  histctl tag show plant/area-1/pump-101/state\n"
      "  histctl tag show plant/area-1/pump-101/state --as-of 2026-11-01\n");

  CLI::App* const set = add("set", "change the given properties of tags; a name never changes", SetTags);
  set->add_option("NAME", options->names, "names")->required();
  set->add_option_function<std::string>(
      "--unit",
      [options](const std::string& unit) {
        options->unit = unit;
        options->has_unit = true;
      },
      "engineering unit: UCUM (m3/h, Cel, kW.h), as plants write it (m³/h, degC, kWh), or any text");
  set->add_option_function<std::string>(
      "--description",
      [options](const std::string& description) {
        options->description = description;
        options->has_description = true;
      },
      "what it is");
  set->add_option(
      "--type", options->new_type,
      "another type, for tags whose samples are all Bad: the name then means a new tag, and the old one is "
      "named NAME~ID and retired");
  add_properties(set);
  set->add_option("--remove-state", options->remove_states, "CODE of a state to remove; repeat it")
      ->allow_extra_args(false);
  set->add_option("--remove-attribute", options->remove_attributes,
                  "KEY of an attribute to remove; repeat it")
      ->allow_extra_args(false);
  set->footer(
      "\nExamples:\n"
      "  histctl tag set plant/area-1/pump-101/flow --description 'Flow behind the pump' --unit l/min\n"
      "  histctl tag set plant/area-1/pump-101/state --state 3=Service --remove-state 2\n"
      "  histctl tag set plant/area-1/pump-101/flow --stale-after 10m\n"
      "  histctl tag set boiler/steps --type float64    # has no samples yet\n");

  CLI::App* const retire = add("retire", "take tags out of service: they keep their archive", RetireTags);
  retire->add_option("NAME", options->names, "names")->required();
  retire->add_flag("--undo", options->undo, "take them into service again");
  retire->footer(
      "\nExamples:\n  histctl tag retire plant/area-1/pump-101/flow\n"
      "  histctl tag retire --undo plant/area-1/pump-101/flow\n");

  CLI::App* const import = add("import", "create tags from a CSV file", ImportTags);
  import->add_option("FILE", options->file, "the file; - is standard input")->required();
  import->add_flag("--update", options->update, "change tags that exist with other properties");
  const std::string columns =
      "\nColumns: name, type, interpolation (stepped, sloped), unit, description, states (0=Off|1=On),\n"
      "attributes (key=value|key=value), stale_after (10m; empty: never), retired (true, false). In names, | "
      "= and \\ are written \\| \\= "
      "\\\\.\n"
      "The first line names the columns, in any order; name and type are needed.\n";
  import->footer(
      columns +
      "Tags that exist and are the same are left as they are: an import can be repeated.\n"
      "\nExamples:\n  histctl tag import tags.csv\n  histctl tag export | histctl --server other:7720 tag "
      "import -\n");

  CLI::App* const exp = add("export", "write tags as CSV, for tag import", ExportTags);
  exp->add_option("PATTERN", options->pattern, "a pattern of names (default: all, retired ones too)");
  exp->add_option("--prefix", options->prefix, "only names that begin with it");
  exp->add_option("-o,--output", options->file, "the file (default: standard output)");
  exp->footer(columns +
              "\nExamples:\n  histctl tag export -o tags.csv\n  histctl tag export 'plant/area-1/*'\n");
}

}  // namespace historian::histctl
