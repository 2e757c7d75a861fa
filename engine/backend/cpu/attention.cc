// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/checked.h"
#include "engine/backend/cpu/cpu_backend.h"

namespace longtake {
namespace {

// An item ready to be cut into tasks of one head and some queries each.
struct Item {
  std::vector<AttentionKeys> segments;
  int64_t key_count = 0;
  int64_t parts = 1;       // of its queries
  int64_t first_task = 0;  // tasks are numbered head by head
  bool in_tiles = false;
};

Item Prepare(const AttentionArgs& args) {
  LT_CHECK(args.rows >= 0 && args.heads > 0 && args.scale > 0.0f);
  LT_CHECK(args.head_dim > 0 && args.head_dim % 2 == 0 && args.head_dim <= kAttentionHeadDimMax);
  Item item;
  item.segments.reserve(args.keys.size());
  for (const KeySegment& segment : args.keys) {
    LT_CHECK(segment.dtype == DType::kF32 || segment.dtype == DType::kBf16);
    LT_CHECK(segment.rows >= 0);
    item.key_count += segment.rows;
    item.segments.push_back({.k = segment.k.address(),
                             .v = segment.v.address(),
                             .is_bf16 = segment.dtype == DType::kBf16,
                             .rows = segment.rows,
                             .rotary = segment.rotary.address()});
  }
  LT_CHECK(item.key_count > 0 || args.rows == 0);
  return item;
}

// What a kernel takes at a time, and what it costs to prepare a key and its value: as much as this
// many queries with them.
struct Kernel {
  int64_t queries_max;
  double key_cost;
};
constexpr Kernel kVectors = {kAttentionQueriesMax, 12.0};
constexpr Kernel kTiles = {kTiledQueriesMax, 130.0};

// More parts keep all workers busy until the end, but each prepares all keys again. Bits do not
// depend on the outcome.
int64_t ChooseParts(int64_t rows, int64_t heads, int threads, const Kernel& kernel) {
  const int64_t parts_min = std::max<int64_t>(1, CeilDiv(rows, kernel.queries_max));
  int64_t best = parts_min;
  double best_cost = 0;
  for (int64_t parts = parts_min; parts <= parts_min + 2 * threads; ++parts) {
    const double task = static_cast<double>(CeilDiv(rows, parts)) + kernel.key_cost;
    // The quarter stands for workers that do not run at the same speed.
    const double cost = (static_cast<double>(CeilDiv(heads * parts, threads)) + 0.25) * task;
    if (best_cost != 0 && cost >= best_cost) continue;
    best_cost = cost;
    best = parts;
  }
  return best;
}

}  // namespace

void CpuBackend::Attention(std::span<const AttentionArgs> items) {
  int64_t heads = 0;
  for (const AttentionArgs& args : items) heads += args.heads;
  std::vector<Item> prepared;
  prepared.reserve(items.size());
  int64_t tasks = 0;
  for (const AttentionArgs& args : items) {
    Item item = Prepare(args);
    // Text encoders add a bias, the VAE's heads are wide: few operations, kept in fp32.
    item.in_tiles = tiled() && !args.bias && args.head_dim <= kTiledHeadDimMax;
    item.parts =
        ChooseParts(args.rows, heads, workers_.thread_count(), item.in_tiles ? kTiles : kVectors);
    item.first_task = tasks;
    tasks += args.heads * item.parts;
    prepared.push_back(std::move(item));
  }
  workers_.ParallelFor(tasks, [&](int64_t index, int worker) {
    const auto after =
        std::upper_bound(prepared.begin(), prepared.end(), index,
                         [](int64_t value, const Item& item) { return value < item.first_task; });
    const Item& item = *(after - 1);
    const AttentionArgs& args = items[static_cast<size_t>(after - 1 - prepared.begin())];
    const int64_t head = (index - item.first_task) / item.parts;
    const int64_t part = (index - item.first_task) % item.parts;
    const int64_t row = args.rows * part / item.parts;
    const int64_t width = args.heads * args.head_dim;
    const int64_t offset = row * width + head * args.head_dim;
    const float* bias =
        args.bias ? args.bias.address() + (head * args.rows + row) * item.key_count : nullptr;
    const auto kernel = item.in_tiles ? kernels_.attention_tiled : kernels_.attention;
    kernel({.q = args.q.address() + offset,
            .rows = args.rows * (part + 1) / item.parts - row,
            .stride = width,
            .head = head,
            .head_dim = args.head_dim,
            .segments = item.segments.data(),
            .key_count = item.key_count,
            .scale = args.scale,
            .bias = bias,
            .last_key_bias = args.last_key_bias,
            .out = args.out.address() + offset,
            .scratch = Scratch(worker)});
  });
}

}  // namespace longtake
