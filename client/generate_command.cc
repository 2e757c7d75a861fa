// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// longtake generate and longtake attach.
#include <csignal>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/units.h"
#include "client/commands.h"
#include "client/connection.h"
#include "client/spec_options.h"
#include "client/start_frames.h"
#include "client/take.h"

namespace longtake {
namespace {

std::atomic<bool> g_stop = false;

// The first interrupt ends the take politely, the second the program.
void OnInterrupt(int signal) {
  g_stop = true;
  std::signal(signal, SIG_DFL);
}

struct TakeOptions {
  SpecOptions spec;
  std::string output;
  std::vector<std::string> changes;
  bool quiet = false;
  std::string session;
  int64_t next_chunk = -1;
  std::string from;
  int64_t from_frames = 81;
};

// "5s=a blue square"; by time, those of one time as given.
absl::StatusOr<std::vector<PromptChange>> ParseChanges(const std::vector<std::string>& texts) {
  std::multimap<double, std::string> by_second;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("--prompt-at: '", text, "' is not TIME=PROMPT"));
    }
    auto nanos = ParseDurationNanos(text.substr(0, equals));
    if (!nanos.ok()) return Annotate(nanos.status(), "--prompt-at");
    const std::string prompt = text.substr(equals + 1);
    LT_RETURN_IF_ERROR(CheckUtf8("--prompt-at", prompt));
    by_second.emplace(NanosToSeconds(*nanos), prompt);
  }
  std::vector<PromptChange> changes;
  for (const auto& [second, prompt] : by_second) changes.push_back({second, prompt});
  return changes;
}

absl::Status Run(v1::LongtakeService::Stub& stub, const TakeOptions& options, TakeRequest request) {
  request.output = options.output;
  request.quiet = options.quiet;
  LT_ASSIGN_OR_RETURN(request.changes, ParseChanges(options.changes));
  std::signal(SIGINT, OnInterrupt);
  LT_ASSIGN_OR_RETURN(const TakeReport report, RunTake(stub, request, g_stop));
  std::FILE* out = options.output == "-" ? stderr : stdout;
  std::fprintf(out, "%s: %lld frames in %lld chunks\n", report.session.c_str(),
               static_cast<long long>(report.frames), static_cast<long long>(report.chunks));
  std::fprintf(out, "first frame  %.2f s\n", report.first_frame_seconds);
  std::fprintf(out, "frames/s     %.1f\n", static_cast<double>(report.frames) / report.seconds);
  std::fprintf(out, "digest       %s\n", report.chain_digest.c_str());
  if (options.output != "-") std::fprintf(out, "video        %s\n", options.output.c_str());
  return absl::OkStatus();
}

absl::Status Generate(const Globals& globals, const TakeOptions& options) {
  const auto stub = Connect(globals.server);
  TakeRequest request;
  v1::SessionSpec* spec = request.first.mutable_open()->mutable_spec();
  LT_ASSIGN_OR_RETURN(*spec, MakeSpec(*stub, options.spec));
  if (!options.from.empty()) {
    LT_ASSIGN_OR_RETURN(request.start_frames,
                        ReadStartFrames(*stub, options.from, options.from_frames, spec));
  }
  return Run(*stub, options, std::move(request));
}

absl::Status Attach(const Globals& globals, const TakeOptions& options) {
  const auto stub = Connect(globals.server);
  TakeRequest request;
  v1::Attach* attach = request.first.mutable_attach();
  attach->set_name(options.session);
  if (options.next_chunk >= 0) attach->set_next_chunk(options.next_chunk);
  return Run(*stub, options, std::move(request));
}

void AddOutputOptions(CLI::App& command, TakeOptions& options) {
  command
      .add_option(
          "--out", options.output,
          "NAME.mp4, NAME.y4m, NAME.png (contact sheet), FOLDER/ (PNG frames) or - (MP4 for a "
          "player)")
      ->required();
  command.add_option("--prompt-at", options.changes,
                     "TIME=PROMPT: show something else from about this time on; may repeat");
  command.add_flag("--quiet", options.quiet, "No word of progress");
}

}  // namespace

void AddGenerateCommand(CLI::App& app, Globals& globals) {
  auto options = std::make_shared<TakeOptions>();
  CLI::App* command = app.add_subcommand("generate", "Make a session and write its video");
  AddSpecOptions(*command, options->spec);
  command->add_option(
      "--from", options->from,
      "A picture or a video to go on from; it is cut to --size and begins the take");
  command
      ->add_option("--from-frames", options->from_frames,
                   "At most so many of the video's last frames")
      ->capture_default_str();
  AddOutputOptions(*command, *options);
  command->callback([&globals, options] {
    globals.run = [&globals, options] { return Report(Generate(globals, *options)); };
  });
}

void AddAttachCommand(CLI::App& app, Globals& globals) {
  auto options = std::make_shared<TakeOptions>();
  CLI::App* command = app.add_subcommand("attach", "Write the video of a session that lives");
  command->add_option("session", options->session, "sessions/ID, as list shows it")->required();
  command->add_option("--from-chunk", options->next_chunk,
                      "First chunk; default: the first not sent");
  AddOutputOptions(*command, *options);
  command->callback([&globals, options] {
    globals.run = [&globals, options] { return Report(Attach(globals, *options)); };
  });
}

}  // namespace longtake
