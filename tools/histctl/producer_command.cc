#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/admin.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/person.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

constexpr uint32_t kAtOnce = 10'000;

struct ProducerOptions {
  std::string name;
  std::string by = Person();
};

// All producers, or the one of this name.
absl::Status ListProducers(const std::string& name, Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  RowWriter rows(context->format,
                 {{.name = "producer", .cut = Cut::kName},
                  {.name = "sequence", .right = true},
                  {.name = "last_seen"},
                  {.name = "frames", .right = true},
                  {.name = "stream", .cut = Cut::kText}},
                 context->out);
  v1::ListProducersRequest request;
  request.set_name(name);
  request.set_limit(kAtOnce);
  bool more = true, any = false;
  while (more) {
    ASSIGN_OR_RETURN(const v1::ListProducersResponse listed,
                     client::Admin(connection).ListProducers(request));
    for (const v1::ProducerInfo& producer : listed.producers()) {
      any = true;
      rows.AddRow({Cell::Text(producer.name()), Cell::Unsigned(producer.sequence()),
                   TimeCell(*context, producer.last_seen()), Cell::Unsigned(producer.frames_stored()),
                   producer.open_stream() ? Cell::Text(producer.peer()) : Cell::Absent()});
      request.set_after(producer.name());
    }
    more = listed.more();
  }
  rows.Finish();
  if (!name.empty() && !any) {
    return absl::NotFoundError(
        absl::StrCat("no producer '", name, "' has written; 'histctl producer list' lists them"));
  }
  return absl::OkStatus();
}

absl::Status ResetProducer(const ProducerOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(const uint64_t sequence,
                   client::Admin(connection).ResetProducer(options.name, options.by));
  context->Note(
      absl::StrCat("producer '", options.name, "' begins anew: its last frame was ", sequence,
                   ", its next one may have the number 1, and what it sends again is stored again"));
  return absl::OkStatus();
}

}  // namespace

void AddProducerCommand(CLI::App* app, Context* context) {
  const auto options = std::make_shared<ProducerOptions>();
  CLI::App* const producer =
      app->add_subcommand("producer", "writers, and the number of the last frame that each has stored");
  producer->require_subcommand(1);
  CLI::App* const list = producer->add_subcommand("list", "all that have written");
  list->footer(
      "\nsequence is the number of the last frame that is stored, last_seen when that was by the server's "
      "clock (for\n"
      "frames that the server found in its journal: when it started), frames how many were stored since the "
      "server\n"
      "started, stream who has the producer's write stream open.\n"
      "\nExample:\n"
      "  histctl producer list --format csv\n");
  list->callback([=] { context->run = [=] { return ListProducers("", context); }; });
  CLI::App* const show = producer->add_subcommand("show", "one of them");
  show->add_option("NAME", options->name, "the producer's name")->required();
  show->footer("\nExample:\n  histctl producer show gateway-7\n");
  show->callback([=] { context->run = [=] { return ListProducers(options->name, context); }; });
  CLI::App* const reset = producer->add_subcommand("reset", "let one begin anew");
  reset->add_option("NAME", options->name, "the producer's name")->required();
  reset->add_option("--by", options->by, "who does it, for the server's log")->capture_default_str();
  reset->footer(
      "\nThe server forgets the producer's last number, as if its name had never been heard of, and ends its "
      "stream.\n"
      "Its next frame may have the number 1. It helps a producer whose number somebody drove up by mistake, "
      "and one\n"
      "that lost its own numbers. What it has stored stays. Frames that it sends again are stored again; "
      "that does no\n"
      "harm, for a sample that repeats a stored one changes nothing.\n"
      "\nExample:\n"
      "  histctl producer reset gateway-7\n");
  reset->callback([=] { context->run = [=] { return ResetProducer(*options, context); }; });
}

}  // namespace historian::histctl
