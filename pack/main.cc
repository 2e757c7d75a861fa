// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// longtake-pack: makes, shows and verifies packs.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/command_line.h"
#include "base/printable_text.h"
#include "base/standard_files.h"
#include "base/units.h"
#include "engine/policy/recipe.h"
#include "pack/model_files.h"
#include "pack/pack_model.h"
#include "pack/show.h"
#include "pack/synthesise.h"
#include "storage/pack/pack_directory.h"
#include "storage/pack/pack_twin.h"

namespace longtake {
namespace {

constexpr uint64_t kRecipeBytesMax = 1 << 20;

// One line that overwrites itself on a terminal; silent elsewhere.
class ProgressLine {
 public:
  void Update(const std::string& what, uint64_t done_bytes, uint64_t total_bytes) {
    if (!enabled_ || total_bytes == 0) return;
    const int percent = static_cast<int>(100.0 * static_cast<double>(done_bytes) /
                                         static_cast<double>(total_bytes));
    if (percent == percent_ && what == what_) return;
    percent_ = percent;
    what_ = what;
    std::fprintf(stderr, "\r%-14s %3d %% of %.1f MB ", what.c_str(), percent,
                 static_cast<double>(total_bytes) / 1e6);
    if (done_bytes == total_bytes) std::fputc('\n', stderr);
  }

