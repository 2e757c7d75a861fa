// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/engine.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/checked.h"
#include "base/error_reason.h"
#include "engine/model/vae/tiled.h"

namespace longtake {
namespace {

// Latent frames to pixel frames: the first is one, every later one four (spec 3.1).
int64_t ChunkCount(int64_t frame_count, int64_t chunk_frames) {
  if (frame_count == 0) return 0;
  return (frame_count + 3 + 4 * chunk_frames - 1) / (4 * chunk_frames);
}

absl::Status ShuttingDown() {
  return WithReason(absl::UnavailableError("the server is shutting down"), "SHUTTING_DOWN");
}

std::string RandomId() {
  std::random_device device;
  return absl::StrFormat("%08x%08x", device(), device());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(VideoModel& model,
                                                       const EngineOptions& options, Clock& clock) {
  auto engine = std::unique_ptr<Engine>(new Engine(model, options, clock));
  LT_RETURN_IF_ERROR(engine->OpenKv());
  engine->decode_lane_ = std::make_unique<DecodeLane>(model, clock, engine->wake_up_);
  engine->stage_ = std::make_unique<Stage>(
      model, *engine->decode_lane_, engine->kv_stream_.get(), clock, engine->wake_up_,
      [raw = engine.get()](const std::string& id) { raw->Forget(id); }, options.on_sweep);
  return engine;
}

Engine::Engine(VideoModel& model, const EngineOptions& options, Clock& clock)
    : model_(model), options_(options), clock_(clock) {}

absl::Status Engine::OpenKv() {
  LT_ASSIGN_OR_RETURN(kv_pool_, KvPool::Create(options_.kv_bytes_max, KvPool::kPageBytesDefault,
                                               options_.populator));
  if (options_.kv_file_directory.empty()) return absl::OkStatus();
  auto file =
      KvFile::Create(*options_.files, options_.kv_file_directory, options_.kv_file_bytes_max);
  if (!file.ok()) return Annotate(file.status(), "kv-file");
  kv_file_ = *std::move(file);
  auto stream = KvStream::Open(*kv_file_, options_.kv_stream);
  if (!stream.ok()) return Annotate(stream.status(), "kv-staging-bytes");
  kv_stream_ = *std::move(stream);
  return absl::OkStatus();
}

KvMemory Engine::kv_memory() const {
  KvMemory memory(*kv_pool_);
  if (kv_file_ == nullptr) return memory;
  memory.file = kv_file_.get();
  memory.file_layer_bytes_max = kv_stream_->layer_bytes_max();
  memory.file_frame_bytes_max = kv_stream_->frame_bytes_max();
  return memory;
}

Engine::~Engine() { Stop(); }

void Engine::Start() {
  decode_lane_->Start();
  stage_->Start();
}

void Engine::Stop() {
  {
    MutexLock lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
  }
  for (const auto& session : Sessions()) {
    session->Cancel(ShuttingDown());
  }
  if (stage_ != nullptr) stage_->Stop();
  if (decode_lane_ != nullptr) decode_lane_->Stop();
}

bool Engine::Step() {
  const bool swept = stage_->Step();
  const bool decoded = decode_lane_->Step();
  return swept || decoded;
}

RolloutSpec Engine::MakeRolloutSpec(const SessionSpec& resolved) const {
  const Recipe& recipe = model_.recipe();
  RolloutSpec spec;
  spec.kind = recipe.rollout;
  spec.sampler = recipe.sampler;
  spec.levels = NoiseLevels(recipe, {resolved.steps, resolved.step_count});
  spec.key_plan = *resolved.key_plan;
  spec.prompt_switch = *resolved.prompt_switch;
  spec.chunk_frames = recipe.chunk_frames;
  spec.context_noise = recipe.context_noise;
  spec.guidance = *resolved.guidance;
  spec.seed = resolved.seed;
  spec.channels = model_.config().channels;
  spec.latent_height = resolved.height / 8;
  spec.latent_width = resolved.width / 8;
  spec.chunk_count = ChunkCount(resolved.frame_count, recipe.chunk_frames);
  spec.start_latents = resolved.start_frames == 0 ? 0 : (resolved.start_frames + 3) / 4;
  spec.kv_layout = model_.kv_layout(resolved.width, resolved.height);
  return spec;
}

absl::StatusOr<uint64_t> Engine::SessionBytes(const SessionSpec& resolved) const {
  const auto width = static_cast<uint64_t>(resolved.width);
  const auto height = static_cast<uint64_t>(resolved.height);
  const auto chunk_frames = static_cast<uint64_t>(model_.recipe().chunk_frames);
  LT_ASSIGN_OR_RETURN(const uint64_t chunk_bytes,
                      CheckedProduct({width, height, 3, 4, chunk_frames}, "pixels of a chunk"));
  const uint64_t outbox_bytes = std::max(options_.session.outbox_bytes_max, chunk_bytes);
  const VaeConfig& vae = model_.vae_config();
  const bool tiny = *resolved.decoder == DecoderKind::kTiny;
  const uint64_t cache_bytes =
      tiny ? TinyDecoderCacheBytes(resolved.height / 8, resolved.width / 8)
      : *resolved.tiled_decode
          ? TiledCacheBytes(vae, VaeTiling(), resolved.height / 8, resolved.width / 8)
          : VaeCacheBytes(vae, resolved.height / 8, resolved.width / 8);
  LT_ASSIGN_OR_RETURN(const uint64_t text_bytes, model_.text_context_bytes_max());
  const uint64_t latent_bytes = chunk_bytes / 48 * sizeof(float);
  // One text per branch, and the prompt that will be shown next.
  const uint64_t texts = *resolved.guidance == 1.0 ? 2 : 3;
  // In work: the sample, noise, flows and what a sampler remembers; of several chunks when they
  // roll. A prompt that makes the window's memory again needs its latents, twice.
  const RolloutSpec rollout = MakeRolloutSpec(resolved);
  const uint64_t chunks = rollout.kind == RolloutKind::kRolling ? rollout.levels.size() : 1;
  uint64_t latents = 9 * chunks * latent_bytes;
  if (rollout.prompt_switch != PromptSwitch::kSwap) {
    latents += 2 * sizeof(float) * static_cast<uint64_t>(rollout.frame_values()) *
               static_cast<uint64_t>(rollout.key_plan.window_frames);
  }
  // The frames it begins with, as they came and as latents, and what encoding them keeps.
  uint64_t start = 0;
  if (resolved.start_frames != 0) {
    start = static_cast<uint64_t>(resolved.start_frames) * width * height * 3 +
            static_cast<uint64_t>(rollout.start_latents * rollout.frame_values()) * sizeof(float) +
            VaeEncoderCacheBytes(vae, resolved.height / 8, resolved.width / 8);
  }
  // Tables of a pass and of the one before it.
  const int64_t frames_seen =
      rollout.chunk_count == 0
          ? rollout.key_plan.window_frames
          : std::min(rollout.key_plan.window_frames, rollout.chunk_count * rollout.chunk_frames);
  const uint64_t rotary =
      2 * static_cast<uint64_t>(frames_seen) *
      model_.transformer().RotaryFrameBytes(resolved.height / 8, resolved.width / 8);
  // The chunk that is being sent is no longer in the outbox.
  return outbox_bytes + chunk_bytes + cache_bytes + texts * text_bytes + latents + rotary + start;
}

uint64_t Engine::DecodeBytes(const SessionSpec& resolved) const {
  const VaeConfig& vae = model_.vae_config();
  const int64_t height = resolved.height / 8;
  const int64_t width = resolved.width / 8;
  const uint64_t decode =
      *resolved.decoder == DecoderKind::kTiny ? TinyDecoderScratchBytes(height, width)
      : *resolved.tiled_decode
          ? TiledScratchBytes(vae, VaeTiling(), height, width, model_.recipe().chunk_frames)
          : VaeScratchBytes(vae, height, width);
  if (resolved.start_frames == 0) return decode;
  return std::max(decode, VaeEncoderScratchBytes(vae, height, width));
}

absl::Status Engine::CheckRoom(uint64_t bytes, uint64_t decode_bytes) const {
  if (stopped_) return ShuttingDown();
  if (sessions_.size() >= options_.sessions_max) {
    return WithReason(absl::ResourceExhaustedError(
                          absl::StrCat("all ", options_.sessions_max, " session places are taken")),
                      "SESSION_PLACES_EXHAUSTED");
  }
  const uint64_t most = options_.session_bytes_max;
  if (decode_bytes > most || bytes > most - decode_bytes) {
    return WithReason(
        absl::ResourceExhaustedError(absl::StrCat("the session needs ", bytes + decode_bytes,
                                                  " bytes beside K/V, this server has ", most)),
        "SESSION_TOO_LARGE");
  }
  for (const auto& [id, entry] : sessions_)
    decode_bytes = std::max(decode_bytes, entry.decode_bytes);
  const uint64_t taken = std::min(most, session_bytes_ + decode_bytes);
  if (bytes > most - taken) {
    return absl::ResourceExhaustedError(absl::StrCat("the session needs ", bytes,
                                                     " bytes beside K/V, ", most - taken, " of ",
                                                     most, " are free"));
  }
  return absl::OkStatus();
}

double Engine::ChunkFlops(const RolloutSpec& rollout) const {
  const int64_t frame_tokens = rollout.kv_layout.rows;
  const int64_t chunk = rollout.chunk_frames * frame_tokens;
  const int64_t window = rollout.key_plan.window_frames * frame_tokens;
  const auto levels = static_cast<int64_t>(rollout.levels.size());
  const double clean = model_.ForwardFlops(chunk, window);
  const double denoise = rollout.kind == RolloutKind::kRolling
                             ? model_.ForwardFlops(levels * chunk, window)
                             : static_cast<double>(levels) * clean;
  return static_cast<double>(rollout.branch_count()) * (denoise + clean);
}

absl::StatusOr<SessionEstimate> Engine::Estimate(const SessionSpec& spec) const {
  LT_ASSIGN_OR_RETURN(const SessionSpec resolved, Resolve(spec));
  const RolloutSpec rollout = MakeRolloutSpec(resolved);
  LT_ASSIGN_OR_RETURN(const uint64_t frames, Rollout::FramesNeeded(rollout));
  LT_ASSIGN_OR_RETURN(const uint64_t frame_pages, kv_pool_->PagesPerFrame(rollout.kv_layout));
  const auto in_file = KvShare::WouldBeInFile(kv_memory(), rollout.kv_layout,
                                              {frames, Rollout::FramesReadMax(rollout)});
  LT_ASSIGN_OR_RETURN(const uint64_t session_bytes, SessionBytes(resolved));
  SessionEstimate out;
  out.kv_in_file = in_file.ok() && *in_file;
  out.kv_bytes = frames * (out.kv_in_file ? rollout.kv_layout.file_frame_bytes()
                                          : frame_pages * kv_pool_->page_bytes());
  out.memory_bytes = (out.kv_in_file ? 0 : out.kv_bytes) + session_bytes + DecodeBytes(resolved);
  if (out.kv_in_file) EstimateKvFile(rollout, &out);
  const double pixels =
      static_cast<double>(resolved.width * resolved.height * 4 * rollout.chunk_frames);
  const auto seconds = decode_lane_->lane_costs().Predict(ChunkFlops(rollout), pixels,
                                                          std::max(1.0, out.kv_file_slowdown));
  if (seconds.has_value()) {
    out.seconds_per_chunk = seconds->chunk;
    out.seconds_to_first_frame = seconds->first;
    out.realtime_factor = static_cast<double>(4 * rollout.chunk_frames) /
                          static_cast<double>(resolved.fps) / seconds->chunk;
  }
  MutexLock lock(mutex_);
  absl::Status room = CheckRoom(session_bytes, DecodeBytes(resolved));
  if (room.ok()) room = in_file.status();
  out.fits_now = room.ok();
  out.refusal = std::string(room.message());
  return out;
}

void Engine::EstimateKvFile(const RolloutSpec& rollout, SessionEstimate* out) const {
  const KvLayout& layout = rollout.kv_layout;
  const uint64_t frames = Rollout::FramesReadMax(rollout);
  const uint64_t layer_bytes = frames * layout.file_layer_bytes();
  out->kv_file_bytes_per_sweep = static_cast<uint64_t>(layout.layers) * layer_bytes;
  if (!options_.predict_sweep) return;
  // Each branch's tokens see the frames of that branch.
  const auto branches = static_cast<int64_t>(rollout.branch_count());
  SweepLoad load = {.tokens = rollout.denoise_tokens(),
                    .context_rows = static_cast<int64_t>(frames) / branches * layout.rows};
  const double in_memory = options_.predict_sweep(load);
  load.kv_layer_bytes = layer_bytes;
  out->kv_file_slowdown = options_.predict_sweep(load) / in_memory;
}

absl::StatusOr<std::shared_ptr<Session>> Engine::CreateSession(const SessionSpec& spec,
                                                               std::string id) {
  LT_ASSIGN_OR_RETURN(SessionSpec resolved, Resolve(spec));
  Arrival arrival;
  arrival.prompt_ids.emplace_back();
  LT_ASSIGN_OR_RETURN(arrival.prompt_ids[0], model_.Tokenize(resolved.prompt));
  if (*resolved.guidance != 1.0) {
    arrival.prompt_ids.emplace_back();
    LT_ASSIGN_OR_RETURN(arrival.prompt_ids[1], model_.Tokenize(resolved.negative_prompt));
  }
  LT_ASSIGN_OR_RETURN(const uint64_t bytes, SessionBytes(resolved));
  const uint64_t decode_bytes = DecodeBytes(resolved);
  {
    MutexLock lock(mutex_);
    LT_RETURN_IF_ERROR(CheckRoom(bytes, decode_bytes));
    if (id.empty()) id = RandomId();
    if (sessions_.contains(id)) {
      return WithReason(absl::AlreadyExistsError(absl::StrCat("session ", id, " exists")),
                        {"SESSION_EXISTS", {{"session", id}}});
    }
    LT_ASSIGN_OR_RETURN(arrival.rollout, Rollout::Create(MakeRolloutSpec(resolved), kv_memory()));
    arrival.session = std::make_shared<Session>(
        id, std::move(resolved), options_.session, clock_, [this] { wake_up_.Wake(); },
        options_.on_session_end);
    arrival.decode = std::make_shared<DecodeState>();
    session_bytes_ += bytes;
    sessions_[id] = {arrival.session, next_order_++, bytes, decode_bytes};
  }
  std::shared_ptr<Session> session = arrival.session;
  stage_->Add(std::move(arrival));
  return session;
}

absl::StatusOr<std::shared_ptr<Session>> Engine::FindSession(const std::string& id) const {
  MutexLock lock(mutex_);
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) {
    return WithReason(absl::NotFoundError(absl::StrCat("no session ", id)),
                      {"SESSION_NOT_FOUND", {{"session", id}}});
  }
  return found->second.session;
}

std::vector<std::shared_ptr<Session>> Engine::Sessions() const {
  std::vector<const Entry*> entries;
  MutexLock lock(mutex_);
  for (const auto& [id, entry] : sessions_) entries.push_back(&entry);
  std::sort(entries.begin(), entries.end(),
            [](const Entry* a, const Entry* b) { return a->order < b->order; });
  std::vector<std::shared_ptr<Session>> out;
  for (const Entry* entry : entries) out.push_back(entry->session);
  return out;
}

absl::Status Engine::DeleteSession(const std::string& id) {
  LT_ASSIGN_OR_RETURN(const std::shared_ptr<Session> session, FindSession(id));
  session->Cancel(WithReason(absl::CancelledError(absl::StrCat("session ", id, " was deleted")),
                             {"SESSION_DELETED", {{"session", id}}}));
  // The stage forgets the rest between two layers; for clients it is gone now.
  Forget(id);
  return absl::OkStatus();
}

void Engine::Forget(const std::string& id) {
  MutexLock lock(mutex_);
  const auto found = sessions_.find(id);
  if (found == sessions_.end() || !found->second.session->cancelled()) return;
  session_bytes_ -= found->second.bytes;
  sessions_.erase(found);
}

absl::StatusOr<uint64_t> Engine::Submit(Session& session, SessionEvent event) const {
  std::vector<int32_t> ids;
  if (event.kind == EventKind::kPrompt) {
    SessionSpec spec = session.spec();
    spec.prompt = event.prompt;
    LT_RETURN_IF_ERROR(Resolve(spec));
    LT_ASSIGN_OR_RETURN(ids, model_.Tokenize(event.prompt));
  }
  return session.Submit(std::move(event), std::move(ids));
}

EngineStats Engine::stats() const {
  EngineStats stats = stage_->stats();
  const DecodeLane::Stats decode = decode_lane_->stats();
  stats.text_rows = model_.text_row_stats();
  stats.chunks = decode.chunks;
  stats.frames = decode.frames;
  stats.decode_seconds = decode.seconds;
  stats.decode_backlog_chunks = decode.backlog_chunks;
  stats.waiting_starts = decode.waiting_starts;
  stats.kv_bytes_max = kv_pool_->page_count() * kv_pool_->page_bytes();
  {
    MutexLock lock(mutex_);
    uint64_t decode_bytes = 0;
    for (const auto& [id, entry] : sessions_)
      decode_bytes = std::max(decode_bytes, entry.decode_bytes);
    stats.session_bytes = session_bytes_ + decode_bytes;
  }
  if (kv_file_ != nullptr) {
    stats.kv_file_bytes = kv_file_->bytes_taken();
    stats.kv_file_bytes_max = kv_file_->bytes_max();
  }
  stats.kv_bytes = stats.kv_bytes_max - kv_pool_->free_page_count() * kv_pool_->page_bytes();
  return stats;
}

}  // namespace longtake
