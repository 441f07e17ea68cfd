#include "tools/histctl/lib/tag_csv.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/model/status_macros.h"
#include "storage/model/units.h"
#include "tools/histctl/lib/csv_reader.h"
#include "tools/histctl/lib/row_writer.h"
#include "tools/histctl/lib/value_text.h"

namespace historian::histctl {
namespace {

enum Column {
  kName,
  kType,
  kInterpolation,
  kUnit,
  kDescription,
  kStates,
  kAttributes,
  kStaleAfter,
  kRetired
};
constexpr absl::string_view kColumns[] = {"name",   "type",       "interpolation", "unit",   "description",
                                          "states", "attributes", "stale_after",   "retired"};
static_assert(std::size(kColumns) == kRetired + 1);

void AppendEscaped(absl::string_view text, std::string* out) {
  for (const char c : text) {
    if (c == '|' || c == '=' || c == '\\') out->push_back('\\');
    out->push_back(c);
  }
}

// "a=b|c=d" to pairs.
absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParsePairs(absl::string_view text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  if (text.empty()) return pairs;
  std::string parts[2];
  int part = 0;
  const auto finish = [&] {
    if (part == 0) return false;
    pairs.emplace_back(std::move(parts[0]), std::move(parts[1]));
    parts[0].clear();
    parts[1].clear();
    part = 0;
    return true;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size()) {
      parts[part].push_back(text[++i]);
    } else if (c == '=' && part == 0) {
      part = 1;
    } else if (c == '|') {
      if (!finish())
        return absl::InvalidArgumentError(absl::StrCat("'", text, "': expected key=value|key=value"));
    } else {
      parts[part].push_back(c);
    }
  }
  if (!finish())
    return absl::InvalidArgumentError(absl::StrCat("'", text, "': expected key=value|key=value"));
  return pairs;
}

absl::StatusOr<Tag> TagOfFields(const std::vector<CsvField>& fields, const std::vector<Column>& order) {
  if (fields.size() != order.size()) {
    return absl::InvalidArgumentError(absl::StrCat(fields.size(), " fields instead of ", order.size()));
  }
  Tag tag;
  std::optional<Interpolation> interpolation;
  bool has_type = false;
  for (size_t i = 0; i < fields.size(); ++i) {
    const absl::string_view text = fields[i].text;
    switch (order[i]) {
      case kName:
        tag.name = std::string(text);
        break;
      case kUnit:
        tag.unit = std::string(text);
        break;
      case kDescription:
        tag.description = std::string(text);
        break;
      case kType:
        has_type = ParseValueType(text, &tag.type);
        if (!has_type) return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not a type"));
        break;
      case kInterpolation:
        if (text == "stepped") interpolation = Interpolation::kStepped;
        if (text == "sloped") interpolation = Interpolation::kSloped;
        if (!text.empty() && !interpolation) {
          return absl::InvalidArgumentError(
              absl::StrCat("interpolation '", text, "': expected stepped or sloped"));
        }
        break;
      case kStates: {
        ASSIGN_OR_RETURN(tag.states, ParseStates(text));
        break;
      }
      case kAttributes: {
        ASSIGN_OR_RETURN(tag.attributes, ParseAttributes(text));
        break;
      }
      case kStaleAfter:
        if (!text.empty()) {
          ASSIGN_OR_RETURN(tag.stale_after, ParseDuration(text));
        }
        break;
      case kRetired: {
        ValueBits retired = 0;
        std::string why;
        if (!text.empty() && !ParseValue(ValueType::kBool, text, kDecimalPoint, nullptr, &retired, &why)) {
          return absl::InvalidArgumentError(absl::StrCat("retired '", text, "': ", why));
        }
        tag.retired = retired != 0;
        break;
      }
    }
  }
  if (!has_type) return absl::InvalidArgumentError("no type");
  tag.interpolation = interpolation.value_or(DefaultInterpolation(tag.type));
  RETURN_IF_ERROR(ValidateTag(tag));
  return tag;
}

}  // namespace

std::string TagCsvHeader() { return absl::StrCat(absl::StrJoin(kColumns, ","), "\n"); }

