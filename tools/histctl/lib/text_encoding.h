// File: tools/histctl/lib/text_encoding.h
//
// Files that are not UTF-8: noticed, and turned into it.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_TEXT_ENCODING_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_TEXT_ENCODING_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace historian::histctl {

// What a text is written in: "UTF-8", or "UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE" by its byte order mark, or by where its
// zeros are. Errors: InvalidArgument, something else, which nobody can tell by itself; shows the first such line as it reads
// in the encoding of Western Europe, and names the option to say it.
absl::StatusOr<std::string> FindEncoding(absl::string_view text);

// The text in UTF-8, without a byte order mark. `encoding` is a name that iconv knows, "latin-1" and others too.
// Errors: InvalidArgument, no such encoding, or the text is not in it; says at which line.
absl::StatusOr<std::string> ToUtf8(absl::string_view text, const std::string& encoding);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_TEXT_ENCODING_H_
