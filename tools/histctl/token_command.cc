#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/access.h"
#include "server/caller/access_list.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/lib/time_text.h"
#include "tools/histctl/person.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

using server::AccessEntry;

struct TokenOptions {
  std::string name, id;
  std::vector<std::string> read, write, configure, administer, all, producers;
  std::string expires;
  std::string comment;
  std::string data_dir;
  std::string by = Person();
};

absl::StatusOr<Timestamp> ExpiryOf(const TokenOptions& options, const Context& context) {
  if (options.expires.empty()) return 0;
  if (const absl::StatusOr<int64_t> period = ParseDurationText(options.expires); period.ok()) {
    if (*period <= 0) return UsageError("--expires: the token would have ended already");
    return TimestampFromTime(TimeFromTimestamp(context.now) + absl::Nanoseconds(*period));
  }
  return context.Time("--expires", options.expires);
}

// On the server, or in its directory while it does not run.
absl::StatusOr<std::string> MakeToken(const v1::AccessEntry& asked, const TokenOptions& options,
                                      Context* context, std::string* id) {
  if (options.data_dir.empty()) {
    ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
    ASSIGN_OR_RETURN(const v1::CreateTokenResponse made, client::Access(connection).CreateToken(asked));
    *id = made.entry().token_id();
    return made.token();
  }
  const auto list = [](const google::protobuf::RepeatedPtrField<std::string>& patterns) {
    return std::vector<std::string>(patterns.begin(), patterns.end());
  };
  const v1::Permissions& permissions = asked.permissions();
  AccessEntry entry{.name = asked.name(),
                    .permissions = {.tags = {list(permissions.read()), list(permissions.write()),
                                             list(permissions.configure()), list(permissions.administer())},
                                    .producers = list(permissions.producers())},
                    .comment = asked.comment(),
                    .expires = asked.expires(),
                    .created_by = asked.created_by()};
  absl::StatusOr<std::string> token =
      server::AddToken(server::TokensFileOf(options.data_dir), context->now, &entry);
  if (!token.ok()) return LocalFileError(token.status().message());
  *id = entry.token_id;
  return token;
}

absl::Status CreateToken(const TokenOptions& options, Context* context) {
  v1::AccessEntry asked;
  asked.set_name(options.name);
  v1::Permissions* const permissions = asked.mutable_permissions();
  const auto add = [&](const std::vector<std::string>& patterns,
                       google::protobuf::RepeatedPtrField<std::string>* to) {
    to->Add(patterns.begin(), patterns.end());
    to->Add(options.all.begin(), options.all.end());
    return !to->empty();
  };
  const bool may_read = add(options.read, permissions->mutable_read());
  const bool may_write = add(options.write, permissions->mutable_write());
  const bool may_configure = add(options.configure, permissions->mutable_configure());
  const bool may_administer = add(options.administer, permissions->mutable_administer());
  if (!may_read && !may_write && !may_configure && !may_administer) {
    return UsageError(
        "the token could do nothing: say what it may with --read, --write, --configure, --administer or "
        "--all, such as "
        "--read 'plant/area-1/*'");
  }
  permissions->mutable_producers()->Add(options.producers.begin(), options.producers.end());
  asked.set_comment(options.comment);
  asked.set_created_by(options.by);
  ASSIGN_OR_RETURN(const Timestamp expires, ExpiryOf(options, *context));
  asked.set_expires(expires);
  std::string id;
  ASSIGN_OR_RETURN(const std::string token, MakeToken(asked, options, context, &id));
  if (context->format == Format::kTable) {
    // Alone on its line, to be piped into a file.
    context->out->Append(absl::StrCat(token, "\n"));
  } else {
    RecordWriter record(context->format, context->out);
    record.Add("id", Cell::Text(id));
    record.Add("name", Cell::Text(options.name));
    record.Add("token", Cell::Text(token));
    record.Finish();
  }
  context->Note(absl::StrCat(
      "token ", id, " of '", options.name, "' ",
      expires == 0 ? "does not expire" : absl::StrCat("expires ", FormatTimestamp(expires, context->zone)),
      "; it is shown this once: keep it like a password"));
  if (may_write && options.producers.empty()) {
    context->Note(absl::StrCat("it may write as producer '", options.name, "' and '", options.name,
                               "/...': --producer says others"));
  }
  return absl::OkStatus();
}

std::string StateOf(const v1::AccessEntry& entry, Timestamp now) {
  if (entry.revoked() != 0) return "revoked";
  return entry.expires() != 0 && entry.expires() <= now ? "expired" : "in force";
}

void AddRow(const v1::AccessEntry& entry, const Context& context, RowWriter* rows) {
  const auto patterns = [](const google::protobuf::RepeatedPtrField<std::string>& list) {
    return list.empty() ? Cell::Absent() : Cell::Text(absl::StrJoin(list, " "));
  };
  const auto time = [&context](Timestamp at) { return at == 0 ? Cell::Absent() : TimeCell(context, at); };
  const auto text = [](const std::string& said) { return said.empty() ? Cell::Absent() : Cell::Text(said); };
  const v1::Permissions& may = entry.permissions();
  rows->AddRow({text(entry.token_id()), Cell::Text(entry.name()), text(entry.certificate()),
                Cell::Text(StateOf(entry, context.now)), patterns(may.read()), patterns(may.write()),
                patterns(may.configure()), patterns(may.administer()), patterns(may.producers()),
                time(entry.expires()), time(entry.created()), text(entry.created_by()), time(entry.revoked()),
                text(entry.revoked_by()), text(entry.comment())});
}

