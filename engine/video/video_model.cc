// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/video/video_model.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/error_reason.h"
#include "engine/model/vae/latent_grid.h"
#include "engine/text/prompt_cleaner.h"
#include "engine/video/backend_options.h"
#include "engine/video/check_parts.h"

namespace longtake {
namespace {

uint64_t LayerBytes(const PackReader& pack) {
  uint64_t bytes = 0;
  for (size_t layer = 0; layer < pack.layer_count(); ++layer) {
    for (const PartInfo& part : pack.layer(layer).parts) bytes += part.bytes;
  }
  return bytes;
}

absl::Status CheckStages(std::span<const ModelStage> stages, int64_t layers) {
  int64_t end = 0;
  for (size_t i = 0; i < stages.size(); ++i) {
    const LayerRange range = stages[i].layers.Of(layers);
    if (range.first != end || range.end <= range.first) {
      return absl::InvalidArgumentError(absl::StrCat("stage ", i, ": layers ", range.first, " to ",
                                                     range.end, ", but those from ", end,
                                                     " on come next"));
    }
    end = range.end;
  }
  if (end == layers) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("stage ", stages.size() - 1, ": ends at layer ", end, " of ", layers));
}

}  // namespace

absl::StatusOr<std::unique_ptr<VideoModel>> VideoModel::Open(FileSystem& files,
                                                             const std::string& directory,
                                                             const VideoModelOptions& options,
                                                             WorkerPool& workers) {
  auto model = std::unique_ptr<VideoModel>(new VideoModel);
  LT_RETURN_IF_ERROR(model->Load(files, directory, options, workers));
  return model;
}

absl::Status VideoModel::Load(FileSystem& files, const std::string& directory,
                              const VideoModelOptions& options, WorkerPool& workers) {
  options_ = options;
  directory_ = directory;
  LT_ASSIGN_OR_RETURN(PackDirectory pack,
                      PackDirectory::Open(files, directory, options.layer_paths));
  pack_ = std::make_unique<PackDirectory>(std::move(pack));
  auto recipe = ParseRecipe(pack_->recipe());
  if (!recipe.ok()) return Annotate(recipe.status(), directory);
  recipe_ = *std::move(recipe);
  auto tokenizer = ReadTokenizer(pack_->tokenizer_name(), pack_->tokenizer());
  if (!tokenizer.ok()) return Annotate(tokenizer.status(), directory);
  tokenizer_ = std::make_unique<Tokenizer>(*std::move(tokenizer));
  LT_RETURN_IF_ERROR(SweepBackendOptions(*pack_, options).status());  // before anything is read
  LT_ASSIGN_OR_RETURN(decode_backend_, NewBackend(workers, DecodeBackendOptions(options)));
  if (absl::Status status = ReadConfigs(); !status.ok()) return Annotate(status, directory);
  // The decoder first: it reads its weights whole before it repacks them.
  LT_RETURN_IF_ERROR(OpenPixelCoder());
  LT_RETURN_IF_ERROR(OpenTransformer(files, workers));
  return OpenTextEncoder(workers);
}

// Also of how many latents a chunk has, as a take is kept chunk by chunk.
std::string VideoModel::DecoderDigest(const DecodeChoice& choice) const {
  const auto decoder = pack_->Component(choice.tiny ? "tiny_decoder" : "vae");
  if (!decoder.ok()) return "";
  Sha256 digest;
  digest.Update("longtake decoder digest 1\n");
  (*decoder)->AddToDigest(digest);
  digest.UpdateU64(choice.tiled ? 1 : 0);
  digest.UpdateU64(static_cast<uint64_t>(recipe_.chunk_frames));
  return digest.FinishHex();
}

WanTransformerOptions VideoModel::TransformerOptions(const VideoModelOptions& options,
                                                     const PackReader& pack) {
  WanTransformerOptions out;
  out.tokens_max = options.tokens_max;
  out.prompt_rows_max = PromptRowsMax(options);
  out.kv_dtype = options.kv_dtype;
  if (options.device_has_memory) out.slots = LayerSlots::For(pack);
  out.populator = options.populator;
  return out;
}

Umt5EncoderOptions VideoModel::TextOptions(const VideoModelOptions& options,
                                           const PackReader& pack) {
  return {.tokens_max = PromptRowsMax(options),
          .prompt_tokens_max = options.prompt_tokens_max,
          .slots = options.device_has_memory ? LayerSlots::For(pack) : LayerSlots::Options(),
          .populator = options.populator};
}

absl::Status VideoModel::ReadConfigs() {
  LT_ASSIGN_OR_RETURN(const PackReader* transformer, pack_->Component("transformer"));
  LT_ASSIGN_OR_RETURN(config_, ParseWanConfig(transformer->config(), transformer->path()));
  LT_ASSIGN_OR_RETURN(const PackReader* text, pack_->Component("text_encoder"));
  LT_ASSIGN_OR_RETURN(text_config_, ParseUmt5Config(text->config(), text->path()));
  LT_ASSIGN_OR_RETURN(const PackReader* vae, pack_->Component("vae"));
  LT_ASSIGN_OR_RETURN(vae_config_, ParseVaeConfig(vae->config(), vae->path()));
  return CheckPartsFit(config_, text_config_, vae_config_, *tokenizer_);
}

