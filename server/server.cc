// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <malloc.h>

#include <chrono>
#include <cstdlib>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/exhausted.h"
#include "base/file_system.h"
#include "base/memory_populator.h"
#include "base/mutex.h"
#include "base/trace.h"
#include "engine/plan/memory_plan.h"
#include "server/connection_acceptor.h"
#include "server/descriptors.h"
#include "server/engine_metrics.h"
#include "server/errors.h"
#include "server/grpc_log.h"
#include "server/limits.h"
#include "server/listen_sockets.h"
#include "server/log.h"
#include "server/media_formats.h"
#include "server/metrics_page.h"
#include "server/open_store.h"
#include "server/plan_from_config.h"
#include "server/reflection.h"
#include "server/service.h"
#include "server/start_log.h"
#include "server/storage_health.h"

namespace longtake {
namespace {

// The calls that are still there after every session was ended get this long to say goodbye.
constexpr std::chrono::seconds kShutdownTimeout{2};

// Descriptors that connections leave to the metrics page and to files opened for a moment.
constexpr int64_t kReservedDescriptors = MetricsPage::kDescriptorsMax + 8;

// What stage, decode lane, acceptor, metrics page and gRPC start, generously.
int LibraryThreads() { return 24 + 2 * static_cast<int>(std::thread::hardware_concurrency()); }

// "liveness" is apart: a server that drains must not be killed for it.
constexpr const char* kReadinessNames[] = {"longtake.v1.LongtakeService", "readiness"};

// Seconds that are not known are left out as -1.
void LogResume(const ResumeReport& report) {
  for (const std::string& what : report.damaged) {
    Log(LogLevel::kWarning, "a snapshot is damaged", {{"session", report.id}, {"message", what}});
  }
  Log(LogLevel::kInfo, "session comes back",
      {{"session", report.id},
       {"next_chunk", report.chunk},
       {"from_snapshot_at", report.snapshot},
       {"replay_seconds", report.replay_seconds.value_or(-1)},
       {"warm_up_seconds", report.warm_up_seconds.value_or(-1)}});
}

EngineOptions SessionOptions(const Config& config, const MemoryPlan& memory,
                             const VideoModel& model) {
  EngineOptions options;
  options.kv_bytes_max = memory.kv;
  options.files = &PosixFileSystem();
  options.populator = model.options().populator;
  options.kv_file_directory = config.kv_file;
  options.kv_file_bytes_max = config.kv_file_bytes;
  options.kv_stream = {.bytes = config.kv_staging_bytes,
                       .io = model.options().io,
                       .timeout_nanos = config.read_timeout_nanos,
                       .trace = model.options().trace,
                       .populator = model.options().populator};
  options.prompt_cache_bytes_max = memory.prompt_cache;
  options.session_bytes_max = memory.sessions.host;
  if (memory.model.has_device) options.session_device_bytes_max = memory.sessions.device;
  options.sessions_max = config.sessions_max;
  options.peer_share_percent = config.peer_share;
  options.session.outbox_bytes_max = config.outbox_bytes;
  options.session.inbox_events_max = kWaitingEventsMax;
  options.session.attached_idle_nanos = config.attached_idle_nanos;
  options.session.first_attach_nanos = kFirstAttachSeconds * 1'000'000'000;
  options.session.start_wait_nanos = kStartWaitSeconds * 1'000'000'000;
  options.session.start_bytes_per_second_min = kStartBytesPerSecondMin;
  options.session.attaches = {.at_once_max = kAttachesAtOnceMax,
                              .interval_nanos = kAttachIntervalMillis * 1'000'000};
  options.resume_seconds_max = NanosToSeconds(config.resume_max_nanos);
  options.snapshot_bytes_per_hour = config.snapshot_bytes_per_hour;
  options.on_resume = LogResume;
  options.on_snapshot_refused = [](const std::string& id, const absl::Status& why) {
    Log(LogLevel::kWarning, "no room for a snapshot: sessions take longer to come back",
        {{"session", id}, {"message", std::string(why.message())}});
  };
  options.on_session_end = [](const std::string& id, const absl::Status& status) {
    const bool failed =
        !status.ok() && !absl::IsCancelled(status) && ReasonFor(status) != Reason::kShuttingDown;
    Log(failed ? LogLevel::kWarning : LogLevel::kInfo, failed ? "session failed" : "session ended",
        {{"session", id},
         {"reason", status.ok() ? std::string() : ReasonName(status)},
         {"message", std::string(status.message())}});
  };
  return options;
}

SpecDefaults MakeDefaults(const Config& config, const VideoModel& model) {
  return {.model = model.name(),
          .fps = model.recipe().fps,
          .ttl_nanos = config.default_ttl_nanos,
          .ttl_nanos_max = config.ttl_max_nanos};
}

EngineFacts MakeFacts(const MemoryPlan& memory, const VideoModel& model) {
  return {.version = LONGTAKE_VERSION,
          .model = model.name(),
          .numerics_profile = std::string(model.numerics_profile()),
          .instruction_set = std::string(model.instruction_set()),
          .transformer_layer_bytes = model.transformer_memory_bytes(),
          .text_layer_bytes = model.text_layers().memory_bytes(),
          .resident_bytes = memory.model.resident.host,
          .vae_bytes = memory.model.vae.host,
          .buffer_bytes = model.buffer_bytes(),
          .scratch_bytes = memory.model.scratch.host,
          .kv_staging_bytes = memory.kv_staging,
          .store_buffer_bytes = memory.store,
          .prompt_cache_bytes_max = memory.prompt_cache,
          .session_bytes_max = memory.sessions.host,
          .budget_bytes = memory.budget.value_or(0)};
}

// Options may leave no room for what most clients ask for: nothing in particular.
void WarnOfTheUsualTake(const ServiceContext& context) {
  const absl::Status usual = context.ResolveSpec(v1::SessionSpec()).status();
  if (usual.ok()) return;
  Log(LogLevel::kWarning, "sessions of the model's own size will be refused",
      {{"message", std::string(usual.message())}});
}

void AddLimits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kRequestBytesMax);
  builder.SetMaxSendMessageSize(kResponseBytesMax);
  grpc::ResourceQuota transport("transport");
  transport.Resize(kTransportBytesMax);
  builder.SetResourceQuota(transport);
  // A packed message is measured when it is unpacked, which is too late: 1 MiB of it may be 1 GiB.
  for (const auto packing : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    builder.SetCompressionAlgorithmSupportStatus(packing, false);
  }
  const std::pair<const char*, int64_t> arguments[] = {
      {GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0},
      {GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytesMax},
      {GRPC_ARG_MAX_CONCURRENT_STREAMS, kConnectionStreamsMax},
      {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeSeconds * 1000},
      {GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveSeconds * 1000},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutSeconds * 1000},
      {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
      // A window that grows while nobody reads would be memory that nobody counted.
      {GRPC_ARG_HTTP2_BDP_PROBE, 0},
      // A stream may be quiet for long: pings must not run out between two chunks.
      {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0},
      {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kClientPingSecondsMin * 1000},
  };
  for (const auto& [name, value] : arguments) {
    builder.AddChannelArgument(name, static_cast<int>(value));
  }
}

