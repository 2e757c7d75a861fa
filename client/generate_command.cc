// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// longtake generate, attach and fetch.
#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/printable_text.h"
#include "base/random_id.h"
#include "base/units.h"
#include "client/commands.h"
#include "client/connection.h"
#include "client/count_option.h"
#include "client/output_file.h"
#include "client/session_argument.h"
#include "client/spec_options.h"
#include "client/start_frames.h"
#include "client/take.h"

namespace longtake {
namespace {

struct TakeOptions {
  SpecOptions spec;
  std::string output;
  std::vector<std::string> changes;
  bool quiet = false;
  bool keep = false;
  std::string reconnect_for = "2m";
  std::string session;
  std::optional<std::string> next_chunk;
  std::string continued;
  std::string from;
  std::string from_frames = "81";
  std::string chunks;
};

constexpr int64_t kBillion = 1'000'000'000;

// "5s=a blue square"; by time.
absl::StatusOr<std::vector<TimedPrompt>> ParseChanges(const std::vector<std::string>& texts) {
  std::vector<TimedPrompt> changes;
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
    const auto place =
        std::upper_bound(changes.begin(), changes.end(), *nanos,
                         [](int64_t at, const TimedPrompt& other) { return at < other.nanos; });
    changes.insert(place, {.nanos = *nanos, .prompt = prompt});
  }
  return changes;
}

void Tell(const TakeReport& report, const std::string& output) {
  std::FILE* out = output == "-" ? stderr : stdout;
  std::fprintf(out, "%s: %lld frames in %lld chunks\n", PrintableText(report.session).c_str(),
               static_cast<long long>(report.frames), static_cast<long long>(report.chunks));
  if (report.frames == 0) return;
  std::fprintf(out, "first frame  %.2f s\n", report.first_frame_seconds);
  std::fprintf(out, "frames/s     %.1f\n", static_cast<double>(report.frames) / report.seconds);
  std::fprintf(out, "digest       %s\n", report.chain_digest.c_str());
  if (output != "-") std::fprintf(out, "video        %s\n", PrintableText(output).c_str());
}

// What the options say of a take, before the server is asked anything.
absl::StatusOr<TakeRequest> MakeRequest(const TakeOptions& options) {
  TakeRequest request;
  request.output = options.output;
  request.quiet = options.quiet;
  request.keep = options.keep;
  LT_ASSIGN_OR_RETURN(request.changes, ParseChanges(options.changes));
  const auto reconnect_nanos = ParseDurationNanos(options.reconnect_for);
  if (!reconnect_nanos.ok()) return Annotate(reconnect_nanos.status(), "--reconnect-for");
  request.reconnect_nanos = *reconnect_nanos;
  return request;
}

absl::Status Run(v1::LongtakeService::Stub& stub, const TakeRequest& request, VideoSink& sink) {
  LT_ASSIGN_OR_RETURN(const TakeReport report, RunTake(stub, request, sink));
  Tell(report, request.output);
  if (report.frames > 0) return absl::OkStatus();
  // Whoever waits for the file must not think that it is there.
  return absl::CancelledError("no frame came, so nothing was written");
}

absl::Status Generate(const Globals& globals, const TakeOptions& options) {
  if (!options.from.empty() && IsSameFile(options.from, options.output)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--from and --out are the same file, ", options.from,
                     ", which would be overwritten; name another output"));
  }
  LT_ASSIGN_OR_RETURN(const std::unique_ptr<VideoSink> sink, MakeVideoSink(options.output));
  LT_ASSIGN_OR_RETURN(TakeRequest request, MakeRequest(options));
  LT_ASSIGN_OR_RETURN(const int64_t from_frames,
                      CountOption("--from-frames", options.from_frames, 1));
  const auto stub = Connect(globals.server);
  request.first.mutable_open()->set_session_id(RandomId());
  v1::SessionSpec* spec = request.first.mutable_open()->mutable_spec();
  LT_ASSIGN_OR_RETURN(*spec, MakeSpec(*stub, options.spec));
  for (const TimedPrompt& change : request.changes) {
    v1::PromptChange& asked = *spec->add_prompt_changes();
    asked.mutable_time()->set_seconds(change.nanos / kBillion);
    asked.mutable_time()->set_nanos(static_cast<int32_t>(change.nanos % kBillion));
    asked.set_prompt(change.prompt);
  }
  if (!options.from.empty()) {
    LT_ASSIGN_OR_RETURN(request.start_frames,
                        ReadStartFrames(*stub, options.from, from_frames, spec));
  }
  return Run(*stub, request, *sink);
}

// Behind what the file has of the session's video.
absl::Status Continue(const Globals& globals, const TakeOptions& options) {
  LT_ASSIGN_OR_RETURN(const Mp4Tail tail, ReadMp4Tail(options.continued));
  LT_ASSIGN_OR_RETURN(const std::unique_ptr<VideoSink> sink,
                      MakeContinuingSink(options.continued, tail));
  LT_ASSIGN_OR_RETURN(TakeRequest request, MakeRequest(options));
  request.output = options.continued;
  v1::Attach* attach = request.first.mutable_attach();
  attach->set_name(options.session);
  attach->set_next_chunk(tail.next_chunk);
  return Run(*Connect(globals.server), request, *sink);
}

absl::Status Attach(const Globals& globals, const TakeOptions& options) {
  if (!options.continued.empty()) return Continue(globals, options);
  LT_ASSIGN_OR_RETURN(const std::unique_ptr<VideoSink> sink, MakeVideoSink(options.output));
  LT_ASSIGN_OR_RETURN(TakeRequest request, MakeRequest(options));
  v1::Attach* attach = request.first.mutable_attach();
  attach->set_name(options.session);
  if (options.next_chunk.has_value()) {
    LT_ASSIGN_OR_RETURN(const int64_t chunk, CountOption("--from-chunk", *options.next_chunk, 0));
    attach->set_next_chunk(chunk);
  }
  return Run(*Connect(globals.server), request, *sink);
}

