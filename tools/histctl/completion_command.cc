#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/tags.h"
#include "storage/calendar/zones.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/lib/known_names.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

// Nobody waits longer at the tab key.
constexpr absl::Duration kTagsDeadline = absl::Seconds(1);
// Names that are asked for, and those above which only the way to them is shown, up to the next slash.
constexpr uint32_t kTagsMax = 5000;
constexpr size_t kTagsShown = 100;

// A shell script asks `histctl __complete WORD...`, whose last word is the one under the cursor and may be empty, and gets a line
// for each that may stand there: the word, and perhaps a tab and what it is. The one line ":files" means names of files.
constexpr absl::string_view kFiles = ":files";

struct Candidate {
  std::string word;
  std::string about;
};

// By the names of options and arguments.
constexpr absl::string_view kFileNames[] = {"--ca",     "--cert",     "--key",      "--token-file", "-o",
                                            "--output", "--data-dir", "--rotation", "FILE"};
constexpr absl::string_view kTagNames[] = {"--tags", "--prefix", "TAG", "PATTERN"};
constexpr absl::string_view kTimeNames[] = {"--from", "--to", "--time", "--as-of"};

std::vector<Candidate> Words(const std::vector<std::string>& words) {
  std::vector<Candidate> candidates;
  for (const std::string& word : words) candidates.push_back({word, ""});
  return candidates;
}

// Names of tags that begin with `begin`.
std::vector<Candidate> TagNames(const std::string& begin, const Context& context) {
  if (IsPattern(begin)) return {};
  const absl::StatusOr<client::Connection> connection = context.Connect(kTagsDeadline);
  if (!connection.ok()) return {};
  std::vector<std::string> names;
  client::TagList list = client::Tags(*connection).List({.prefix = begin, .page_size = kTagsMax});
  for (const Tag& tag : list) {
    names.push_back(tag.name);
    if (names.size() == kTagsMax) break;
  }
  if (names.size() <= kTagsShown) return Words(names);
  std::set<std::string> ways;
  for (const std::string& name : names) {
    const size_t slash = name.find('/', begin.size());
    ways.insert(slash == std::string::npos ? name : name.substr(0, slash + 1));
  }
  return Words({ways.begin(), ways.end()});
}

// "min,m" is followed by "min,max" and "min,minimum".
std::vector<Candidate> ListOf(const std::vector<std::string>& names, absl::string_view word) {
  const size_t comma = word.rfind(',');
  const absl::string_view before = comma == absl::string_view::npos ? "" : word.substr(0, comma + 1);
  std::vector<Candidate> candidates;
  for (const std::string& name : names) candidates.push_back({absl::StrCat(before, name), ""});
  return candidates;
}

// What may stand as the value of an option, or for an argument of the command.
std::vector<Candidate> Values(const CLI::App& command, const std::string& name, const std::string& word,
                              const Context& context) {
  const auto among = [&](const auto& names) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
  };
  const bool is_salvage = command.get_name() == "salvage";
  if (among(kFileNames) || (name == "--to" && is_salvage)) return {{std::string(kFiles), ""}};
  if (among(kTagNames) || (name == "NAME" && command.get_parent() != nullptr &&
                           command.get_parent()->get_name() == "tag" && command.get_name() != "create")) {
    return TagNames(word, context);
  }
  if (among(kTimeNames)) {
    return Words({"now", "today", "yesterday", "monday", "-1h", "-8h", "-1d", "-1w"});
  }
  if (name == "--type") return Words(ValueTypeNames());
  if (name == "--aggregate") return ListOf(AggregateNames(), word);
  if (name == "--tz" || name == "--zone") {
    std::vector<std::string> zones = ZoneNames();
    zones.push_back("local");
    return Words(zones);
  }
  if (name == "--every") return Words({"15m", "1h", "8h", "1d", "1w", "1mo", "3mo", "1y"});
  if (name == "--week-begins") {
    return Words({"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"});
  }
  if (name == "--format") return Words({"table", "csv", "json"});
  if (name == "--interpolation") return Words({"stepped", "sloped"});
  if (name == "--layout") return Words({"long", "wide"});
  if (name == "--time-format") {
    return Words({"iso", "rfc3339", "unix", "unix_ms", "unix_us", "unix_ns", "excel", "%d.%m.%Y %H:%M:%S"});
  }
  if (name == "--interval" || name == "--compare" || name == "--gap") {
    return Words({"1m", "10m", "15m", "1h", "8h", "1d", "1w"});
  }
  if (name == "--quality") return Words({"Good", "Uncertain", "Bad", "BadNoData", "BadSensorFailure"});
  if (name == "SHELL") return Words({"bash", "zsh", "fish"});
  return {};
}