// Of both stacks; slots and name are each one's own.
LayerStream::Options VideoModel::StreamOptions(uint64_t kept_bytes_max, WorkerPool& workers,
                                               Device& device) const {
  LayerStream::Options out;
  out.request_bytes = options_.request_bytes;
  out.kept_bytes_max = kept_bytes_max;
  out.io = options_.io;
  out.read_timeout_nanos = options_.read_timeout_nanos;
  out.workers = &workers;
  out.trace = options_.trace;
  out.populator = options_.populator;
  if (options_.device_has_memory) {
    out.allocate = [this, &device](uint64_t bytes) {
      return device.AllocatePinned(bytes, options_.populator);
    };
  }
  return out;
}

absl::Status VideoModel::OpenTransformer(FileSystem& files, WorkerPool& workers) {
  LT_ASSIGN_OR_RETURN(const PackReader* pack, pack_->Component("transformer"));
  LT_RETURN_IF_ERROR(CheckInt8Layers(*pack));
  transformer_bytes_ = LayerBytes(*pack);
  std::vector<ModelStage> stages = options_.stages;
  if (stages.empty()) stages.emplace_back();
  LT_RETURN_IF_ERROR(CheckStages(stages, config_.layers));
  uint64_t left = options_.kept_bytes_max;
  for (const ModelStage& stage : stages) {
    LT_ASSIGN_OR_RETURN(const PackReader* layers, LayersOf(files, stage));
    const uint64_t kept_bytes_max = stage.kept_bytes_max.value_or(left);
    LT_RETURN_IF_ERROR(OpenStage(*layers, stage, kept_bytes_max, workers));
    left -= std::min(left, stages_.back()->layers().memory_bytes());
  }
  text_kept_bytes_max_ = left;
  if (const auto& of_first = stages.front().kept_bytes_max; of_first.has_value()) {
    text_kept_bytes_max_ = *of_first - std::min(*of_first, stage().layers().memory_bytes());
  }
  return absl::OkStatus();
}

// With paths of its own a stage opens the pack for itself; its layers are the same.
absl::StatusOr<const PackReader*> VideoModel::LayersOf(FileSystem& files, const ModelStage& stage) {
  if (stage.layer_paths.empty()) return pack_->Component("transformer");
  LT_ASSIGN_OR_RETURN(PackDirectory pack,
                      PackDirectory::Open(files, directory_, stage.layer_paths));
  stage_packs_.push_back(std::make_unique<PackDirectory>(std::move(pack)));
  return stage_packs_.back()->Component("transformer");
}

absl::Status VideoModel::OpenStage(const PackReader& pack, const ModelStage& options,
                                   uint64_t kept_bytes_max, WorkerPool& workers) {
  LayerStage::Machine machine;
  if (options.cores.has_value()) {
    machine.workers = options.stays_on_cores ? std::make_unique<WorkerPool>(*options.cores)
                                             : std::make_unique<WorkerPool>(options.cores->count());
  }
  WorkerPool& of_stage = machine.workers != nullptr ? *machine.workers : workers;
  LT_ASSIGN_OR_RETURN(const CpuBackendOptions sweeping, SweepBackendOptions(*pack_, options_));
  LT_ASSIGN_OR_RETURN(machine.backend, NewBackend(of_stage, sweeping));
  machine.thread_count = of_stage.thread_count();
  LayerStage::Options stage = {
      .transformer = TransformerOptions(options_, pack),
      .stream = StreamOptions(kept_bytes_max, of_stage, machine.backend->device())};
  stage.transformer.layers = options.layers;
  stage.stream.slot_count = options_.slot_count;
  stage.stream.trace_name = "transformer";
  if (!stages_.empty()) absl::StrAppend(&stage.stream.trace_name, " ", stages_.size());
  LT_ASSIGN_OR_RETURN(stages_.emplace_back(),
                      LayerStage::Open(pack, config_, std::move(machine), stage));
  resident_bytes_ += stages_.back()->resident_bytes();
  return absl::OkStatus();
}

absl::Status VideoModel::OpenTextEncoder(WorkerPool& workers) {
  LT_ASSIGN_OR_RETURN(const PackReader* pack, pack_->Component("text_encoder"));
  text_pack_ = pack;
  resident_bytes_ += pack->resident().bytes;
  LT_ASSIGN_OR_RETURN(text_encoder_, Umt5Encoder::Create(text_config_, *pack, stage().backend(),
                                                         TextOptions(options_, *pack)));
  LayerStream::Options stream =
      StreamOptions(text_kept_bytes_max_, workers, stage().backend().device());
  stream.slot_count = options_.text_slot_count;
  stream.trace_name = "text";
  LT_ASSIGN_OR_RETURN(text_layers_, LayerStream::Open(*pack, stream));
  return absl::OkStatus();
}

