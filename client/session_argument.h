// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The argument of a command that is about one session: its name, sessions/ID, or the ID alone.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace longtake {

// The value must outlive the command.
inline void AddSessionArgument(CLI::App& command, std::string& name) {
  command.add_option("session", name, "sessions/ID, as list shows it, or ID")
      ->required()
      ->transform([](const std::string& text) {
        return text.find('/') == std::string::npos ? "sessions/" + text : text;
      });
}

}  // namespace longtake