void LogMemoryProgress(uint64_t done_bytes, uint64_t total_bytes) {
  Log(LogLevel::kInfo, "taking memory",
      {{"done_bytes", static_cast<int64_t>(done_bytes)},
       {"total_bytes", static_cast<int64_t>(total_bytes)}});
}

// One of three choices, octal.
mode_t ListenMode(const Config& config) {
  return static_cast<mode_t>(std::strtoul(config.listen_mode.c_str(), nullptr, 8));
}

}  // namespace

// Destroyed from below. The workers go after the model, whose backends use them, and before metrics
// and context, which a late encoding task still looks at.
struct Server::Parts {
  ServerMetrics metrics;
  ConnectionUses connections;
  MediaFormats formats;
  StorageHealth storage_health;
  Mutex serving_mutex;
  std::unique_ptr<ServiceContext> context;
  MemoryPlan memory;
  std::optional<Calibration> calibration;  // with the plan that follows from it
  std::optional<ResidencyPlan> residency;
  std::unique_ptr<Trace> trace;
  std::unique_ptr<WorkerPool> workers;
  std::unique_ptr<CallQueue> calls;  // until the workers are finished
  // What waits for a disk keeps none of those who compute.
  std::unique_ptr<WorkerPool> store_workers;
  std::unique_ptr<CallQueue> store_calls;
  std::unique_ptr<MemoryPopulator> populator;
  std::unique_ptr<VideoModel> model;
  std::unique_ptr<SessionStore> store;  // null without state-dir
  std::unique_ptr<Engine> engine;
  std::unique_ptr<LongtakeService> service;
  std::unique_ptr<grpc::Server> grpc_server;
  // What accepts, and where gRPC takes connections over from it.
  ListenSockets listening;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> grpc_door;
  std::unique_ptr<ConnectionAcceptor> acceptor;
  std::unique_ptr<MetricsPage> metrics_page;
  bool stopped = false;

  absl::Status OpenModel(const Config& config, Clock& clock);
  absl::Status OpenPort(const Config& config);
  absl::Status Accept(const Config& config);
  absl::Status OpenMetricsPage(const Config& config);
  // Health says what holds now: not while draining, not while the model cannot be read.
  void UpdateServing() ABSL_LOCKS_EXCLUDED(serving_mutex);
  void Report(std::string_view what, const absl::Status& status);
};

