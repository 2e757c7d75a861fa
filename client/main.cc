// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// longtake: the command line client.
#include <signal.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/command_line.h"
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

absl::Status FlushOutput() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("writing standard output: ", std::strerror(errno)));
}

namespace {

int Main(int argc, char** argv) {
  CLI::App app("Generates video with a longtake server, chunk by chunk, for as long as you like.",
               "longtake");
  app.set_version_flag("--version", "longtake " LONGTAKE_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  Globals globals;
  app.add_option("--server", globals.server, "HOST:PORT of longtaked, or unix:PATH")
      ->envname("LONGTAKE_SERVER")
      ->capture_default_str();
  AddGenerateCommand(app, globals);
  AddAttachCommand(app, globals);
  AddFetchCommand(app, globals);
  AddSessionCommands(app, globals);
  AddTopCommand(app, globals);
  AddDoctorCommand(app, globals);
  const char* example =
      "Example: longtake generate --prompt \"a red circle\" --duration 10s --out take.mp4";
  app.footer(example);
  app.get_subcommand("generate")->footer(example);
  app.get_subcommand("attach")->footer("Example: longtake attach sessions/ID --continue take.mp4");
  if (const auto ended = ParseCommandLine(app, argc, argv); ended.has_value()) return *ended;
  const int status = globals.run();
  return status != 0 ? status : Report(FlushOutput());
}

}  // namespace
}  // namespace longtake

int main(int argc, char** argv) {
  longtake::ReserveStandardFiles();
  // A reader that is gone is an error of the write, after which there is something to tidy up.
  signal(SIGPIPE, SIG_IGN);
  return longtake::Main(argc, argv);
}