// "3..7": the chunks 3, 4, 5 and 6.
absl::StatusOr<std::pair<int64_t, int64_t>> ParseChunks(const std::string& text) {
  const size_t dots = text.find("..");
  if (dots == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("--chunks: '", text, "' is not FIRST..END"));
  }
  LT_ASSIGN_OR_RETURN(const int64_t first, CountOption("--chunks", text.substr(0, dots), 0));
  LT_ASSIGN_OR_RETURN(const int64_t end, CountOption("--chunks", text.substr(dots + 2), 0));
  if (first < end) return std::pair(first, end);
  return absl::InvalidArgumentError(absl::StrCat("--chunks: there is no chunk in ", text));
}

// A copy of the session up to the last chunk that is wanted is read and deleted, so that whoever
// reads the session itself is not disturbed.
absl::Status Fetch(const Globals& globals, const TakeOptions& options) {
  LT_ASSIGN_OR_RETURN(const auto chunks, ParseChunks(options.chunks));
  LT_ASSIGN_OR_RETURN(const std::unique_ptr<VideoSink> sink, MakeVideoSink(options.output));
  LT_ASSIGN_OR_RETURN(TakeRequest request, MakeRequest(options));
  v1::ForkSessionRequest& fork = request.fork.emplace();
  fork.set_name(options.session);
  fork.set_session_id(RandomId());
  fork.set_chunk(chunks.second);
  fork.set_ended(true);
  fork.set_media_kind(sink->wire_format() == WireFormat::kFmp4 ? v1::MEDIA_KIND_FMP4
                                                               : v1::MEDIA_KIND_RGB24);
  v1::Attach* attach = request.first.mutable_attach();
  attach->set_name(absl::StrCat("sessions/", fork.session_id()));
  attach->set_next_chunk(chunks.first);
  return Run(*Connect(globals.server), request, *sink);
}

CLI::Option* AddOutputOption(CLI::App& command, TakeOptions& options) {
  return command.add_option(
      "--out", options.output,
      "NAME.mp4, NAME.y4m, NAME.png (contact sheet), FOLDER/ (PNG frames) or - (MP4 for a "
      "player)");
}

void AddReadingOptions(CLI::App& command, TakeOptions& options) {
  command.add_flag("--quiet", options.quiet, "Show no progress");
  command
      .add_option(
          "--reconnect-for", options.reconnect_for,
          "How long to wait for a server that went away in mid-take, or whose disk fails, and "
          "that keeps its sessions on disk (--state-dir), to go on as if nothing had "
          "happened; 0: not at all")
      ->capture_default_str();
}

void AddTakeOptions(CLI::App& command, TakeOptions& options) {
  command.add_option("--prompt-at", options.changes,
                     "TIME=PROMPT: show something else from the first chunk on that begins at this "
                     "time or later; may repeat");
  command.add_flag("--keep", options.keep,
                   "Leave the session as it is, so that attach finds it in memory until its ttl is "
                   "over. Otherwise it is deleted when the video cannot be written and at "
                   "interrupts; when its video is complete it is deleted, or parked where the "
                   "server keeps sessions on disk");
  AddReadingOptions(command, options);
}

}  // namespace

void AddGenerateCommand(CLI::App& app, Globals& globals) {
  auto options = std::make_shared<TakeOptions>();
  CLI::App* command = app.add_subcommand("generate", "Make a session and write its video");
  AddSpecOptions(*command, options->spec);
  command->add_option("--from", options->from,
                      "A picture or a video to go on from; it is cut to --size and begins the "
                      "take, so it counts in "
                      "--duration");
  command
      ->add_option("--from-frames", options->from_frames,
                   "At most so many of the video's last frames")
      ->capture_default_str();
  AddOutputOption(*command, *options)->required();
  AddTakeOptions(*command, *options);
  command->callback([&globals, options] {
    globals.run = [&globals, options] { return Report(Generate(globals, *options)); };
  });
}

void AddAttachCommand(CLI::App& app, Globals& globals) {
  auto options = std::make_shared<TakeOptions>();
  CLI::App* command = app.add_subcommand("attach", "Write the video of a session that lives");
  AddSessionArgument(*command, options->session);
  CLI::Option_group* output = command->add_option_group("Output");
  AddOutputOption(*output, *options);
  CLI::Option* continued =
      output->add_option("--continue", options->continued,
                         "NAME.mp4 of this session that was cut off: go on behind its last whole "
                         "chunk, as if nothing had happened");
  output->require_option(1);
  command
      ->add_option("--from-chunk", options->next_chunk, "First chunk; default: the first not sent")
      ->excludes(continued);
  AddTakeOptions(*command, *options);
  command->callback([&globals, options] {
    globals.run = [&globals, options] { return Report(Attach(globals, *options)); };
  });
}

void AddFetchCommand(CLI::App& app, Globals& globals) {
  auto options = std::make_shared<TakeOptions>();
  CLI::App* command = app.add_subcommand(
      "fetch", "Write chunks that a session has made, of a server that keeps sessions on disk");
  AddSessionArgument(*command, options->session);
  command
      ->add_option("--chunks", options->chunks,
                   "FIRST..END: from chunk FIRST on, up to and without chunk END")
      ->required();
  AddOutputOption(*command, *options)->required();
  AddReadingOptions(*command, *options);
  command->callback([&globals, options] {
    globals.run = [&globals, options] { return Report(Fetch(globals, *options)); };
  });
}

}  // namespace longtake
