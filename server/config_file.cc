// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/config_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/pipe.h"
#include "base/printable_text.h"
#include "server/config_options.h"

namespace longtake {
namespace {

constexpr uint64_t kConfigFileBytesMax = 1 << 20;
constexpr int kPipeTimeoutMillis = 10'000;

absl::StatusOr<std::string> ReadText(FileSystem& files, const std::string& path) {
  if (IsPipe(path)) return ReadPipe(path, kConfigFileBytesMax, kPipeTimeoutMillis);
  return ReadTextFile(files, path, kConfigFileBytesMax);
}

// yaml-cpp takes some of these for the end of the text, and options behind it would be lost.
absl::Status CheckCharacters(const std::string& text) {
  int64_t line = 1;
  for (const char c : text) {
    if (c == '\n') ++line;
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 && c != '\n' && c != '\r' && c != '\t') {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", line, ": a control character; the file must be text in UTF-8"));
    }
  }
  return absl::OkStatus();
}

// Null when there is none.
const ConfigOption* FindOption(const std::string& name) {
  const auto options = ConfigOptions();
  const auto found = std::find_if(options.begin(), options.end(),
                                  [&](const ConfigOption& option) { return name == option.name; });
  return found == options.end() ? nullptr : &*found;
}

absl::Status LineError(const YAML::Mark& mark, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat("line ", mark.line + 1, ": ", why));
}

// A list's entries get its separator between them, which is how SetOption takes it.
absl::StatusOr<std::string> ReadValue(const ConfigOption& option, const YAML::Node& node) {
  const std::string key = option.name;
  if (node.IsNull()) return "";
  if (node.IsScalar()) return node.Scalar();
  const char* separator = ListSeparator(option);
  if (!node.IsSequence() || separator == nullptr) {
    return LineError(node.Mark(), absl::StrCat(key, " needs a plain value"));
  }
  std::vector<std::string> entries;
  for (const YAML::Node& entry : node) {
    if (!entry.IsScalar())
      return LineError(entry.Mark(), absl::StrCat(key, ": not a list of texts"));
    entries.push_back(entry.Scalar());
  }
  return absl::StrJoin(entries, separator);
}

absl::StatusOr<std::map<std::string, std::string>> ReadMapping(const YAML::Node& root) {
  std::map<std::string, std::string> out;
  if (root.IsNull()) return out;
  if (!root.IsMap()) return LineError(root.Mark(), "expected lines of \"option: value\"");
  for (const auto& entry : root) {
    const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
    const ConfigOption* option = FindOption(key);
    if (option == nullptr) {
      return LineError(entry.first.Mark(), absl::StrCat("\"", key, "\" is no option"));
    }
    LT_ASSIGN_OR_RETURN(const std::string value, ReadValue(*option, entry.second));
    if (!out.emplace(key, value).second) {
      return LineError(entry.first.Mark(), absl::StrCat(key, " appears twice"));
    }
  }
  return out;
}

// Of a file without a document, too.
absl::StatusOr<std::map<std::string, std::string>> ReadOnlyMapping(
    const std::vector<YAML::Node>& documents) {
  if (documents.empty()) return std::map<std::string, std::string>();
  if (documents.size() > 1) {
    return LineError(documents[1].Mark(), "a second document (after ---); only one is read");
  }
  return ReadMapping(documents.front());
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> ReadConfigFile(FileSystem& files,
                                                                  const std::string& path) {
  LT_ASSIGN_OR_RETURN(const std::string text, ReadText(files, path));
  const absl::Status characters = CheckCharacters(text);
  if (!characters.ok()) return Annotate(characters, path);
  absl::StatusOr<std::map<std::string, std::string>> out;
  // yaml-cpp speaks in exceptions; they end here.
  try {
    out = ReadOnlyMapping(YAML::LoadAll(text));
  } catch (const YAML::Exception& error) {
    out = LineError(error.mark, error.msg);
  }
  if (!out.ok()) return Annotate(out.status(), path);
  return out;
}

std::string YamlScalar(const std::string& text) {
  const bool plain = !text.empty() &&
                     text.find_first_of("#{}[],&*!|>'\"%@`\\") == std::string::npos &&
                     text.find(": ") == std::string::npos && text.front() != ' ' &&
                     text.back() != ' ' && PrintableText(text) == text;
  if (plain) return text;
  YAML::Emitter quoted;
  quoted << YAML::DoubleQuoted << text;
  return quoted.c_str();
}

}  // namespace longtake