std::string TagCsvRow(const Tag& tag) {
  const std::string texts[] = {tag.name,
                               std::string(ValueTypeName(tag.type)),
                               tag.interpolation == Interpolation::kStepped ? "stepped" : "sloped",
                               tag.unit,
                               tag.description,
                               StatesText(tag.states),
                               AttributesText(tag.attributes),
                               StaleAfterText(tag.stale_after),
                               tag.retired ? "true" : "false"};
  std::string row;
  for (const std::string& text : texts) {
    if (&text != texts) row.push_back(',');
    if (!text.empty()) AppendCsvField(text, &row);
  }
  row.push_back('\n');
  return row;
}

std::string StaleAfterText(absl::Duration stale_after) {
  return stale_after == absl::ZeroDuration() ? "" : PrintDuration(stale_after);
}

absl::StatusOr<std::vector<TagRow>> ParseTagCsv(absl::string_view text) {
  CsvReader reader(text, ',');
  if (reader.Next() != CsvReader::Result::kRecord) {
    return absl::InvalidArgumentError("the file is empty: its first line names the columns (name,type,...)");
  }
  std::vector<Column> order;
  for (const CsvField& field : reader.fields()) {
    const std::string name = absl::AsciiStrToLower(absl::StripAsciiWhitespace(field.text));
    const auto found = std::find(std::begin(kColumns), std::end(kColumns), name);
    if (found == std::end(kColumns)) {
      return absl::InvalidArgumentError(
          absl::StrCat("column '", field.text, "' is not one of ", absl::StrJoin(kColumns, ", ")));
    }
    order.push_back(static_cast<Column>(found - std::begin(kColumns)));
  }
  for (const Column needed : {kName, kType}) {
    if (std::count(order.begin(), order.end(), needed) == 0) {
      return absl::InvalidArgumentError(absl::StrCat("the column ", kColumns[needed], " is missing"));
    }
  }
  std::vector<TagRow> rows;
  for (;;) {
    const CsvReader::Result result = reader.Next();
    if (result == CsvReader::Result::kEnd) return rows;
    TagRow row{.line = reader.line()};
    if (result == CsvReader::Result::kBad) {
      row.status = absl::InvalidArgumentError(reader.error());
    } else {
      absl::StatusOr<Tag> tag = TagOfFields(reader.fields(), order);
      row.status = tag.status();
      if (tag.ok()) row.tag = *std::move(tag);
    }
    rows.push_back(std::move(row));
  }
}

std::string StatesText(const std::map<uint32_t, std::string>& states) {
  std::string text;
  for (const auto& [code, name] : states) {
    absl::StrAppend(&text, text.empty() ? "" : "|", code, "=");
    AppendEscaped(name, &text);
  }
  return text;
}

std::string AttributesText(const std::map<std::string, std::string>& attributes) {
  std::string text;
  for (const auto& [key, value] : attributes) {
    if (!text.empty()) text.push_back('|');
    AppendEscaped(key, &text);
    text.push_back('=');
    AppendEscaped(value, &text);
  }
  return text;
}

absl::StatusOr<std::map<uint32_t, std::string>> ParseStates(absl::string_view text) {
  ASSIGN_OR_RETURN(const auto pairs, ParsePairs(text));
  std::map<uint32_t, std::string> states;
  for (const auto& [key, name] : pairs) {
    uint32_t code = 0;
    if (!absl::SimpleAtoi(key, &code)) {
      return absl::InvalidArgumentError(
          absl::StrCat("state '", key, "=", name, "': the code is not a number"));
    }
    if (!states.emplace(code, name).second) {
      return absl::InvalidArgumentError(absl::StrCat("state ", code, " is given twice"));
    }
  }
  return states;
}

absl::StatusOr<std::map<std::string, std::string>> ParseAttributes(absl::string_view text) {
  ASSIGN_OR_RETURN(const auto pairs, ParsePairs(text));
  std::map<std::string, std::string> attributes;
  for (const auto& [key, value] : pairs) {
    if (!attributes.emplace(key, value).second) {
      return absl::InvalidArgumentError(absl::StrCat("attribute '", key, "' is given twice"));
    }
  }
  return attributes;
}

}  // namespace historian::histctl