RowWriter AccessRows(Context* context) {
  return RowWriter(context->format,
                   {{.name = "id"},
                    {.name = "name"},
                    {.name = "certificate"},
                    {.name = "state"},
                    {.name = "read"},
                    {.name = "write"},
                    {.name = "configure"},
                    {.name = "administer"},
                    {.name = "producers"},
                    {.name = "expires"},
                    {.name = "created"},
                    {.name = "created_by"},
                    {.name = "revoked", .machine_only = true},
                    {.name = "revoked_by", .machine_only = true},
                    {.name = "comment"}},
                   context->out);
}

constexpr absl::string_view kEveryone =
    "the server asks nobody who they are: everybody who reaches it may do everything. The first token "
    "changes that: "
    "histctl token create admin --all '*'";

absl::Status ListTokens(Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(const v1::ListAccessResponse listed, client::Access(connection).List());
  RowWriter rows = AccessRows(context);
  for (const v1::AccessEntry& entry : listed.entries()) AddRow(entry, *context, &rows);
  rows.Finish();
  if (listed.everyone()) context->Note(kEveryone);
  return absl::OkStatus();
}

absl::Status RevokeToken(const TokenOptions& options, Context* context) {
  if (!options.data_dir.empty()) {
    const absl::StatusOr<AccessEntry> revoked =
        server::RevokeToken(server::TokensFileOf(options.data_dir), options.id, context->now, options.by);
    if (absl::IsNotFound(revoked.status())) return revoked.status();
    if (!revoked.ok()) return LocalFileError(revoked.status().message());
    context->Note(absl::StrCat("token ", options.id, " of '", revoked->name, "' is revoked"));
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(const v1::AccessEntry entry,
                   client::Access(connection).RevokeToken(options.id, options.by));
  context->Note(absl::StrCat("token ", entry.token_id(), " of '", entry.name(),
                             "' is revoked; calls that go on with it end"));
  return absl::OkStatus();
}

absl::Status WhoAmI(Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(v1::WhoAmIResponse who, client::Access(connection).WhoAmI());
  if (who.everyone()) {
    context->Note(kEveryone);
    return absl::OkStatus();
  }
  if (!who.certificate().empty()) who.mutable_caller()->set_certificate(who.certificate());
  RowWriter rows = AccessRows(context);
  AddRow(who.caller(), *context, &rows);
  rows.Finish();
  return absl::OkStatus();
}

}  // namespace

void AddTokenCommand(CLI::App* app, Context* context) {
  const auto options = std::make_shared<TokenOptions>();
  CLI::App* const token =
      app->add_subcommand("token", "who may do what: tokens that programs and people show");
  token->require_subcommand(1);

  CLI::App* const create = token->add_subcommand("create", "make a token; printed once, and kept nowhere");
  create->add_option("NAME", options->name, "who shows it: stands in logs, and as the author of changes")
      ->required();
  // One value each time, so that NAME may come last.
  const auto patterns = [create](const char* option, std::vector<std::string>* to, const char* help) {
    create->add_option(option, *to, help)->type_name("PATTERN")->expected(1)->take_all();
  };
  patterns("--read", &options->read, "tags whose samples it may read; may be repeated, as may the next ones");
  patterns("--write", &options->write, "tags to which it may write samples");
  patterns("--configure", &options->configure, "tags that it may create, change and retire");
  patterns("--administer", &options->administer,
           "tags whose storage it may look at; '*': everything about the server, tokens too");
  patterns("--all", &options->all, "tags with which it may do all of this");
  patterns("--producer", &options->producers,
           "producers it may write as [NAME, and all that begin with NAME/]");
  create->add_option("--expires", options->expires, "when it ends: 90d from now, or a time [never]");
  create->add_option("--comment", options->comment, "what it is for");
  create->add_option("--by", options->by, "who makes it, where the server asks nobody who they are")
      ->capture_default_str();
  create->add_option("--data-dir", options->data_dir,
                     "write it into this directory of a server, instead of asking the server");
  create->footer(
      "\nFrom the first token on the server asks everybody who they are; so the first one must administer "
      "every tag.\n"
      "A tag on which a token has no right does not exist for it. Each right includes seeing the tag's "
      "definition.\n"
      "With --data-dir it works while the server does not run, or when the last administrator's token is "
      "lost;\n"
      "a server that runs takes it within seconds.\n"
      "\nExamples:\n"
      "  histctl token create admin --all '*' > admin.token\n"
      "  histctl --token-file admin.token token create gateway-7 --write 'plant/area-1/*' --configure "
      "'plant/area-1/*' "
      "\\\n      --expires 365d > gateway-7.token\n"
      "  histctl --token-file admin.token token create grafana --read '*' --comment 'dashboards'\n");
  create->callback([=] { context->run = [=] { return CreateToken(*options, context); }; });

  CLI::App* const list =
      token->add_subcommand("list", "tokens, those that have ended too, and the principals of access.file");
  list->footer("\nExample:\n  histctl token list --format csv\n");
  list->callback([=] { context->run = [=] { return ListTokens(context); }; });

  CLI::App* const revoke = token->add_subcommand("revoke", "end a token, and the calls that go on with it");
  revoke->add_option("ID", options->id, "its id, from 'histctl token list'")->required();
  revoke->add_option("--by", options->by, "who does it, where the server asks nobody who they are")
      ->capture_default_str();
  revoke->add_option("--data-dir", options->data_dir,
                     "end it in this directory of a server, instead of asking the server");
  revoke->footer("\nExample:\n  histctl token revoke 9f2c51d07ab34e86\n");
  revoke->callback([=] { context->run = [=] { return RevokeToken(*options, context); }; });

  CLI::App* const whoami = app->add_subcommand("whoami", "who the server takes us for, and what we may do");
  whoami->footer("\nExample:\n  histctl --token-file gateway-7.token whoami\n");
  whoami->callback([=] { context->run = [=] { return WhoAmI(context); }; });
}

}  // namespace historian::histctl
