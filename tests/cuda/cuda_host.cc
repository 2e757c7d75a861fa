// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/cuda_host.h"

#include <ucontext.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "tests/cuda/fiber_sanitizers.h"

namespace cuda_host {
namespace {

constexpr unsigned kWarp = 32;
constexpr size_t kStackBytes = 256 << 10;  // a sanitizer's frames are large

[[noreturn]] void Fatal(const char* what) {
  std::fprintf(stderr, "cuda host: %s\n", what);
  std::abort();
}

enum class State { kReady, kAtBlock, kAtWarp, kDone };

struct Block;

// The next block's fibers have the stacks of this one's.
class Stack {
 public:
  Stack() {
    if (unused.empty()) {
      memory_ = std::make_unique_for_overwrite<std::byte[]>(kStackBytes);
    } else {
      memory_ = std::move(unused.back());
      unused.pop_back();
    }
  }
  ~Stack() { unused.push_back(std::move(memory_)); }
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  std::byte* begin() { return memory_.get(); }

 private:
  static inline std::vector<std::unique_ptr<std::byte[]>> unused;
  std::unique_ptr<std::byte[]> memory_;
};

struct Fiber {
  Block* block = nullptr;
  Place place;
  std::atomic<State> state = State::kReady;  // relaxed: it orders nothing
  uint32_t given = 0;                        // to the warp
  ucontext_t context = {};
  Stack stack;
  SanitizedFiber sanitized{stack.begin(), kStackBytes};

  bool At(State at) const { return state.load(std::memory_order_relaxed) == at; }
  void Set(State next) { state.store(next, std::memory_order_relaxed); }
  unsigned warp() const { return place.thread.x / kWarp; }
};

struct Block {
  Block(const Shape& shape, unsigned index, const std::function<void()>& body);
  void Run(std::mt19937_64* order);
  void Resume(Fiber& fiber);
  // Lets go whom a barrier holds that all have reached.
  void Release();
  static void Release(State at, std::span<Fiber*> group);
  // Of the fiber that runs.
  void Park(Fiber& fiber, State at);

