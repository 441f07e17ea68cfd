#include "tools/histctl/lib/import_frames.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/wire.h"
#include "storage/model/check.h"
#include "tools/histctl/lib/quality_text.h"
#include "tools/histctl/lib/value_text.h"

namespace historian::histctl {
namespace {

// A file of very many columns gets larger frames, so that each column of a frame has some samples.
constexpr uint64_t kColumnSamples = 16;
constexpr uint64_t kFrameSamplesMax = 131'072;

// Long texts are cut for messages.
std::string Shown(absl::string_view text) {
  constexpr size_t kShownBytes = 60;
  return absl::StrCat("'", absl::CHexEscape(text.substr(0, kShownBytes)),
                      text.size() > kShownBytes ? "...'" : "'");
}

RowTime MakeTimes(const ImportOptions& options, const ImportLayout& layout) {
  static const RowTimeLayout kNoColumns;
  absl::StatusOr<RowTime> times =
      RowTime::Create(layout.times ? *layout.times : kNoColumns, options.zone, options.strict_clock_changes);
  HISTORIAN_CHECK(times.ok());  // FindLayout has tried it.
  return *std::move(times);
}

// Whether a record is behind the table.
bool IsFooter(const ImportLayout& layout, const CsvReader& reader) {
  return !layout.footer.empty() &&
         absl::StartsWith(absl::StripAsciiWhitespace(reader.fields()[0].text), layout.footer);
}

}  // namespace

uint64_t ImportFrame::LineOf(uint32_t column, uint32_t sample) const {
  if (column >= lines.size() || sample >= lines[column].size()) return first_line;
  return first_line + lines[column][sample];
}

ImportScan ScanFile(const ImportOptions& options, const ImportLayout& layout, absl::string_view text,
                    uint64_t rows) {
  ImportScan scan;
  scan.columns.resize(layout.is_keyed() ? 0 : layout.columns.size());
  CsvReader reader(text, layout.separator, layout.lines_before);
  RowTime times = MakeTimes(options, layout);
  uint64_t row = 0;
  size_t header = layout.header_records;
  absl::flat_hash_map<std::string, std::vector<ScannedTag*>> by_name;
  const auto add = [&](const CsvField& field, TypeInference* inference) {
    if (IsMissing(layout.missing, field, &layout.numbers)) return;
    const bool state = !options.states.empty() && StateQuality(options, field.text).has_value();
    if (inference->Add(field.text, reader.line(), options.numbers, state)) ++scan.states;
  };
  for (;;) {
    const CsvReader::Result result = reader.Next();
    if (result == CsvReader::Result::kEnd) break;
    if (result == CsvReader::Result::kBad) continue;
    if (header > 0) {
      --header;
      continue;
    }
    const bool look = rows == 0 || row < rows;
    const std::vector<CsvField>& fields = reader.fields();
    if (IsFooter(layout, reader)) break;
    ++row;
    if (fields.size() != layout.width) continue;
    // Of a row that is not stored nothing counts. The times of an import without a column of them are all good.
    if (look && layout.times) {
      Timestamp time = 0;
      std::string why;
      if (!times.Read(fields, &time, &why)) continue;
    }
    if (layout.is_long) {
      const absl::string_view name = absl::StripAsciiWhitespace(fields[layout.tag_column].text);
      auto known = by_name.find(name);
      if (known == by_name.end()) {
        ScannedTag& tag = scan.tags[std::string(name)];
        tag.tag = LongTagName(options, layout, name);
        tag.line = reader.line();
        known = by_name.emplace(name, std::vector<ScannedTag*>{&tag}).first;
      }
      if (!look) continue;
      TypeInference& values = known->second[0]->values;
      add(fields[layout.value_column], &values);
      if (!layout.quality_column ||
          !IsMissing(layout.missing, fields[layout.value_column], &layout.numbers)) {
        continue;
      }
      const absl::StatusOr<Quality> quality =
          ReadQuality(fields[*layout.quality_column].text, layout.quality_codes);
      if (quality.ok() && IsBad(*quality)) values.AddValueless();
    } else if (layout.is_keyed()) {
      const std::string device = DeviceOf(layout, fields);
      auto known = by_name.find(device);
      if (known == by_name.end()) {
        known = by_name.emplace(device, std::vector<ScannedTag*>()).first;
        for (const ImportColumn& column : layout.columns) {
          const std::string name = KeyedTagName(layout, column, device);
          ScannedTag& tag = scan.tags[name];
          tag.tag = name;
          tag.column = &column;
          tag.line = reader.line();
          known->second.push_back(&tag);
        }
      }
      for (size_t i = 0; look && i < layout.columns.size(); ++i) {
        add(fields[layout.columns[i].index], &known->second[i]->values);
      }
    } else {
      if (!look) break;
      for (size_t i = 0; i < layout.columns.size(); ++i) {
        add(fields[layout.columns[i].index], &scan.columns[i]);
      }
    }
  }
  return scan;
}

ImportFrames::ImportFrames(const ImportOptions& options, const ImportLayout& layout, absl::string_view text,
                           const std::vector<Tag>& columns, const std::map<std::string, Tag>& tags,
                           std::function<bool(const RowError&)> on_error)
    : options_(options),
      layout_(layout),
      on_error_(std::move(on_error)),
      reader_(text, layout.separator, layout.lines_before),
      times_(MakeTimes(options, layout)),
      header_records_(layout.header_records) {
  if (layout.is_long || layout.is_keyed()) {
    buffers_.reserve(tags.size());
    for (const auto& [name, tag] : tags) {
      buffers_.push_back({.tag = &tag});
      if (layout.is_long) {
        groups_[name].buffers.push_back(&buffers_.back());
      } else {
        by_tag_.emplace(name, &buffers_.back());  // They do not move: there is room for all.
      }
    }
  } else {
    HISTORIAN_CHECK(columns.size() == layout.columns.size());
    for (const Tag& tag : columns) buffers_.push_back({.tag = &tag});
  }
  frame_samples_max_ = std::clamp(kColumnSamples * buffers_.size(), kFrameSamples, kFrameSamplesMax);
}

ImportCounts ImportFrames::counts() const {
  ImportCounts counts = counts_;
  counts.times_skipped = times_.parser().skipped();
  counts.times_repeated = times_.parser().repeated();
  return counts;
}

bool ImportFrames::Next(ImportFrame* frame) {
  bool end = false;
  while (!stopped_ && !end && frame_samples_ < frame_samples_max_ &&
         frame_string_bytes_ < kFrameStringBytes) {
    switch (reader_.Next()) {
      case CsvReader::Result::kEnd:
        end = true;
        break;
      case CsvReader::Result::kBad:
        ++counts_.rows;
        Error("", reader_.error(), /*whole_row=*/true);
        ++row_;
        break;
      case CsvReader::Result::kRecord:
        if (header_records_ > 0) {
          --header_records_;
        } else if (IsFooter(layout_, reader_)) {
          end = true;
        } else {
          ReadRow();
        }
        break;
    }
  }
  if (stopped_ || frame_samples_ == 0) return false;
  TakeFrame(frame);
  return true;
}

void ImportFrames::ReadRow() {
  ++counts_.rows;
  const uint64_t row = row_++;
  const std::vector<CsvField>& fields = reader_.fields();
  if (fields.size() != layout_.width) {
    Error(
        "",
        absl::StrCat(fields.size(), fields.size() == 1 ? " field" : " fields", " instead of ", layout_.width),
        /*whole_row=*/true);
    return;
  }
  Group* const group = layout_.is_long || layout_.is_keyed() ? GroupOfRow() : nullptr;
  Timestamp time = 0;
  if (layout_.times) {
    std::string why;
    if (!times_.Read(fields, &time, &why, group == nullptr ? nullptr : &group->history)) {
      Error("", absl::StrCat("time ", Shown(times_.text()), ": ", why), /*whole_row=*/true);
      return;
    }
  } else {
    const __int128 made =
        static_cast<__int128>(*options_.start) + static_cast<__int128>(options_.step_nanos) * row;
    if (made < kTimestampMin || made > kTimestampMax) {
      Error("", "--start and --step lead outside 1900-01-01 to 2200-01-01", /*whole_row=*/true);
      return;
    }
    time = static_cast<Timestamp>(made);
  }
  if (frame_samples_ == 0) frame_line_ = reader_.line();
  if (layout_.is_long) {
    ReadLong(time, group == nullptr ? nullptr : group->buffers[0]);
  } else if (layout_.is_keyed()) {
    ReadKeyed(time, *group);
  } else {
    ReadWide(time);
  }
}

// Null: there is no such tag.
ImportFrames::Group* ImportFrames::GroupOfRow() {
  const std::vector<CsvField>& fields = reader_.fields();
  if (layout_.is_long) {
    const auto known = groups_.find(absl::StripAsciiWhitespace(fields[layout_.tag_column].text));
    return known == groups_.end() ? nullptr : &known->second;
  }
  const std::string device = DeviceOf(layout_, fields);
  const auto [known, is_new] = groups_.try_emplace(device);
  if (is_new) {
    for (const ImportColumn& column : layout_.columns) {
      const auto buffer = by_tag_.find(KeyedTagName(layout_, column, device));
      known->second.buffers.push_back(buffer == by_tag_.end() ? nullptr : buffer->second);
    }
  }
  return &known->second;
}

std::optional<Quality> ImportFrames::QualityBeside(std::optional<size_t> column, absl::string_view name) {
  if (!column) return kGood;
  const absl::StatusOr<Quality> quality = ReadQuality(reader_.fields()[*column].text, layout_.quality_codes);
  if (quality.ok()) return *quality;
  Error(name, std::string(quality.status().message()), /*whole_row=*/layout_.is_long);
  return std::nullopt;
}

void ImportFrames::ReadWide(Timestamp time) {
  for (size_t i = 0; i < buffers_.size() && !stopped_; ++i) {
    const ImportColumn& column = layout_.columns[i];
    if (buffers_[i].tag->id == 0) {
      counts_.missing += IsMissing(layout_.missing, reader_.fields()[column.index], &layout_.numbers);
      continue;
    }
    const std::optional<Quality> quality = QualityBeside(column.quality, column.header);
    if (quality) AddField(&buffers_[i], time, reader_.fields()[column.index], *quality, column.header);
  }
}

void ImportFrames::ReadKeyed(Timestamp time, const Group& group) {
  for (size_t i = 0; i < layout_.columns.size() && !stopped_; ++i) {
    const ImportColumn& column = layout_.columns[i];
    const CsvField& field = reader_.fields()[column.index];
    if (group.buffers[i] == nullptr) {
      if (IsMissing(layout_.missing, field, &layout_.numbers)) {
        ++counts_.missing;
      } else {
        Error(column.header,
              absl::StrCat(Shown(KeyedTagName(layout_, column, DeviceOf(layout_, reader_.fields()))),
                           " is no name that a tag can have, or was not among the rows that were looked at"),
              /*whole_row=*/false);
      }
      continue;
    }
    const std::optional<Quality> quality = QualityBeside(column.quality, column.header);
    if (quality) AddField(group.buffers[i], time, field, *quality, column.header);
  }
}

void ImportFrames::ReadLong(Timestamp time, Buffer* buffer) {
  const std::vector<CsvField>& fields = reader_.fields();
  const absl::string_view name = absl::StripAsciiWhitespace(fields[layout_.tag_column].text);
  if (buffer == nullptr) {
    Error("", absl::StrCat("tag ", Shown(name), " was not found or cannot be one"), /*whole_row=*/true);
    return;
  }
  const std::optional<Quality> quality = QualityBeside(layout_.quality_column, "");
  if (quality) AddField(buffer, time, fields[layout_.value_column], *quality, name);
}

void ImportFrames::AddField(Buffer* buffer, Timestamp time, const CsvField& field, Quality quality,
                            absl::string_view column) {
  const ValueType type = buffer->tag->type;
  if (IsMissing(layout_.missing, field, type == ValueType::kString ? nullptr : &layout_.numbers)) {
    ++counts_.missing;
    // A Bad sample needs no value. Strings and numbers are then empty and 0, as everywhere.
    if (!IsBad(quality)) {
      if (!options_.missing_as_bad) return;
      quality = kBadNoData;
    }
    Add(buffer, time, 0, "", quality);
    return;
  }
  ValueBits bits = 0;
  if (type == ValueType::kString) {
    if (field.text.size() > kStringBytesMax) {
      Error(column, absl::StrCat("a text of ", field.text.size(), " bytes; the limit is ", kStringBytesMax),
            false);
      return;
    }
  } else {
    std::string why;
    if (!ParseValue(type, field.text, layout_.numbers, &buffer->tag->states, &bits, &why)) {
      if (const std::optional<Quality> state = StateQuality(options_, field.text)) {
        ++counts_.states;
        Add(buffer, time, 0, "", *state);
        return;
      }
      Error(column, absl::StrCat(Shown(field.text), " is ", why), false);
      return;
    }
  }
  Add(buffer, time, bits, field.text, quality);
}

void ImportFrames::Add(Buffer* buffer, Timestamp time, ValueBits bits, absl::string_view string,
                       Quality quality) {
  if (buffer->samples.empty()) touched_.push_back(static_cast<size_t>(buffer - buffers_.data()));
  if (buffer->tag->type == ValueType::kString) {
    buffer->samples.AddString(time, string, quality);
    frame_string_bytes_ += string.size();
  } else {
    buffer->samples.Add(time, bits, quality);
  }
  buffer->lines.push_back(static_cast<uint32_t>(reader_.line() - frame_line_));
  ++frame_samples_;
  counts_.first_time = counts_.samples == 0 ? time : std::min(counts_.first_time, time);
  counts_.last_time = counts_.samples == 0 ? time : std::max(counts_.last_time, time);
  ++counts_.samples;
}

void ImportFrames::Error(absl::string_view column, std::string why, bool whole_row) {
  ++(whole_row ? counts_.bad_rows : counts_.bad_values);
  if (!on_error_({reader_.line(), std::string(column), std::move(why)})) stopped_ = true;
}

void ImportFrames::TakeFrame(ImportFrame* frame) {
  frame->request.Clear();
  frame->request.mutable_frame()->set_sequence(++number_);
  frame->samples = frame_samples_;
  frame->first_line = frame_line_;
  frame->lines.clear();
  for (const size_t index : touched_) {
    Buffer& buffer = buffers_[index];
    const SamplesView samples = buffer.samples.View();
    counts_.same_time += std::count(samples.times, samples.times + samples.size, buffer.newest) > 0;
    buffer.newest = std::max(buffer.newest, *std::max_element(samples.times, samples.times + samples.size));
    if (IsStrictlyAscending(samples.times, samples.size)) {
      TakeColumn(*buffer.tag, samples, std::move(buffer.lines), frame);
    } else {
      TakeSorted(&buffer, frame);
    }
    buffer.samples.Clear();
    buffer.lines.clear();
  }
  touched_.clear();
  frame_samples_ = frame_string_bytes_ = 0;
}

// The k-th samples of every time make the k-th column: all are kept, and the last row of a time is the one
// that readers see.
void ImportFrames::TakeSorted(Buffer* buffer, ImportFrame* frame) {
  const SamplesView from = buffer->samples.View();
  std::vector<size_t> order(from.size);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return from.times[a] < from.times[b]; });
  struct Pass {
    Samples samples;
    std::vector<uint32_t> lines;
  };
  std::vector<Pass> passes;
  size_t pass = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    pass = i > 0 && from.times[order[i]] == from.times[order[i - 1]] ? pass + 1 : 0;
    counts_.same_time += pass > 0;
    if (pass == passes.size()) passes.emplace_back();
    passes[pass].samples.AddFrom(buffer->tag->type, from, order[i]);
    passes[pass].lines.push_back(buffer->lines[order[i]]);
  }
  for (Pass& one : passes) TakeColumn(*buffer->tag, one.samples.View(), std::move(one.lines), frame);
}

void ImportFrames::TakeColumn(const Tag& tag, const SamplesView& samples, std::vector<uint32_t> lines,
                              ImportFrame* frame) {
  client::ColumnToWire(tag.id, tag.type, samples, frame->request.mutable_frame()->add_columns());
  frame->lines.push_back(std::move(lines));
}

}  // namespace historian::histctl
