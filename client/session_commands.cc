// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// longtake list, get, delete, models, estimate: one call each.
#include <grpcpp/grpcpp.h>

#include <memory>
#include <utility>

#include "client/commands.h"
#include "client/connection.h"
#include "client/describe.h"
#include "client/output_columns.h"
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
  command->add_option("session", *name, "sessions/ID, as list shows it")->required();
  command->callback([&globals, name, run] {
    globals.run = [&globals, name, run] { return Report(run(globals, *name)); };
  });
}

}  // namespace

void AddSessionCommands(CLI::App& app, Globals& globals) {
  app.add_subcommand("list", "List the sessions of the server")->callback([&globals] {
    globals.run = [&globals] { return Report(List(globals)); };
  });
  AddNamed(globals, app.add_subcommand("get", "Show a session"), Get);
  AddNamed(globals, app.add_subcommand("delete", "Stop and forget a session"), Delete);
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
