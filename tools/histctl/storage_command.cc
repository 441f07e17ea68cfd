#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/admin.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

struct StorageOptions {
  std::vector<std::string> tags;
};

// What a sample takes.
Cell Ratio(uint64_t bytes, uint64_t samples) {
  if (samples == 0) return Cell::Absent();
  return Cell::Float64(static_cast<double>(bytes) / static_cast<double>(samples), 4);
}

absl::Status Storage(const StorageOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  std::vector<Tag> tags;
  if (!options.tags.empty()) {
    ASSIGN_OR_RETURN(tags, FindTags(connection, options.tags));
  }
  ASSIGN_OR_RETURN(const v1::GetStorageResponse storage,
                   client::Admin(connection).Storage(SelectionOf(tags)));
  if (tags.empty()) {
    RecordWriter record(context->format, context->out);
    record.Add("samples_sealed", Cell::Unsigned(storage.samples_sealed()));
    record.Add("samples_unsettled", Cell::Unsigned(storage.samples_unsettled()));
    record.Add("samples_open", Cell::Unsigned(storage.samples_open()));
    record.Add("blocks", Cell::Unsigned(storage.blocks()));
    record.Add("blocks_bytes", Cell::Bytes(storage.block_bytes()));
    record.Add("bytes_per_sealed_sample", Ratio(storage.block_bytes(), storage.samples_sealed()));
    record.Add("journal", Cell::Bytes(storage.journal_bytes()));
    record.Add("on_disk", Cell::Bytes(storage.bytes_on_disk()));
    record.Finish();
    return absl::OkStatus();
  }
  std::map<TagId, const v1::TagStorage*> by_id;
  for (const v1::TagStorage& tag : storage.tags()) by_id[tag.tag_id()] = &tag;
  RowWriter rows(context->format,
                 {{.name = "tag", .cut = Cut::kName},
                  {.name = "samples", .right = true},
                  {.name = "open", .right = true},
                  {.name = "blocks", .right = true},
                  {.name = "heads", .right = true},
                  {.name = "payloads", .right = true},
                  {.name = "rollups", .right = true},
                  {.name = "bytes_per_sample", .right = true},
                  {.name = "first"},
                  {.name = "last"}},
                 context->out);
  for (const Tag& tag : tags) {
    const auto found = by_id.find(tag.id);
    if (found == by_id.end()) continue;
    const v1::TagStorage& its = *found->second;
    const bool any = its.samples() > 0;
    const uint64_t sealed = its.samples() - std::min<uint64_t>(its.samples(), its.samples_open());
    rows.AddRow({Cell::Text(tag.name), Cell::Unsigned(its.samples()), Cell::Unsigned(its.samples_open()),
                 Cell::Unsigned(its.blocks()), Cell::Bytes(its.head_bytes()),
                 Cell::Bytes(its.payload_bytes()), Cell::Bytes(its.rollup_bytes()),
                 Ratio(its.head_bytes() + its.payload_bytes() + its.rollup_bytes(), sealed),
                 any ? TimeCell(*context, its.first_time()) : Cell::Absent(),
                 any ? TimeCell(*context, its.last_time()) : Cell::Absent()});
  }
  rows.Finish();
  return absl::OkStatus();
}

}  // namespace

void AddStorageCommand(CLI::App* app, Context* context) {
  const auto options = std::make_shared<StorageOptions>();
  CLI::App* const storage =
      app->add_subcommand("storage", "what is stored and how much space it takes, in total or per tag");
  storage->add_option("TAG", options->tags, "names or patterns (default: totals only)");
  storage->footer(
      "\nOpen samples are in the journal and not yet in a block; `histctl seal` makes blocks of them.\n"
      "\nExamples:\n  histctl storage\n  histctl storage 'plant/area-1/*' --format csv\n");
  storage->callback([=] { context->run = [=] { return Storage(*options, context); }; });
}

}  // namespace historian::histctl
