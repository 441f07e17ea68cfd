#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/admin.h"
#include "storage/format/block.h"
#include "storage/format/key.h"
#include "storage/format/page.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/lib/page_outline.h"
#include "tools/histctl/lib/time_text.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

struct BlockOptions {
  std::string tag;
  std::string from;
  std::string to;
  uint64_t seal = 0;
  bool has_seal = false;
  bool samples = false;
};

struct Blocks {
  Tag tag;
  std::vector<v1::BlockInfo> infos;
};

absl::StatusOr<Blocks> FindBlocks(const BlockOptions& options, const client::Admin& admin,
                                  const client::Connection& connection, const Context& context) {
  Range range{kTimestampMin, kTimestampMax};
  if (!options.from.empty()) {
    ASSIGN_OR_RETURN(range.from, context.Time("--from", options.from));
  }
  if (!options.to.empty()) {
    ASSIGN_OR_RETURN(range.to, context.Time("--to", options.to));
  }
  Blocks blocks;
  ASSIGN_OR_RETURN(blocks.tag, FindTag(connection, options.tag));
  ASSIGN_OR_RETURN(blocks.infos, admin.ListBlocks(blocks.tag.id, range.from, range.to));
  if (options.has_seal) {
    std::erase_if(blocks.infos, [&](const v1::BlockInfo& info) { return info.key().seal() != options.seal; });
  }
  return blocks;
}

absl::Status ListBlocks(const BlockOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  const client::Admin admin(connection);
  ASSIGN_OR_RETURN(const Blocks blocks, FindBlocks(options, admin, connection, *context));
  RowWriter rows(context->format,
                 {{.name = "partition", .right = true},
                  {.name = "seal", .right = true},
                  {.name = "first"},
                  {.name = "last"},
                  {.name = "samples", .right = true},
                  {.name = "pages", .right = true},
                  {.name = "head", .right = true},
                  {.name = "payload", .right = true},
                  {.name = "bytes_per_sample", .right = true}},
                 context->out);
  for (const v1::BlockInfo& info : blocks.infos) {
    const double samples = static_cast<double>(std::max<uint64_t>(1, info.samples()));
    rows.AddRow({Cell::Integer(info.key().partition()), Cell::Unsigned(info.key().seal()),
                 TimeCell(*context, info.first_time()), TimeCell(*context, info.last_time()),
                 Cell::Unsigned(info.samples()), Cell::Unsigned(info.pages()), Cell::Bytes(info.head_bytes()),
                 Cell::Bytes(info.payload_bytes()),
                 Cell::Float64(static_cast<double>(info.head_bytes() + info.payload_bytes()) / samples, 4)});
  }
  rows.Finish();
  return absl::OkStatus();
}

// The summary's extremes and the like as people read them; nothing where there is no usable sample.
Cell ExtremeCell(const Tag& tag, const Summary& summary, const Sample& sample) {
  if (summary.good == 0 || tag.type == ValueType::kString) return Cell::Absent();
  return ValueCell(tag, sample.value, "");
}

absl::Status DumpBlock(const Tag& tag, const v1::BlockInfo& info, const v1::ReadBlockResponse& block,
                       bool samples, Context* context) {
  absl::StatusOr<format::BlockHead> decoded = format::DecodeBlockHead(block.head());
  const std::string name =
      absl::StrCat("block of tag '", tag.name, "' from ", TimeText(info.key().first_time(), context->zone));
  if (!decoded.ok()) return Annotate(decoded.status(), name);
  const format::BlockHead& head = *decoded;
  if (head.type != tag.type)
    return absl::DataLossError(absl::StrCat(name, ": its values are ", ValueTypeName(head.type)));
  if (samples) {
    // The rows of `get`, and the page each is in.
    RowWriter rows(context->format,
                   {{.name = "page", .right = true},
                    {.name = "time"},
                    {.name = "value", .unit = tag.unit, .right = true},
                    {.name = "state", .machine_only = true},
                    {.name = "quality"}},
                   context->out);
    for (size_t i = 0; i < head.pages.size(); ++i) {
      Samples decoded_samples;
      const absl::StatusOr<absl::string_view> page = format::PageBytes(head, block.payload(), i);
      RETURN_IF_ERROR(Annotate(page.status(), absl::StrCat(name, ", page ", i)));
      RETURN_IF_ERROR(
          Annotate(format::DecodePage(head.type, *page, &decoded_samples), absl::StrCat(name, ", page ", i)));
      const SamplesView view = decoded_samples.View();
      for (size_t s = 0; s < view.size; ++s) {
        rows.AddRow({Cell::Unsigned(i), TimeCell(*context, view.times[s]), SampleCell(tag, view, s),
                     StateCell(tag, view.values[s]), QualityCell(view.QualityAt(s))});
      }
    }
    rows.Finish();
    return absl::OkStatus();
  }
  if (context->format == Format::kTable) {
    RecordWriter record(context->format, context->out);
    record.Add("tag", Cell::Text(tag.name));
    record.Add("type", Cell::Text(ValueTypeName(head.type)));
    record.Add(
        "partition",
        Cell::Integer(info.key().partition())
            .Shown(absl::StrCat(
                info.key().partition(),
                format::IsLongPartition(info.key().partition()) ? " (the 16 weeks from " : " (the week from ",
                TimeText(format::PartitionStart(info.key().partition()), context->zone), ")")));
    record.Add("seal", Cell::Unsigned(info.key().seal()));
    record.Add("samples", Cell::Unsigned(head.count()));
    record.Add("first", TimeCell(*context, head.first_time()));
    record.Add("last", TimeCell(*context, head.last_time()));
    record.Add("head", Cell::Bytes(block.head().size()));
    record.Add("payload", Cell::Bytes(block.payload().size()));
    record.Finish();
    context->out->Append("\n");
  }
  RowWriter rows(context->format,
                 {{.name = "page", .right = true},
                  {.name = "offset", .right = true},
                  {.name = "bytes", .right = true},
                  {.name = "checksum"},
                  {.name = "samples", .right = true},
                  {.name = "usable", .right = true},
                  {.name = "first"},
                  {.name = "last"},
                  {.name = "min", .unit = tag.unit, .right = true},
                  {.name = "max", .unit = tag.unit, .right = true},
                  {.name = "times"},
                  {.name = "time_bytes", .right = true},
                  {.name = "values"},
                  {.name = "value_bytes", .right = true},
                  {.name = "qualities"},
                  {.name = "quality_bytes", .right = true}},
                 context->out);
  size_t damaged = 0;
  for (size_t i = 0; i < head.pages.size(); ++i) {
    const format::PageInfo& page = head.pages[i];
    const absl::StatusOr<absl::string_view> bytes = format::PageBytes(head, block.payload(), i);
    absl::StatusOr<PageOutline> outline = bytes.ok() ? OutlineOfPage(head.type, *bytes) : bytes.status();
    if (!outline.ok()) {
      ++damaged;
      context->Note(absl::StrCat(name, ", page ", i, ": ", outline.status().message()));
    }
    const PageOutline shown =
        outline.ok() ? *std::move(outline) : PageOutline{.times = "damaged", .values = "damaged"};
    rows.AddRow({Cell::Unsigned(i), Cell::Unsigned(page.offset), Cell::Unsigned(page.size),
                 Cell::Text(absl::StrFormat("%08x", page.checksum)), Cell::Unsigned(page.summary.count),
                 Cell::Unsigned(page.summary.good), TimeCell(*context, page.summary.first.time),
                 TimeCell(*context, page.summary.last.time), ExtremeCell(tag, page.summary, page.summary.min),
                 ExtremeCell(tag, page.summary, page.summary.max), Cell::Text(shown.times),
                 Cell::Unsigned(shown.time_bytes), Cell::Text(shown.values),
                 Cell::Unsigned(shown.value_bytes),
                 Cell::Text(shown.qualities.empty() ? "all Good" : shown.qualities),
                 Cell::Unsigned(shown.quality_bytes)});
  }
  rows.Finish();
  if (damaged > 0) return DamagedError(absl::StrCat(name, ": ", damaged, " damaged pages"));
  return absl::OkStatus();
}