absl::Status VideoModel::OpenPixelCoder() {
  LT_ASSIGN_OR_RETURN(const PackReader* pack, pack_->Component("vae"));
  LT_ASSIGN_OR_RETURN(const ResidentSection resident, pack->LoadResident(options_.populator));
  LT_ASSIGN_OR_RETURN(std::unique_ptr<WanVaeDecoder> decoder,
                      WanVaeDecoder::Create(vae_config_, resident, *decode_backend_));
  std::unique_ptr<WanVaeEncoder> encoder;
  if (options_.with_encoder) {
    LT_ASSIGN_OR_RETURN(encoder, WanVaeEncoder::Create(vae_config_, resident, *decode_backend_));
  }
  resident_bytes_ += resident.bytes();
  LT_ASSIGN_OR_RETURN(std::unique_ptr<TinyDecoder> tiny_decoder, OpenTinyDecoder());
  pixel_coder_ =
      std::make_unique<PixelCoder>(std::move(decoder), std::move(tiny_decoder), std::move(encoder));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<TinyDecoder>> VideoModel::OpenTinyDecoder() {
  if (!pack_->Has("tiny_decoder")) {
    if (!recipe_.tiny_decoder) return nullptr;
    return absl::FailedPreconditionError(
        "the recipe asks for tiny_decoder, which the pack does not have");
  }
  if (config_.channels != kTinyDecoderChannels) {
    return absl::FailedPreconditionError(absl::StrCat("tiny_decoder: takes latents of ",
                                                      kTinyDecoderChannels, " channels, not ",
                                                      config_.channels));
  }
  LT_ASSIGN_OR_RETURN(const PackReader* pack, pack_->Component("tiny_decoder"));
  LT_ASSIGN_OR_RETURN(const ResidentSection resident, pack->LoadResident(options_.populator));
  resident_bytes_ += resident.bytes();
  return TinyDecoder::Create(resident, *decode_backend_);
}

absl::StatusOr<std::vector<int32_t>> VideoModel::Tokenize(const std::string& prompt) const {
  const auto cleaned = CleanPrompt(prompt);
  if (!cleaned.ok()) return FieldError("prompt", std::string(cleaned.status().message()));
  std::vector<int32_t> ids = tokenizer_->Encode(*cleaned, static_cast<int>(kPromptTokensMax));
  const auto tokens = static_cast<int64_t>(ids.size());
  if (tokens <= options_.prompt_tokens_max) return ids;
  return FieldError("prompt", absl::StrCat(tokens, " tokens, this server takes ",
                                           options_.prompt_tokens_max, " (prompt-tokens)"));
}

absl::StatusOr<PromptTexts> VideoModel::NewPromptTexts(std::span<const float> states,
                                                       int64_t tokens) const {
  std::vector<std::unique_ptr<TextContext>> of_stages;
  for (const auto& stage : stages_) {
    LT_ASSIGN_OR_RETURN(of_stages.emplace_back(),
                        stage->transformer().NewTextContext(states, tokens));
  }
  return PromptTexts(std::move(of_stages));
}

absl::StatusOr<uint64_t> VideoModel::prompt_bytes_max() const {
  uint64_t sum = 0;
  for (const auto& stage : stages_) {
    LT_ASSIGN_OR_RETURN(
        const uint64_t bytes,
        TextContextBytes(stage->transformer().text_shape(options_.prompt_tokens_max)));
    sum += bytes;
  }
  return sum;
}

KvLayout VideoModel::kv_layout(int64_t width, int64_t height) const {
  const LatentGrid grid = LatentGrid::FromPixels(width, height);
  KvLayout layout = stage().transformer().kv_layout(grid.height, grid.width);
  layout.layers = config_.layers;
  return layout;
}

uint64_t VideoModel::transformer_memory_bytes() const {
  uint64_t bytes = 0;
  for (const auto& stage : stages_) bytes += stage->layers().memory_bytes();
  return bytes;
}

uint64_t VideoModel::streamed_bytes_per_sweep() const {
  uint64_t bytes = 0;
  for (const auto& stage : stages_) bytes += stage->layers().bytes_per_sweep();
  return bytes;
}

uint64_t VideoModel::buffer_bytes() const {
  uint64_t bytes = text_encoder_->buffer_bytes();
  for (const auto& stage : stages_) bytes += stage->transformer().buffer_bytes();
  return bytes;
}

double VideoModel::SweepFlops(const SweepLoad& load) const {
  const auto d = static_cast<double>(config_.width());
  const auto n = static_cast<double>(load.tokens);
  const double linear = 2.0 * (6.0 * d * d + 2.0 * d * static_cast<double>(config_.ffn_dim)) * n;
  const double self = 4.0 * static_cast<double>(load.pairs) * d;
  const double cross = 4.0 * n * static_cast<double>(kPromptTokensMax) * d;
  return (linear + self + cross) * static_cast<double>(config_.layers);
}

}  // namespace longtake