absl::Status Server::Parts::OpenModel(const Config& config, Clock& clock) {
  LT_ASSIGN_OR_RETURN(workers, MakeWorkers(config));
  calls = std::make_unique<CallQueue>(
      *workers,
      CallQueue::Limits{.calls_max = kWaitingCallsMax, .bytes_max = kWaitingCallBytesMax});
  constexpr auto kAtOnce = StoredSnapshots::kComingBackMax;
  store_workers = std::make_unique<WorkerPool>(static_cast<int>(kAtOnce));
  store_calls = std::make_unique<CallQueue>(
      *store_workers,
      CallQueue::Limits{
          .calls_max = kWaitingCallsMax, .bytes_max = kWaitingCallBytesMax, .at_once = kAtOnce});
  populator = std::make_unique<MemoryPopulator>(MemoryPopulator::Options{
      .workers = workers.get(), .clock = &clock, .progress = LogMemoryProgress});
  LT_ASSIGN_OR_RETURN(ModelPlan plan, PlanFromConfig(config, *workers, *populator, clock));
  memory = plan.memory;
  calibration = std::move(plan.calibration);
  residency = std::move(plan.residency);
  if (!config.trace.empty()) {
    LT_ASSIGN_OR_RETURN(trace,
                        Trace::Create(PosixFileSystem(), config.trace, [](const absl::Status& why) {
                          Log(LogLevel::kWarning, "the trace is not whole",
                              {{"message", std::string(why.message())}});
                        }));
    plan.options.trace = trace.get();
  }
  absl::StatusOr<std::unique_ptr<VideoModel>> opened =
      VideoModel::Open(PosixFileSystem(), config.pack, plan.options, *workers);
  if (!opened.ok()) return Annotate(opened.status(), "pack");
  model = *std::move(opened);
  EngineOptions session_options = SessionOptions(config, memory, *model);
  for (const MemoryPlan& stage : plan.stages)
    session_options.kv_bytes_of_stages.push_back(stage.kv);
  session_options.on_sweep = [this](std::string_view stack, const absl::Status& status) {
    Report(stack, status);
  };
  if (residency.has_value()) {
    session_options.predict_sweep = [this](const SweepLoad& load) {
      return PredictLoad(*residency, *calibration, load);
    };
    session_options.decode = calibration->decode;
  }
  LT_ASSIGN_OR_RETURN(store, OpenStore(config, clock));
  session_options.store = store.get();
  auto created = Engine::Create(*model, session_options, clock);
  if (!created.ok()) return Annotate(created.status(), "memory of the sessions");
  engine = *std::move(created);
  context = std::unique_ptr<ServiceContext>(new ServiceContext{
      .engine = *engine,
      .workers = *workers,
      .calls = *calls,
      .store_calls = *store_calls,
      .metrics = metrics,
      .connections = connections,
      .formats = formats,
      .clock = clock,
      .defaults = MakeDefaults(config, *model),
      .model = {model->name(), model->digest(), std::string(model->numerics_profile())}});
  return absl::OkStatus();
}

absl::Status Server::Parts::OpenPort(const Config& config) {
  absl::StatusOr<ListenSockets> opened = OpenListenSockets(config.listen, ListenMode(config));
  if (!opened.ok()) return Annotate(opened.status(), "listen");
  listening = *std::move(opened);
  grpc::EnableDefaultHealthCheckService(true);
  if (config.reflection) LT_RETURN_IF_ERROR(LoadReflection());
  service = std::make_unique<LongtakeService>(*context);
  grpc::ServerBuilder builder;
  AddLimits(builder);
  grpc_door = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      grpc::InsecureServerCredentials());
  builder.RegisterService(service.get());
  grpc_server = builder.BuildAndStart();
  if (grpc_server == nullptr) return absl::InternalError("gRPC did not start");
  return absl::OkStatus();
}

// Clients have waited in the sockets' queues until now.
absl::Status Server::Parts::Accept(const Config& config) {
  LT_ASSIGN_OR_RETURN(const int64_t connections_max,
                      ConnectionsAllowed(static_cast<int64_t>(config.connections_max),
                                         FreeDescriptors(), kReservedDescriptors));
  metrics.SetConnectionsLimit(connections_max);
  const bool is_unix = IsUnixAddress(config.listen);
  const auto hand_over = [this, is_unix](int listener, Fd connection) {
    // gRPC would call them all "unix:"; so it calls them by their descriptors.
    if (is_unix) return grpc::AddInsecureChannelFromFd(grpc_server.get(), connection.Release());
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
    parameters.listener_fd = listener;
    parameters.fd = connection.Release();
    grpc_door->HandleNewConnection(&parameters);
  };
  const ConnectionAcceptor::Options options = {
      .connections_max = connections_max,
      .waste_bytes_max = config.connection_waste_bytes,
      .trim = [this] { workers->Schedule([] { malloc_trim(0); }); }};
  LT_ASSIGN_OR_RETURN(acceptor,
                      ConnectionAcceptor::Start(std::move(listening.sockets), options, hand_over,
                                                connections, metrics, context->clock));
  Log(LogLevel::kInfo, "accepting", {{"connections_max", connections_max}});
  return absl::OkStatus();
}

