#include <memory>

#include "client/admin.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/lib/row_writer.h"

namespace historian::histctl {
namespace {

absl::Status Seal(bool settle, Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(const v1::SealResponse sealed, client::Admin(connection).Seal(settle, absl::Hours(24)));
  RecordWriter record(context->format, context->out);
  record.Add("samples", Cell::Unsigned(sealed.samples()));
  record.Add("blocks", Cell::Unsigned(sealed.blocks()));
  record.Add("bytes", Cell::Bytes(sealed.bytes()));
  if (settle) record.Add("weeks_settled", Cell::Unsigned(sealed.partitions_settled()));
  record.Finish();
  return absl::OkStatus();
}

}  // namespace

void AddSealCommand(CLI::App* app, Context* context) {
  CLI::App* const seal = app->add_subcommand("seal", "turn everything open into blocks now");
  seal->footer(
      "\nThe server does so by itself; this is for before a backup, or to see what samples take.\n"
      "With --settle it also merges late blocks into the others, builds rollups and encodes everything as "
      "densely\n"
      "as possible, which the server does by itself when a week is over. That may take minutes.\n"
      "\nExamples:\n  histctl seal\n  histctl seal --settle\n");
  const auto settle = std::make_shared<bool>(false);
  seal->add_flag("--settle", *settle, "then merge and encode for good what has something to gain");
  seal->callback([=] { context->run = [=] { return Seal(*settle, context); }; });
}

}  // namespace historian::histctl
