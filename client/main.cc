// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// longtake: the command line client.
#include <cstdio>

#include "base/printable_text.h"
#include "base/standard_files.h"
#include "client/commands.h"

namespace longtake {

int Report(const absl::Status& status) {
  if (status.ok()) return 0;
  const std::string message(status.message());
  std::fprintf(stderr, "longtake: %s\n", PrintableText(message).c_str());
  return 1;
}

namespace {

int Main(int argc, char** argv) {
  CLI::App app("Generates video with a longtake server, chunk by chunk, for as long as you like.");
  app.footer("Example: longtake generate --prompt \"a red circle\" --duration 10s --out take.mp4");
  app.require_subcommand(1);
  app.fallthrough();
  Globals globals;
  app.add_option("--server", globals.server, "HOST:PORT of longtaked")
      ->envname("LONGTAKE_SERVER")
      ->capture_default_str();
  AddGenerateCommand(app, globals);
  AddAttachCommand(app, globals);
  AddSessionCommands(app, globals);
  AddTopCommand(app, globals);
  AddDoctorCommand(app, globals);
  CLI11_PARSE(app, argc, argv);
  return globals.run();
}

}  // namespace
}  // namespace longtake

int main(int argc, char** argv) {
  longtake::ReserveStandardFiles();
  return longtake::Main(argc, argv);
}