absl::Status Server::Parts::OpenMetricsPage(const Config& config) {
  if (config.metrics_listen.empty()) return absl::OkStatus();
  auto engine_metrics = std::make_shared<EngineMetrics>(MakeFacts(memory, *model), [this] {
    EngineSnapshot snapshot{.stats = engine->stats(), .sessions = {}};
    if (store != nullptr) snapshot.store = store->stats();
    for (const auto& session : engine->Sessions()) snapshot.sessions.push_back(session->Info());
    return snapshot;
  });
  LT_ASSIGN_OR_RETURN(
      metrics_page, MetricsPage::Open(config.metrics_listen, {metrics.registry(), engine_metrics}));
  return absl::OkStatus();
}

void Server::Parts::UpdateServing() {
  MutexLock lock(serving_mutex);
  const bool serving = !context->draining && storage_health.good();
  grpc::HealthCheckServiceInterface* health = grpc_server->GetHealthCheckService();
  health->SetServingStatus(serving);
  for (const char* name : kReadinessNames) health->SetServingStatus(name, serving);
  health->SetServingStatus("liveness", true);
}

void Server::Parts::Report(std::string_view what, const absl::Status& status) {
  const bool was_good = storage_health.good();
  storage_health.Report(what, status);
  const bool good = storage_health.good();
  if (good == was_good) return;
  Log(good ? LogLevel::kInfo : LogLevel::kError,
      good ? "the model can be read again" : "the model cannot be run; health says NOT_SERVING",
      {{"message", std::string(status.message())}});
  UpdateServing();
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Config& config, Clock& clock) {
  QuietGrpcLog();
  auto parts = std::make_unique<Parts>();
  LT_RETURN_IF_ERROR(parts->OpenModel(config, clock));
  LT_RETURN_IF_ERROR(CheckThreads(LibraryThreads()));
  LT_RETURN_IF_ERROR(parts->OpenMetricsPage(config));
  // From here on the destructor has threads to join.
  auto server = std::unique_ptr<Server>(new Server(std::move(parts)));
  server->parts_->engine->Start();
  LT_RETURN_IF_ERROR(server->parts_->OpenPort(config));
  server->parts_->UpdateServing();
  server->parts_->model->OnDeviceLoss(
      [parts = server->parts_.get()](const absl::Status& why) { parts->Report("device", why); });
  LT_RETURN_IF_ERROR(server->parts_->Accept(config));
  TellGrpcErrors();
  LogStart(config, *server->parts_->model, server->port(), server->metrics_port());
  WarnOfTheUsualTake(*server->parts_->context);
  return server;
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() { Stop(); }

int Server::port() const { return parts_->listening.port; }

int Server::metrics_port() const {
  return parts_->metrics_page == nullptr ? 0 : parts_->metrics_page->port();
}

int Server::open_streams() const { return parts_->context->streams; }

bool Server::at_rest() const {
  return parts_->engine->keeps_sessions() ? parts_->engine->at_rest() : open_streams() == 0;
}

void Server::BeginDrain(int64_t end_nanos) {
  parts_->context->draining = true;
  parts_->engine->Drain(end_nanos);
  parts_->metrics.SetDraining();
  parts_->UpdateServing();
}

void Server::Stop() {
  if (std::exchange(parts_->stopped, true)) return;
  parts_->context->draining = true;
  parts_->model->OnDeviceLoss({});
  if (parts_->acceptor != nullptr) parts_->acceptor->Stop();
  parts_->listening.file.reset();
  // Ends every session, which lets every stream end with a reason.
  parts_->engine->Stop();
  if (parts_->grpc_server != nullptr) {
    parts_->grpc_server->Shutdown(std::chrono::system_clock::now() + kShutdownTimeout);
    parts_->grpc_server->Wait();
  }
  parts_->metrics_page.reset();
  // A call's last task may still look at the engine, which goes before the workers.
  parts_->store_workers->Finish();
  parts_->workers->Finish();
  // All that was promised is written, and nothing of it calls the engine any more.
  if (parts_->store != nullptr) parts_->store->Stop();
}

}  // namespace longtake