 private:
  const bool enabled_ = isatty(fileno(stderr)) != 0;
  int percent_ = -1;
  std::string what_;
};

int Report(const absl::Status& status) {
  if (status.ok()) return 0;
  const std::string message(status.message());
  std::fprintf(stderr, "longtake-pack: %s\n", PrintableText(message).c_str());
  return 1;
}

// A name of a published recipe, or a file.
absl::StatusOr<std::string> RecipeText(const std::string& recipe) {
  if (recipe.empty()) return std::string();
  auto named = NamedRecipeJson(recipe);
  if (named.ok()) return named;
  auto text = ReadModelFile(PosixFileSystem(), recipe, kRecipeBytesMax);
  if (absl::IsNotFound(text.status())) return named.status();
  return text;
}

struct PackArguments {
  std::string model_directory;
  std::string pack_directory;
  std::string recipe;
  std::string dtype = "bf16";
  std::string quantize = "none";
  std::vector<std::string> layer_paths;
};

int RunSpread(const std::string& directory, const std::vector<std::string>& layer_paths) {
  ProgressLine line;
  const absl::Status status =
      SpreadLayers(PosixFileSystem(), directory, layer_paths,
                   [&](uint64_t done, uint64_t total) { line.Update("layers", done, total); });
  for (const std::string& path : layer_paths) {
    if (status.ok()) std::printf("%s: layers of %s\n", path.c_str(), directory.c_str());
  }
  return Report(status);
}

int RunPack(const PackArguments& arguments) {
  auto recipe = RecipeText(arguments.recipe);
  if (!recipe.ok()) return Report(recipe.status());
  ProgressLine line;
  PackModelOptions options;
  options.recipe = *recipe;
  options.dtype = arguments.dtype == "f32" ? DType::kF32 : DType::kBf16;
  options.quantize_int8 = arguments.quantize == "int8";
  options.on_file = [](const std::string& path, bool is_read) {
    std::printf("%s %s\n", is_read ? "reads" : "leaves out", path.c_str());
  };
  options.progress = [&](const std::string& component, uint64_t done, uint64_t total) {
    line.Update(component, done, total);
  };
  auto digest =
      PackModel(PosixFileSystem(), arguments.model_directory, arguments.pack_directory, options);
  if (!digest.ok()) return Report(digest.status());
  std::printf("%s: model digest %s\n", arguments.pack_directory.c_str(), digest->c_str());
  if (arguments.layer_paths.empty()) return 0;
  return RunSpread(arguments.pack_directory, arguments.layer_paths);
}

struct SynthArguments {
  std::string directory;
  std::string dtype = "bf16";
  std::string model_directory;
  std::string layers = "0";
  std::string text_layers = "0";
  SynthesiseOptions options;
};

// Read here because the command line's own reader takes 010 for eight and 0x10 for sixteen.
absl::StatusOr<int64_t> LayersOption(const std::string& option, const std::string& text) {
  const auto layers = ParseCountIn(text, 0, 1000);
  if (!layers.ok()) return Annotate(layers.status(), option);
  return static_cast<int64_t>(*layers);
}

int RunSynthModel(const SynthArguments& arguments, int64_t text_layers, WorkerPool& workers) {
  const auto digest =
      SynthesiseModel(PosixFileSystem(), arguments.directory, arguments.model_directory,
                      text_layers, arguments.options, workers);
  if (!digest.ok()) return Report(digest.status());
  std::printf("%s: model digest %s\n", arguments.directory.c_str(), digest->c_str());
  return 0;
}

int RunSynth(SynthArguments& arguments) {
  const auto layers = LayersOption("--layers", arguments.layers);
  if (!layers.ok()) return Report(layers.status());
  const auto text_layers = LayersOption("--text-layers", arguments.text_layers);
  if (!text_layers.ok()) return Report(text_layers.status());
  arguments.options.layers = *layers;
  ProgressLine line;
  arguments.options.quantize_int8 = arguments.dtype == "int8";
  arguments.options.progress = [&](const std::string& component, uint64_t done, uint64_t total) {
    line.Update(component, done, total);
  };
  WorkerPool workers(static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
  if (!arguments.model_directory.empty()) {
    return RunSynthModel(arguments, *text_layers, workers);
  }
  const auto component =
      SynthesiseComponent(PosixFileSystem(), arguments.directory, arguments.options, workers);
  if (!component.ok()) return Report(component.status());
  std::printf("%s/%s.pack", arguments.directory.c_str(), component->c_str());
  if (!arguments.options.pack_only) {
    std::printf(", with the same weights as published in %s/%s", arguments.directory.c_str(),
                component->c_str());
  }
  std::putchar('\n');
  return 0;
}

int RunShow(const std::string& directory) {
  auto text = ShowPack(PosixFileSystem(), directory);
  if (!text.ok()) return Report(text.status());
  std::fputs(text->c_str(), stdout);
  return 0;
}

int RunVerify(const std::string& directory, const std::vector<std::string>& layer_paths) {
  ProgressLine line;
  const absl::Status status = VerifyPackDirectory(
      PosixFileSystem(), directory,
      [&](uint64_t done, uint64_t total) { line.Update("verify", done, total); }, layer_paths);
  if (status.ok()) std::printf("%s: every byte is as it was written\n", directory.c_str());
  return Report(status);
}

CLI::Option* AddLayerPath(CLI::App* command, std::vector<std::string>& paths,
                          const std::string& help) {
  return command
      ->add_option("--layer-path", paths,
                   help + "; once for each, in the order that longtaked gets them")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

int Main(int argc, char** argv) {
  CLI::App app("Makes, shows and verifies the packs that longtaked streams its layers from.",
               "longtake-pack");
  app.set_version_flag("--version", "longtake-pack " LONGTAKE_VERSION);
  app.require_subcommand(1);

  PackArguments arguments;
  CLI::App* pack =
      app.add_subcommand("pack", "Pack a model directory (published Diffusers layout)");
  pack->add_option("model-dir", arguments.model_directory, "Directory with model_index.json")
      ->required();
  pack->add_option("pack-dir", arguments.pack_directory, "Directory to write; made if missing")
      ->required();
  pack->add_option("--recipe", arguments.recipe,
                   absl::StrCat("A JSON file or one of ", absl::StrJoin(RecipeNames(), ", "),
                                "; default: the model's longtake.json"));
  pack->add_option("--dtype", arguments.dtype, "Type of the matrices")
      ->check(CLI::IsMember({"bf16", "f32"}))
      ->capture_default_str();
  pack->add_option("--quantize", arguments.quantize,
                   "int8: the transformer's layers in half the bytes of bf16, a scale per output "
                   "channel; faster where there is AVX-512 VNNI, slightly other pictures")
      ->check(CLI::IsMember({"none", "int8"}))
      ->capture_default_str();

  SynthArguments synth_arguments;
  CLI::App* synth = app.add_subcommand(
      "synth", "Write a component of a published shape, or a whole model, with random weights");
  synth->add_option("dir", synth_arguments.directory, "Directory to write into; made if missing")
      ->required();
  synth
      ->add_option("--shape", synth_arguments.options.shape,
                   absl::StrCat("One of ", absl::StrJoin(SyntheticShapes(), ", ")))
      ->required();
  synth->add_option("--dtype", synth_arguments.dtype, "Type of the pack's layers")
      ->check(CLI::IsMember({"bf16", "int8"}))
      ->capture_default_str();
  synth->add_option("--layers", synth_arguments.layers, "0: as published")->capture_default_str();
  synth->add_option("--model-dir", synth_arguments.model_directory,
                    "Make a model that can be served: text encoder and VAE, too, and the tokenizer "
                    "and recipe of this model directory");
  synth
      ->add_option("--text-layers", synth_arguments.text_layers,
                   "Of the text encoder of --model-dir; 0: as published")
      ->capture_default_str();
  synth->add_flag("--pack-only", synth_arguments.options.pack_only,
                  "Keep the pack, not the published files that it is made from");

  std::string directory;
  std::vector<std::string> layer_paths;
  AddLayerPath(pack, arguments.layer_paths, "Directory that gets a share of the layers, too");
  CLI::App* spread = app.add_subcommand(
      "spread", "Copy the layers of a pack to further disks, which are then read at once");
  spread->add_option("pack-dir", directory)->required();
  AddLayerPath(spread, layer_paths, "Directory that gets a share of them")->required();
  CLI::App* show = app.add_subcommand("show", "Print what a pack holds");
  show->add_option("pack-dir", directory)->required();
  CLI::App* verify = app.add_subcommand("verify", "Read everything and check every checksum");
  verify->add_option("pack-dir", directory)->required();
  AddLayerPath(verify, layer_paths, "Directory with layers of the pack that is verified, too");

  if (const auto ended = ParseCommandLine(app, argc, argv); ended.has_value()) return *ended;
  if (*pack) return RunPack(arguments);
  if (*synth) return RunSynth(synth_arguments);
  if (*spread) return RunSpread(directory, layer_paths);
  return *show ? RunShow(directory) : RunVerify(directory, layer_paths);
}

}  // namespace
}  // namespace longtake

int main(int argc, char** argv) {
  longtake::ReserveStandardFiles();
  return longtake::Main(argc, argv);
}