absl::Status DumpBlocks(const BlockOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  const client::Admin admin(connection);
  ASSIGN_OR_RETURN(const Blocks blocks, FindBlocks(options, admin, connection, *context));
  if (blocks.infos.empty()) {
    return absl::NotFoundError(absl::StrCat(
        "tag '", blocks.tag.name, "' has no such block; `histctl seal` makes blocks of open samples"));
  }
  if (context->format != Format::kTable && blocks.infos.size() > 1) {
    return UsageError(absl::StrCat(blocks.infos.size(),
                                   " blocks match, but CSV and JSON show one: narrow --from, ",
                                   "--to and --seal (histctl block list shows them)"));
  }
  absl::Status damage;
  for (const v1::BlockInfo& info : blocks.infos) {
    if (context->Interrupted()) return InterruptedError("interrupted");
    ASSIGN_OR_RETURN(const v1::ReadBlockResponse block, admin.ReadBlock(info.key()));
    if (&info != blocks.infos.data()) context->out->Append("\n");
    const absl::Status dumped = DumpBlock(blocks.tag, info, block, options.samples, context);
    if (!dumped.ok() && !absl::IsDataLoss(dumped)) return dumped;
    // One damaged block hides no other.
    if (!dumped.ok() && &info != &blocks.infos.back()) context->Note(dumped.message());
    damage.Update(dumped);
  }
  return damage;
}

}  // namespace

void AddBlockCommand(CLI::App* app, Context* context) {
  const auto options = std::make_shared<BlockOptions>();
  CLI::App* const block = app->add_subcommand("block", "look at the stored blocks of a tag");
  block->require_subcommand(1);
  const auto add = [&](const char* name, const char* about,
                       absl::Status (*run)(const BlockOptions&, Context*)) {
    CLI::App* const command = block->add_subcommand(name, about);
    command->add_option("TAG", options->tag, "the tag's name")->required();
    command->add_option("--from", options->from, "only blocks with samples from this time on");
    command->add_option("--to", options->to, "only blocks with samples before this time");
    command->add_option_function<uint64_t>(
        "--seal",
        [options](const uint64_t& seal) {
          options->seal = seal;
          options->has_seal = true;
        },
        "only blocks of this seal");
    command->callback([=] { context->run = [=] { return run(*options, context); }; });
    return command;
  };
  add("list", "blocks in time order", ListBlocks)
      ->footer("\nExamples:\n  histctl block list plant/area-1/pump-101/flow --from -7d\n");
  CLI::App* const dump = add("dump", "decode blocks: head, directory of pages, encodings", DumpBlocks);
  dump->add_flag("--samples", options->samples, "print the samples instead");
  dump->footer(
      "\nChecksums are verified; a damaged page is named and the exit code is 7. What the columns mean is "
      "in\n"
      "storage/format/block.md and page.md.\n"
      "\nExamples:\n  histctl block dump plant/area-1/pump-101/flow --from -1d\n"
      "  histctl block dump plant/area-1/pump-101/flow --seal 17 --samples --format csv\n");
}

}  // namespace historian::histctl