const CLI::Option* FindOption(const CLI::App& command, const std::string& name) {
  for (const CLI::App* at = &command; at != nullptr; at = at->get_parent()) {
    for (const CLI::Option* option : at->get_options()) {
      if (!option->get_positional() && option->check_name(name)) return option;
    }
  }
  return nullptr;
}

bool TakesValue(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

// The server to ask, and how: as the words in front of the cursor and the environment say.
void TakeConnection(const std::vector<std::pair<std::string, std::string>>& given, CLI::App* app) {
  for (CLI::Option* option : app->get_options()) {
    if (!TakesValue(*option)) {
      // --tls.
      for (const auto& [name, value] : given) {
        if (option->check_name(name) && name == "--tls") option->add_result("true");
      }
    } else {
      const char* const value =
          option->get_envname().empty() ? nullptr : std::getenv(option->get_envname().c_str());
      std::string text = value == nullptr ? "" : value;
      for (const auto& [name, word] : given) {
        if (option->check_name(name)) text = word;
      }
      if (text.empty()) continue;
      option->add_result(text);
    }
    if (option->count() > 0) option->run_callback();
  }
}

std::vector<Candidate> Candidates(CLI::App* app, const std::vector<std::string>& words,
                                  const Context& context) {
  const CLI::App* command = app;
  std::vector<std::pair<std::string, std::string>> given;  // Options of all, with their values.
  const CLI::Option* open = nullptr;                       // The one whose value comes next.
  std::string open_name;
  size_t arguments = 0;
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (open != nullptr) {
      given.emplace_back(open_name, word);
      open = nullptr;
      continue;
    }
    if (absl::StartsWith(word, "-") && word.size() > 1) {
      const std::pair<std::string, std::string> parts = absl::StrSplit(word, absl::MaxSplits('=', 1));
      const CLI::Option* const option = FindOption(*command, parts.first);
      if (option == nullptr) continue;
      if (TakesValue(*option) && parts.first == word) {
        open = option;
        open_name = parts.first;
      } else {
        given.push_back(parts);
      }
      continue;
    }
    const CLI::App* below = nullptr;
    for (const CLI::App* one : command->get_subcommands([](const CLI::App*) { return true; })) {
      if (arguments == 0 && one->get_name() == word) below = one;
    }
    if (below != nullptr) {
      command = below;
    } else {
      ++arguments;
    }
  }
  TakeConnection(given, app);
  const std::string& word = words.back();
  if (open != nullptr) return Values(*command, open_name, word, context);
  if (absl::StartsWith(word, "-")) {
    if (const size_t equals = word.find('='); equals != std::string::npos) {
      const std::string name = word.substr(0, equals);
      std::vector<Candidate> values = Values(*command, name, word.substr(equals + 1), context);
      for (Candidate& value : values) {
        if (value.word != kFiles) value.word = absl::StrCat(name, "=", value.word);
      }
      return values;
    }
    std::vector<Candidate> options;
    for (const CLI::App* at = command; at != nullptr; at = at->get_parent()) {
      for (const CLI::Option* option : at->get_options()) {
        for (const std::string& name : option->get_lnames()) {
          options.push_back({"--" + name, option->get_description()});
        }
      }
    }
    return options;
  }
  const std::vector<const CLI::App*> below = command->get_subcommands([](const CLI::App*) { return true; });
  if (!below.empty() && arguments == 0) {
    std::vector<Candidate> commands;
    for (const CLI::App* one : below) commands.push_back({one->get_name(), one->get_description()});
    return commands;
  }
  std::vector<const CLI::Option*> takes;
  for (const CLI::Option* option : command->get_options()) {
    if (option->get_positional()) takes.push_back(option);
  }
  for (const CLI::Option* option : takes) {
    const auto most = static_cast<size_t>(std::max(1, option->get_items_expected_max()));
    if (arguments < most) return Values(*command, option->get_name(), word, context);
    arguments -= most;
  }
  return {};
}

