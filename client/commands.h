// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The subcommands of longtake. Each adds itself to the program and leaves, when chosen, a function
// that runs it and gives the exit status.
#pragma once

#include <functional>
#include <string>

#include "CLI/CLI.hpp"
#include "base/status_macros.h"

namespace longtake {

// What all subcommands share.
struct Globals {
  std::string server = "127.0.0.1:7767";
  std::function<int()> run;
};

void AddGenerateCommand(CLI::App& app, Globals& globals);  // generate
void AddAttachCommand(CLI::App& app, Globals& globals);    // attach
void AddFetchCommand(CLI::App& app, Globals& globals);     // fetch
// sessions list, show, fork, rewind, park, delete; list, get, delete, models, estimate
void AddSessionCommands(CLI::App& app, Globals& globals);
void AddTopCommand(CLI::App& app, Globals& globals);     // top
void AddDoctorCommand(CLI::App& app, Globals& globals);  // doctor

// Prints "longtake: message" in one line to standard error when it is an error; the exit status.
int Report(const absl::Status& status);
// Whether all that was printed so far could be written.
absl::Status FlushOutput();

}  // namespace longtake
