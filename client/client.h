// File: client/client.h
//
// Historian's C++ client: everything, and where to begin.
//
//   connection.h  Connection: a server, and how to reach it.
//   tags.h        Tags: creating, finding, changing and retiring tags.
//   writer.h      Writer: sends samples, durably and exactly once, over lost links and restarts.
//   reader.h      Reader: raw samples, newest values, values at given times, aggregates, plots.
//   admin.h       Admin: the server's state, its storage, sealing, blocks.
//   retention.h   Retention: how long data are kept, and legal holds.
//   tag_items.h, answers.h, rejection.h
//                 What these take and give.
//   wire.h        The one place that turns samples, tags and statuses into wire messages and back.
//
// Every call returns an absl::Status or StatusOr: the server's gRPC code unchanged, and a message that begins
// with what was asked ("reading tag 7: no such tag"). A reply that is not what the contract promises is
// Internal and says which field. Nothing throws, nothing aborts on what a server sends.
//
// Example (client/example.cc is this one grown up):
//
//   using historian::client::Connection, historian::client::Writer;
//   ASSIGN_OR_RETURN(Connection connection, Connection::Open({.target = "historian.plant:7720"}));
//
//   historian::client::Tags tags(connection);
//   ASSIGN_OR_RETURN(std::vector<historian::Tag> ensured,
//                    tags.Ensure({{.name = "area-1/pump-101/flow", .unit = "m3/h"}}));
//   const historian::TagId flow = ensured[0].id;
//
//   ASSIGN_OR_RETURN(auto writer, Writer::Open(connection, {.producer = "gateway-7"}));
//   RETURN_IF_ERROR(writer->AddFloat64(flow, historian::Clock::System().Now(), 12.5));
//   RETURN_IF_ERROR(writer->Close(absl::Seconds(10)));  // Durable when this returns OK.
//
//   historian::client::Reader reader(connection);
//   auto raw = reader.Raw(flow, from, to);
//   for (const historian::client::SampleBatch& batch : raw) {
//     const historian::Samples& samples = batch.samples;
//     for (size_t i = 0; i < samples.size(); ++i) Draw(samples.times[i], samples.values[i]);
//   }
//   RETURN_IF_ERROR(raw.status());
#ifndef HISTORIAN_CLIENT_CLIENT_H_
#define HISTORIAN_CLIENT_CLIENT_H_

#include "client/admin.h"
#include "client/answers.h"
#include "client/connection.h"
#include "client/reader.h"
#include "client/rejection.h"
#include "client/retention.h"
#include "client/tag_items.h"
#include "client/tags.h"
#include "client/writer.h"

#endif  // HISTORIAN_CLIENT_CLIENT_H_