constexpr absl::string_view kBashScript =
    R"(# bash completion of histctl; source it, or put it into /etc/bash_completion.d/histctl
_histctl() {
  local line="${COMP_LINE:0:COMP_POINT}" words word prefix found candidate
  read -ra words <<< "$line"
  if [[ "$line" == *[[:space:]] ]]; then words+=(''); fi
  word="${words[-1]}"
  # For bash a word begins behind a : or =, and a quote is none of it.
  prefix="${word%"${word##*[:=]}"}"
  word="${word#[\"\']}"
  words[-1]="$word"
  COMPREPLY=()
  mapfile -t found < <("${words[0]}" __complete "${words[@]:1}" 2> /dev/null)
  if [[ "${found[0]}" == ':files' ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "${word#"$prefix"}")
    compopt -o filenames 2> /dev/null
    return
  fi
  for candidate in "${found[@]%%$'\t'*}"; do
    if [[ "$candidate" == "$word"* ]]; then
      if [[ "$candidate" == */ ]]; then compopt -o nospace 2> /dev/null; fi
      COMPREPLY+=("${candidate#"$prefix"}")
    fi
  done
}
complete -F _histctl histctl
)";

constexpr absl::string_view kZshScript = R"(#compdef histctl
# zsh completion of histctl; put it as _histctl into a directory of $fpath
_histctl() {
  local -a found told
  found=("${(@f)$("${words[1]}" __complete "${(@Q)words[2,CURRENT-1]}" "$PREFIX" 2> /dev/null)}")
  if [[ "$found[1]" == ':files' ]]; then
    _files
  elif [[ "$found[1]" == *$'\t'* ]]; then
    told=("${(@)${(@)found//:/\\:}/$'\t'/:}")
    _describe 'histctl' told
  else
    compadd -S '' -- ${(M)found:#*/}
    compadd -- ${found:#*/}
  fi
}
compdef _histctl histctl
)";

constexpr absl::string_view kFishScript =
    R"(# fish completion of histctl; put it into ~/.config/fish/completions/histctl.fish
function __histctl_complete
  set -l words (commandline -opc)
  set -l found ($words[1] __complete $words[2..-1] (commandline -ct) 2> /dev/null)
  if test "$found[1]" = ':files'
    __fish_complete_path (commandline -ct)
  else
    printf '%s\n' $found
  end
end
complete -c histctl -f -a '(__histctl_complete)'
)";

}  // namespace

void Complete(CLI::App* app, const std::vector<std::string>& words, Context* context) {
  if (words.empty()) return;
  for (const Candidate& candidate : Candidates(app, words, *context)) {
    const bool fits = candidate.word == kFiles || absl::StartsWith(candidate.word, words.back());
    if (!fits || candidate.word.find('\n') != std::string::npos) continue;
    context->out->Append(candidate.word);
    if (!candidate.about.empty()) context->out->Append(absl::StrCat("\t", candidate.about));
    context->out->Append("\n");
  }
}

void AddCompletionCommand(CLI::App* app, Context* context) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* const completion = app->add_subcommand("completion", "print a shell's completion script");
  completion->add_option("SHELL", *shell, "bash, zsh or fish")->required();
  completion->footer(
      "\nCommands, options, and what may stand behind them: names of tags (asked of the server, for a second "
      "at most),\n"
      "types, aggregates, time zones.\n"
      "\nExamples:\n"
      "  source <(histctl completion bash)\n"
      "  histctl completion zsh > \"${fpath[1]}/_histctl\"\n"
      "  histctl completion fish > ~/.config/fish/completions/histctl.fish\n");
  completion->callback([=] {
    context->run = [=]() -> absl::Status {
      if (*shell == "bash") {
        context->out->Append(kBashScript);
      } else if (*shell == "zsh") {
        context->out->Append(kZshScript);
      } else if (*shell == "fish") {
        context->out->Append(kFishScript);
      } else {
        return UsageError(absl::StrCat("shell '", *shell, "': expected bash, zsh or fish"));
      }
      return absl::OkStatus();
    };
  });
}

}  // namespace historian::histctl
