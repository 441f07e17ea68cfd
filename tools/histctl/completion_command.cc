#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"

namespace historian::histctl {
namespace {

// A command and what may follow it, taken from the command line's own declaration: completion cannot go
// stale.
struct Word {
  std::string path;  // "", "tag", "tag create"
  std::string about;
  std::vector<std::string> commands;
  std::vector<std::string> options;  // "--from"
};

void Collect(const CLI::App& app, const std::string& path, std::vector<Word>* words) {
  Word word{.path = path, .about = app.get_description()};
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) word.options.push_back("--" + name);
  }
  const std::vector<const CLI::App*> commands = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* command : commands) word.commands.push_back(command->get_name());
  words->push_back(word);
  for (const CLI::App* command : commands) {
    Collect(*command, path.empty() ? command->get_name() : path + " " + command->get_name(), words);
  }
}

std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

// Names of commands before the word under the cursor make the path; options follow a dash.
std::string BashScript(const std::vector<Word>& words) {
  std::string script =
      "# bash completion of histctl; source it, or put it into /etc/bash_completion.d/histctl\n"
      "_histctl() {\n"
      "  local word=\"${COMP_WORDS[COMP_CWORD]}\" path='' next i\n"
      "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
      "    next=\"${path:+$path }${COMP_WORDS[i]}\"\n"
      "    case \"$next\" in\n";
  std::vector<std::string> paths;
  for (const Word& word : words) {
    if (!word.path.empty()) paths.push_back(Quoted(word.path));
  }
  absl::StrAppend(&script, "      ", absl::StrJoin(paths, "|"), ") path=\"$next\" ;;\n    esac\n  done\n",
                  "  local commands='' options=''\n  case \"$path\" in\n");
  for (const Word& word : words) {
    absl::StrAppend(&script, "    ", Quoted(word.path),
                    ") commands=", Quoted(absl::StrJoin(word.commands, " ")),
                    " options=", Quoted(absl::StrJoin(word.options, " ")), " ;;\n");
  }
  absl::StrAppend(&script,
                  "  esac\n"
                  "  if [[ \"$word\" == -* ]]; then\n"
                  "    COMPREPLY=($(compgen -W \"$options ",
                  absl::StrJoin(words[0].options, " "),
                  "\" -- \"$word\"))\n"
                  "  elif [[ -n \"$commands\" ]]; then\n"
                  "    COMPREPLY=($(compgen -W \"$commands\" -- \"$word\"))\n"
                  "  else\n"
                  "    COMPREPLY=($(compgen -f -- \"$word\"))\n"
                  "  fi\n"
                  "}\n"
                  "complete -F _histctl histctl\n");
  return script;
}

std::string ZshScript(const std::vector<Word>& words) {
  std::string script =
      "#compdef histctl\n"
      "# zsh completion of histctl; put it as _histctl into a directory of $fpath\n"
      "_histctl() {\n"
      "  local cmdpath='' next i\n"
      "  local -a commands options\n"
      "  for ((i = 2; i < CURRENT; ++i)); do\n"
      "    next=\"${cmdpath:+$cmdpath }${words[i]}\"\n"
      "    case \"$next\" in\n";
  std::vector<std::string> paths;
  for (const Word& word : words) {
    if (!word.path.empty()) paths.push_back(Quoted(word.path));
  }
  absl::StrAppend(&script, "      ", absl::StrJoin(paths, "|"), ") cmdpath=\"$next\" ;;\n    esac\n  done\n",
                  "  case \"$cmdpath\" in\n");
  const auto about = [&](const std::string& path) {
    for (const Word& word : words) {
      if (word.path == path) return word.about;
    }
    return std::string();
  };
  for (const Word& word : words) {
    std::vector<std::string> commands;
    for (const std::string& command : word.commands) {
      const std::string path = word.path.empty() ? command : word.path + " " + command;
      commands.push_back(
          Quoted(absl::StrCat(command, ":", absl::StrReplaceAll(about(path), {{":", "\\:"}}))));
    }
    absl::StrAppend(&script, "    ", Quoted(word.path), ") commands=(", absl::StrJoin(commands, " "),
                    ") options=(", absl::StrJoin(word.options, " "), ") ;;\n");
  }
  absl::StrAppend(&script, "  esac\n  options+=(", absl::StrJoin(words[0].options, " "),
                  ")\n"
                  "  if [[ \"${words[CURRENT]}\" == -* ]]; then\n"
                  "    compadd -- $options\n"
                  "  elif (( ${#commands} )); then\n"
                  "    _describe 'command' commands\n"
                  "  else\n"
                  "    _files\n"
                  "  fi\n"
                  "}\n"
                  "compdef _histctl histctl\n");
  return script;
}

std::string FishScript(const std::vector<Word>& words) {
  std::string script =
      "# fish completion of histctl; put it into ~/.config/fish/completions/histctl.fish\n"
      "function __histctl_path\n"
      "  set -l path ''\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    set -l next (string trim -- \"$path $word\")\n"
      "    switch $next\n";
  std::vector<std::string> paths;
  for (const Word& word : words) {
    if (!word.path.empty()) paths.push_back(Quoted(word.path));
  }
  absl::StrAppend(&script, "      case ", absl::StrJoin(paths, " "),
                  "\n        set path $next\n    end\n  end\n  test \"$path\" = \"$argv[1]\"\nend\n");
  for (const Word& word : words) {
    const std::string condition =
        word.path.empty() ? ""
                          : absl::StrCat(" -n ", Quoted(absl::StrCat("__histctl_path \"", word.path, "\"")));
    for (const std::string& option : word.options) {
      absl::StrAppend(&script, "complete -c histctl", condition, " -l ", option.substr(2), "\n");
    }
    for (const Word& below : words) {
      const std::string prefix = word.path.empty() ? "" : word.path + " ";
      if (below.path.empty() || below.path.substr(0, prefix.size()) != prefix) continue;
      const std::string name = below.path.substr(prefix.size());
      if (name.empty() || name.find(' ') != std::string::npos) continue;
      absl::StrAppend(&script, "complete -c histctl -f -n ",
                      Quoted(absl::StrCat("__histctl_path \"", word.path, "\"")), " -a ", name, " -d ",
                      Quoted(below.about), "\n");
    }
  }
  return script;
}

}  // namespace

void AddCompletionCommand(CLI::App* app, Context* context) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* const completion = app->add_subcommand("completion", "print a shell's completion script");
  completion->add_option("SHELL", *shell, "bash, zsh or fish")->required();
  completion->footer(
      "\nExamples:\n"
      "  source <(histctl completion bash)\n"
      "  histctl completion zsh > \"${fpath[1]}/_histctl\"\n"
      "  histctl completion fish > ~/.config/fish/completions/histctl.fish\n");
  completion->callback([=] {
    context->run = [=]() -> absl::Status {
      std::vector<Word> words;
      Collect(*app, "", &words);
      if (*shell == "bash") {
        context->out->Append(BashScript(words));
      } else if (*shell == "zsh") {
        context->out->Append(ZshScript(words));
      } else if (*shell == "fish") {
        context->out->Append(FishScript(words));
      } else {
        return UsageError(absl::StrCat("shell '", *shell, "': expected bash, zsh or fish"));
      }
      return absl::OkStatus();
    };
  });
}

}  // namespace historian::histctl
