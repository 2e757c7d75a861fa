// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// An engine over the embedded model, driven step by step on the test's thread. Small frames keep it
// quick: the model does not care.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/serve/engine.h"
#include "pack/pack_model.h"

namespace longtake {

// A folder that goes with the object.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "longtake-engine-XXXXXX").string();
    LT_CHECK(mkdtemp(name.data()) != nullptr);
    directory_ = name;
  }
  ~ScratchDirectory() { std::filesystem::remove_all(directory_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::string& directory() const { return directory_; }

 private:
  std::string directory_;
};

// The embedded model in a pack, in a folder that goes with the object. An empty recipe is the
// model's own.
class ScratchPack {
 public:
  explicit ScratchPack(const std::string& recipe = "")
      : ScratchPack(PackModelOptions{.recipe = recipe, .progress = {}}) {}
  explicit ScratchPack(const PackModelOptions& options)
      : ScratchPack(options,
                    std::string(std::getenv("LONGTAKE_SOURCE_DIR")) + "/models/shapes-small") {}
  ScratchPack(const PackModelOptions& options, const std::string& model) {
    const auto digest = PackModel(PosixFileSystem(), model, directory(), options);
    if (!digest.ok()) std::fprintf(stderr, "%s\n", digest.status().ToString().c_str());
    LT_CHECK(digest.ok());
  }
  const std::string& directory() const { return scratch_.directory(); }

 private:
  const ScratchDirectory scratch_;
};

// The embedded model with its own recipe, packed once per test program.
inline const std::string& EmbeddedPack() {
  static const ScratchPack pack;
  return pack.directory();
}

// A named recipe at the embedded model's size.
inline std::string SmallRecipe(const std::string& name) {
  std::string recipe = *NamedRecipeJson(name);
  for (const auto& [from, to] :
       {std::pair("\"width\":832", "\"width\":160"), {"\"height\":480", "\"height\":96"}}) {
    recipe.replace(recipe.find(from), std::string(from).size(), to);
  }
  return recipe;
}

struct EngineSetup {
  int threads = 2;
  FileSystem* files = &PosixFileSystem();
  std::string pack = {};  // empty: the embedded model with its own recipe
  VideoModelOptions model;
  decltype(&VideoModel::Open) open = &VideoModel::Open;
  // The transformer cut into these stages; after each Renew as the next of them says.
  std::vector<std::vector<ModelStage>> cuts = {};
  // A small pool, which is cleared for every engine, and room for 18 small chunks. No prompt is
  // known from an earlier take, so that every take does all of its work.
  EngineOptions engine{.kv_bytes_max = 64 << 20,
                       .prompt_cache_bytes_max = 0,
                       .session = {.outbox_bytes_max = 1 << 20}};
};

class TestEngine {
 public:
  explicit TestEngine(const EngineSetup& setup = {}) : workers_(setup.threads) {
    VideoModelOptions options = setup.model;
    options.tokens_max = std::min<int64_t>(options.tokens_max, 2048);
    const std::string& pack = setup.pack.empty() ? EmbeddedPack() : setup.pack;
    const std::vector<std::vector<ModelStage>> whole = {{}};
    for (const auto& cut : setup.cuts.empty() ? whole : setup.cuts) {
      options.stages = cut;
      auto model = setup.open(*setup.files, pack, options, workers_);
      if (!model.ok()) std::fprintf(stderr, "%s\n", model.status().ToString().c_str());
      LT_CHECK(model.ok());
      models_.push_back(*std::move(model));
    }
    auto engine = Engine::Create(model(), setup.engine, clock_);
    if (!engine.ok()) std::fprintf(stderr, "%s\n", engine.status().ToString().c_str());
    LT_CHECK(engine.ok());
    engine_ = *std::move(engine);
  }

  absl::StatusOr<std::shared_ptr<Session>> CreateSession(const SessionSpec& spec, std::string id) {
    LT_ASSIGN_OR_RETURN(const ResolvedSpec resolved, engine_->Resolve(spec));
    LT_ASSIGN_OR_RETURN(CreatedSession created, engine_->CreateSession(resolved, std::move(id)));
    return created.session;
  }
  absl::StatusOr<SessionEstimate> Estimate(const SessionSpec& spec) {
    LT_ASSIGN_OR_RETURN(const ResolvedSpec resolved, engine_->Resolve(spec));
    return engine_->Estimate(resolved);
  }

  // Another engine over the model instead of this one, which is gone with all its sessions.
  absl::Status Renew(const EngineOptions& options) {
    Stop();
    std::rotate(models_.begin(), models_.begin() + 1, models_.end());
    LT_ASSIGN_OR_RETURN(engine_, Engine::Create(model(), options, clock_));
    return absl::OkStatus();
  }

  Engine& operator*() { return *engine_; }
  Engine* operator->() { return engine_.get(); }
  ManualClock& clock() { return clock_; }
  VideoModel& model() { return *models_.front(); }

  void Stop() { engine_ = nullptr; }

  // Turns until nobody has anything to do.
  void RunUntilIdle() {
    while (engine_->Step()) {
    }
  }

 private:
  WorkerPool workers_;
  ManualClock clock_;
  std::vector<std::unique_ptr<VideoModel>> models_;  // one, or one for each cut
  std::unique_ptr<Engine> engine_;
};

// A small session: 48x32 pixels.
inline SessionSpec SmallSpec(const std::string& prompt, uint64_t seed, int64_t frame_count) {
  SessionSpec spec;
  spec.prompt = prompt;
  spec.seed = seed;
  spec.width = 48;
  spec.height = 32;
  spec.frame_count = frame_count;
  spec.ttl_nanos = int64_t{3600} * 1'000'000'000;
  return spec;
}

// Everything a session gave its reader.
struct Received {
  std::vector<std::shared_ptr<const MediaChunk>> chunks;
  std::vector<EventApplied> applied;
  std::optional<absl::Status> end;

  std::vector<std::string> Digests() const {
    std::vector<std::string> out;
    for (const auto& chunk : chunks) out.push_back(chunk->digest.ToHex());
    return out;
  }
};

inline void PollAll(Session& session, uint64_t reader, Received* received) {
  for (;;) {
    auto output = session.Poll(reader);
    if (!output.ok() || !output->has_value()) return;
    if (auto* chunk = std::get_if<std::shared_ptr<const MediaChunk>>(&**output)) {
      received->chunks.push_back(*chunk);
    } else if (auto* applied = std::get_if<EventApplied>(&**output)) {
      received->applied.push_back(*applied);
    } else {
      received->end = std::get<SessionEnd>(**output).status;
    }
  }
}

// Reads a session to its end. What is there already is taken first: a full outbox lets no step run.
inline Received ReadToEnd(TestEngine& engine, Session& session) {
  Received received;
  const uint64_t reader = *session.Attach(-1, nullptr);
  PollAll(session, reader, &received);
  while (!received.end.has_value() && engine->Step()) PollAll(session, reader, &received);
  PollAll(session, reader, &received);
  session.Detach(reader);
  LT_CHECK(received.end.has_value());
  return received;
}

}  // namespace longtake
