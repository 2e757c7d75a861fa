// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How the programs with subcommands read their command line. The library's exceptions end here.
#pragma once

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "base/printable_text.h"

namespace longtake {

inline constexpr int kUsageStatus = 2;

// Of a word that is no command the library says only that one is missing.
inline bool TellUnknownCommand(const CLI::App& app) {
  const std::vector<std::string> words = app.remaining();
  if (!app.get_subcommands().empty() || words.empty() || words.front().starts_with('-')) {
    return false;
  }
  std::string known;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    known += (known.empty() ? "" : ", ") + command->get_name();
  }
  std::fprintf(stderr, "%s: there is no command \"%s\"; there are %s\n", app.get_name().c_str(),
               PrintableText(words.front()).c_str(), known.c_str());
  return true;
}

// Nothing when the program goes on; otherwise its exit status: 0 after --help and --version,
// kUsageStatus after an error, which was told.
inline std::optional<int> ParseCommandLine(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0 && TellUnknownCommand(app)) return kUsageStatus;
    return app.exit(error) == 0 ? 0 : kUsageStatus;
  }
}

}  // namespace longtake
