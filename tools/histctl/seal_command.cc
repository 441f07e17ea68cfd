#include "client/admin.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/lib/row_writer.h"

namespace historian::histctl {
namespace {

absl::Status Seal(Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(const v1::SealResponse sealed, client::Admin(connection).Seal());
  RecordWriter record(context->format, context->out);
  record.Add("samples", Cell::Unsigned(sealed.samples()));
  record.Add("blocks", Cell::Unsigned(sealed.blocks()));
  record.Add("bytes", Cell::Bytes(sealed.bytes()));
  record.Finish();
  return absl::OkStatus();
}

}  // namespace

void AddSealCommand(CLI::App* app, Context* context) {
  CLI::App* const seal = app->add_subcommand("seal", "turn everything open into blocks now");
  seal->footer(
      "\nThe server does so by itself; this is for before a backup, or to see what samples take.\n"
      "\nExamples:\n  histctl seal\n");
  seal->callback([=] { context->run = [=] { return Seal(context); }; });
}

}  // namespace historian::histctl
