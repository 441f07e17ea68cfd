#include <limits.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/admin.h"
#include "client/wire.h"
#include "grpcpp/client_context.h"
#include "proto/historian/v1/ingest.grpc.pb.h"
#include "storage/model/samples.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/lib/value_text.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

constexpr int kAttemptsMax = 20;

struct PutOptions {
  std::string tag;
  std::string value;
  std::string time = "now";
  std::string quality = "Good";
};

std::string Producer() {
  char host[HOST_NAME_MAX + 1] = {};
  if (gethostname(host, sizeof(host) - 1) != 0) host[0] = 0;
  return absl::StrCat("histctl-put/", absl::string_view(host).substr(0, 64));
}

// What --time means. "now" and what counts from it go by the server's clock: this machine's may be wrong.
absl::StatusOr<Timestamp> TimeOf(const PutOptions& options, const client::Connection& connection,
                                 Context* context) {
  ASSIGN_OR_RETURN(const Timestamp time, context->Time("--time", options.time));
  context->now += kNanosPerSecond;
  ASSIGN_OR_RETURN(const Timestamp later, context->Time("--time", options.time));
  if (time == later) return time;
  ASSIGN_OR_RETURN(const v1::GetStatusResponse status, client::Admin(connection).Status());
  context->now = status.now();
  return context->Time("--time", options.time);
}

absl::Status Put(const PutOptions& options, Context* context) {
  RETURN_IF_ERROR(
      context->Time("--time", options.time).status());  // A slip is told before anything is asked.
  const absl::StatusOr<Quality> quality = ParseQuality(options.quality);
  if (!quality.ok()) return UsageError(absl::StrCat("--quality: ", quality.status().message()));
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(const Tag tag, FindTag(connection, options.tag));
  ASSIGN_OR_RETURN(const Timestamp time, TimeOf(options, connection, context));

  Samples samples;
  if (tag.type == ValueType::kString) {
    samples.AddString(time, options.value, *quality);
  } else {
    ValueBits bits = 0;
    std::string why;
    if (!ParseValue(tag.type, options.value, kDecimalPoint, &tag.states, &bits, &why)) {
      return UsageError(absl::StrCat("tag '", tag.name, "': '", options.value, "' is ", why));
    }
    samples.Add(time, bits, *quality);
  }

  v1::WriteOnceRequest request;
  ASSIGN_OR_RETURN(const std::string prefix, context->ProducerPrefix(connection));
  request.set_producer(absl::StrCat(prefix, Producer()));
  client::ColumnToWire(tag.id, tag.type, samples.View(), request.mutable_frame()->add_columns());
  const auto stub = v1::Ingest::NewStub(connection.channel());
  const std::string doing = absl::StrCat("writing tag '", tag.name, "'");
  // One producer for all puts of machines of this name, so that they leave no trail of producers. Each goes on with the
  // number behind the last one. Of two at once one finds its number taken by the other's frame, and tries the next.
  absl::Status status;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    {
      grpc::ClientContext call;
      connection.Prepare(&call);
      v1::GetProducerRequest ask;
      ask.set_producer(request.producer());
      v1::GetProducerResponse producer;
      RETURN_IF_ERROR(client::FromGrpc(stub->GetProducer(&call, ask, &producer), doing));
      request.mutable_frame()->set_sequence(producer.acknowledged() + 1);
    }
    grpc::ClientContext call;
    connection.Prepare(&call);
    v1::WriteAck ack;
    status = client::FromGrpc(stub->WriteOnce(&call, request, &ack), doing);
    if (absl::IsAlreadyExists(status)) continue;
    RETURN_IF_ERROR(status);
    if (ack.samples_rejected() > 0) {
      const std::string reason = ack.rejections_size() > 0 ? ack.rejections(0).message() : "no reason given";
      return absl::FailedPreconditionError(
          absl::StrCat("tag '", tag.name, "': the sample was refused: ", reason));
    }
    // Repeated: somebody said exactly this at the same moment.
    return absl::OkStatus();
  }
  return status;
}

}  // namespace

void AddPutCommand(CLI::App* app, Context* context) {
  const auto options = std::make_shared<PutOptions>();
  CLI::App* const put = app->add_subcommand("put", "write one sample");
  put->add_option("TAG", options->tag, "the tag's name")->required();
  put->add_option("VALUE", options->value, "the value; a state's name or code for a digital tag")->required();
  put->add_option("--time", options->time, "when; now, and what counts from it, by the server's clock")
      ->capture_default_str();
  put->add_option("--quality", options->quality,
                  "Good, Uncertain, Bad, BadSensorFailure, ..., or a code such as 0x80310000")
      ->capture_default_str();
  put->footer(
      "\nDurable when the command returns 0. A text that begins with a dash goes behind --.\n"
      "\nExamples:\n"
      "  histctl put plant/area-1/pump-101/flow 12.5\n"
      "  histctl put plant/area-1/pump-101/state running --time 2026-11-23T09:00:00Z\n"
      "  histctl put plant/area-1/pump-101/flow 0 --time -5m --quality BadSensorFailure\n");
  put->callback([=] { context->run = [=] { return Put(*options, context); }; });
}

}  // namespace historian::histctl