  const std::function<void()>& body;
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<float> shared;
  ucontext_t scheduler = {};
  SanitizedFiber sanitized;  // of the scheduler
  char block_barrier = 0;    // what sanitizers know barriers by
  std::vector<char> warp_barriers;
};

std::atomic<Fiber*> running{nullptr};
uint64_t order_seed = 0;

Fiber& Running() {
  Fiber* const fiber = running.load(std::memory_order_relaxed);
  if (fiber == nullptr) Fatal("a kernel's function is called outside a kernel");
  return *fiber;
}

void Enter() {
  Acquire(&running);
  Fiber& fiber = Running();
  fiber.sanitized.Entered();
  fiber.block->body();
  fiber.Set(State::kDone);
  fiber.sanitized.LeaveForGood(fiber.block->sanitized, &running);
  setcontext(&fiber.block->scheduler);
}

void Prepare(Fiber& fiber) {
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack.begin();
  fiber.context.uc_stack.ss_size = kStackBytes;
  makecontext(&fiber.context, &Enter, 0);
}

Block::Block(const Shape& shape, unsigned index, const std::function<void()>& kernel)
    : body(kernel),
      shared(shape.shared_bytes / sizeof(float), std::numeric_limits<float>::quiet_NaN()),
      warp_barriers((shape.block + kWarp - 1) / kWarp) {
  for (unsigned i = 0; i < shape.block; ++i) {
    fibers.push_back(std::make_unique<Fiber>());
    Fiber& fiber = *fibers.back();
    fiber.block = this;
    fiber.place = {
        .thread = {i}, .block = {index}, .block_size = {shape.block}, .grid_size = {shape.grid}};
    Prepare(fiber);
  }
}

void Block::Resume(Fiber& fiber) {
  running.store(&fiber, std::memory_order_relaxed);
  sanitized.Leave(fiber.sanitized);
  swapcontext(&scheduler, &fiber.context);
  sanitized.Entered();
  running.store(nullptr, std::memory_order_relaxed);
}

void Block::Park(Fiber& fiber, State at) {
  char* const barrier = at == State::kAtBlock ? &block_barrier : &warp_barriers[fiber.warp()];
  fiber.Set(at);
  ReleaseTo(barrier);
  fiber.sanitized.Leave(sanitized);
  swapcontext(&fiber.context, &scheduler);
  fiber.sanitized.Entered();
  Acquire(barrier);
}

void Block::Release(State at, std::span<Fiber*> group) {
  const auto is_at = [at](const Fiber* fiber) { return fiber->At(at); };
  if (std::none_of(group.begin(), group.end(), is_at)) return;
  if (std::any_of(group.begin(), group.end(),
                  [](const Fiber* fiber) { return fiber->At(State::kDone); })) {
    Fatal("a barrier that some threads have returned before");
  }
  if (!std::all_of(group.begin(), group.end(), is_at)) return;
  for (Fiber* fiber : group) fiber->Set(State::kReady);
}

void Block::Release() {
  std::vector<Fiber*> all;
  for (const auto& fiber : fibers) all.push_back(fiber.get());
  Release(State::kAtBlock, all);
  for (size_t first = 0; first < all.size(); first += kWarp) {
    const size_t count = std::min<size_t>(kWarp, all.size() - first);
    Release(State::kAtWarp, std::span(all).subspan(first, count));
  }
}

void Block::Run(std::mt19937_64* order) {
  ReleaseTo(&running);
  std::vector<Fiber*> turns;
  for (const auto& fiber : fibers) turns.push_back(fiber.get());
  const auto is_ready = [](const Fiber* fiber) { return fiber->At(State::kReady); };
  const auto is_done = [](const Fiber* fiber) { return fiber->At(State::kDone); };
  unsigned warp = 0;
  while (!std::all_of(turns.begin(), turns.end(), is_done)) {
    if (order != nullptr) std::shuffle(turns.begin(), turns.end(), *order);
    const auto first = std::find_if(turns.begin(), turns.end(), is_ready);
    if (first == turns.end()) Fatal("a barrier that some threads of the block never reach");
    // In an order that is drawn, one warp may be far ahead of another.
    const auto same = std::find_if(turns.begin(), turns.end(), [&](const Fiber* fiber) {
      return is_ready(fiber) && fiber->warp() == warp;
    });
    if (same == turns.end() || order == nullptr || (*order)() % 8 == 0) warp = (*first)->warp();
    for (Fiber* fiber : turns) {
      if (fiber->At(State::kReady) && (order == nullptr || fiber->warp() == warp)) Resume(*fiber);
    }
    Release();
  }
  Acquire(&running);
}

}  // namespace

const Place& Here() { return Running().place; }

float* SharedFloats() { return Running().block->shared.data(); }

void SyncBlock() { Running().block->Park(Running(), State::kAtBlock); }

void SyncWarp() { Running().block->Park(Running(), State::kAtWarp); }

uint32_t Exchange(uint32_t bits, int lane_mask) {
  Fiber& fiber = Running();
  fiber.given = bits;
  SyncWarp();
  const unsigned other = fiber.place.thread.x ^ static_cast<unsigned>(lane_mask);
  if (other >= fiber.place.block_size.x) Fatal("a lane that does not exist is asked");
  const uint32_t taken = fiber.block->fibers[other]->given;
  SyncWarp();  // nobody gives anew before all have taken
  return taken;
}

void UseOrder(uint64_t seed) { order_seed = seed; }

void RunGrid(const Shape& shape, const std::function<void()>& kernel) {
  std::mt19937_64 random(order_seed);
  std::vector<unsigned> blocks(shape.grid);
  for (unsigned i = 0; i < shape.grid; ++i) blocks[i] = i;
  if (order_seed != 0) std::shuffle(blocks.begin(), blocks.end(), random);
  for (const unsigned index : blocks) {
    Block block(shape, index, kernel);
    block.Run(order_seed == 0 ? nullptr : &random);
  }
}

}  // namespace cuda_host
