// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// longtake sessions ..., models, estimate: one call each.
#include <grpcpp/grpcpp.h>

#include <memory>
#include <utility>

#include "client/commands.h"
#include "client/connection.h"
#include "client/count_option.h"
#include "client/describe.h"
#include "client/output_columns.h"
#include "client/session_argument.h"
#include "client/spec_options.h"

namespace longtake {
namespace {

void Print(const std::string& text) { std::fputs(text.c_str(), stdout); }

absl::Status List(const Globals& globals) {
  const auto stub = Connect(globals.server);
  v1::ListSessionsRequest request;
  bool headed = false;
  do {
    grpc::ClientContext context;
    v1::ListSessionsResponse response;
    LT_RETURN_IF_ERROR(FromGrpc(stub->ListSessions(&context, request, &response)));
    if (!std::exchange(headed, true)) Print(SessionLineHeader());
    for (const v1::Session& session : response.sessions()) {
      Print(DescribeSessionLine(session, OutputColumns()));
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return absl::OkStatus();
}

absl::Status Get(const Globals& globals, const std::string& name) {
  const auto stub = Connect(globals.server);
  grpc::ClientContext context;
  v1::GetSessionRequest request;
  request.set_name(name);
  v1::GetSessionResponse response;
  LT_RETURN_IF_ERROR(FromGrpc(stub->GetSession(&context, request, &response)));
  Print(DescribeSession(response.session()));
  return absl::OkStatus();
}

absl::Status Delete(const Globals& globals, const std::string& name) {
  const auto stub = Connect(globals.server);
  grpc::ClientContext context;
  v1::DeleteSessionRequest request;
  request.set_name(name);
  v1::DeleteSessionResponse response;
  return FromGrpc(stub->DeleteSession(&context, request, &response));
}

absl::Status Park(const Globals& globals, const std::string& name) {
  const auto stub = Connect(globals.server);
  grpc::ClientContext context;
  v1::ParkSessionRequest request;
  request.set_name(name);
  v1::ParkSessionResponse response;
  return FromGrpc(stub->ParkSession(&context, request, &response));
}

struct ForkOptions {
  std::string name;
  std::string chunk;
  std::string id;
  bool ended = false;
};

absl::Status Fork(const Globals& globals, const ForkOptions& options) {
  v1::ForkSessionRequest request;
  request.set_name(options.name);
  LT_ASSIGN_OR_RETURN(const int64_t chunk, CountOption("--at-chunk", options.chunk, 0));
  request.set_chunk(chunk);
  request.set_session_id(options.id);
  request.set_ended(options.ended);
  const auto stub = Connect(globals.server);
  grpc::ClientContext context;
  v1::ForkSessionResponse response;
  LT_RETURN_IF_ERROR(FromGrpc(stub->ForkSession(&context, request, &response)));
  Print(DescribeSession(response.session()));
  return absl::OkStatus();
}

struct RewindOptions {
  std::string name;
  std::string chunk;
  bool dry_run = false;
};

absl::Status Rewind(const Globals& globals, const RewindOptions& options) {
  v1::RewindSessionRequest request;
  request.set_name(options.name);
  LT_ASSIGN_OR_RETURN(const int64_t chunk, CountOption("--to-chunk", options.chunk, 0));
  request.set_chunk(chunk);
  request.set_validate_only(options.dry_run);
  const auto stub = Connect(globals.server);
  grpc::ClientContext context;
  v1::RewindSessionResponse response;
  LT_RETURN_IF_ERROR(FromGrpc(stub->RewindSession(&context, request, &response)));
  Print(DescribeRewind(response, options.dry_run));
  return absl::OkStatus();
}

absl::Status Models(const Globals& globals) {
  const auto stub = Connect(globals.server);
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  LT_RETURN_IF_ERROR(FromGrpc(stub->ListModels(&context, {}, &response)));
  for (const v1::Model& model : response.models()) Print(DescribeModel(model));
  return absl::OkStatus();
}

absl::Status Estimate(const Globals& globals, const SpecOptions& options, bool explain) {
  const auto stub = Connect(globals.server);
  v1::EstimateSessionRequest request;
  LT_ASSIGN_OR_RETURN(*request.mutable_spec(), MakeSpec(*stub, options));
  grpc::ClientContext context;
  v1::EstimateSessionResponse response;
  LT_RETURN_IF_ERROR(FromGrpc(stub->EstimateSession(&context, request, &response)));
  Print(DescribeEstimate(response.estimate()));
  if (explain) Print(DescribeMemory(response.estimate()));
  return absl::OkStatus();
}

// A subcommand that takes the name of a session.
void AddNamed(Globals& globals, CLI::App* command,
              absl::Status (*run)(const Globals&, const std::string&)) {
  auto name = std::make_shared<std::string>();
  AddSessionArgument(*command, *name);
  command->callback([&globals, name, run] {
    globals.run = [&globals, name, run] { return Report(run(globals, *name)); };
  });
}

void AddList(Globals& globals, CLI::App& app, const std::string& help) {
  app.add_subcommand("list", help)->callback([&globals] {
    globals.run = [&globals] { return Report(List(globals)); };
  });
}

void AddFork(Globals& globals, CLI::App& sessions) {
  auto options = std::make_shared<ForkOptions>();
  CLI::App* command = sessions.add_subcommand(
      "fork", "Make a new session that is as this one was before a chunk, and goes its own way");
  AddSessionArgument(*command, options->name);
  command
      ->add_option("--at-chunk", options->chunk,
                   "The first that the new one makes itself; what the old one showed before it is "
                   "its own, too")
      ->required();
  command->add_option("--id", options->id, "Of the new session; default: the server chooses");
  command->add_flag("--ended", options->ended, "It makes no chunk, and only shows the old ones");
  command->callback([&globals, options] {
    globals.run = [&globals, options] { return Report(Fork(globals, *options)); };
  });
}

void AddRewind(Globals& globals, CLI::App& sessions) {
  auto options = std::make_shared<RewindOptions>();
  CLI::App* command = sessions.add_subcommand(
      "rewind", "Let a session go on from before a chunk; whoever reads it has to attach again");
  AddSessionArgument(*command, options->name);
  command
      ->add_option("--to-chunk", options->chunk,
                   "The first that is made anew; prompts and other controls from there on are "
                   "forgotten")
      ->required();
  command->add_flag("--dry-run", options->dry_run, "Only say what it would cost");
  command->callback([&globals, options] {
    globals.run = [&globals, options] { return Report(Rewind(globals, *options)); };
  });
}

void AddSessions(Globals& globals, CLI::App& app) {
  CLI::App* sessions = app.add_subcommand(
      "sessions", "The sessions of the server; fork, rewind and park are for one with a state-dir");
  sessions->require_subcommand(1);
  AddList(globals, *sessions, "List them");
  AddNamed(globals, sessions->add_subcommand("show", "Show one"), Get);
  AddFork(globals, *sessions);
  AddRewind(globals, *sessions);
  AddNamed(globals,
           sessions->add_subcommand("park", "Take one out of memory until somebody attaches"),
           Park);
  AddNamed(globals, sessions->add_subcommand("delete", "Stop one and forget it"), Delete);
}

}  // namespace

void AddSessionCommands(CLI::App& app, Globals& globals) {
  AddSessions(globals, app);
  AddList(globals, app, "The same as sessions list");
  AddNamed(globals, app.add_subcommand("get", "The same as sessions show"), Get);
  AddNamed(globals, app.add_subcommand("delete", "The same as sessions delete"), Delete);
  app.add_subcommand("models", "Show the server's models and what they cost")->callback([&globals] {
    globals.run = [&globals] { return Report(Models(globals)); };
  });
  auto options = std::make_shared<SpecOptions>();
  CLI::App* estimate = app.add_subcommand("estimate", "Say what a session would cost");
  AddSpecOptions(*estimate, *options);
  auto explain = std::make_shared<bool>(false);
  estimate->add_flag("--explain", *explain, "And what its memory is for");
  estimate->callback([&globals, options, explain] {
    globals.run = [&globals, options, explain] {
      return Report(Estimate(globals, *options, *explain));
    };
  });
}

}  // namespace longtake
