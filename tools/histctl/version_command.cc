#include "absl/strings/str_cat.h"
#include "storage/model/version.h"
#include "tools/histctl/commands.h"

namespace historian::histctl {

void AddVersionCommand(CLI::App* app, Context* context) {
  CLI::App* const version = app->add_subcommand("version", "the version of histctl");
  version->footer("\nThe server's version is in `histctl status`.\n\nExamples:\n  histctl version\n");
  version->callback([=] {
    context->run = [=] {
      context->out->Append(absl::StrCat("histctl ", kVersion, "\n"));
      return absl::OkStatus();
    };
  });
}

}  // namespace historian::histctl
