// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The op list: everything a model asks of a device. Models are written against this interface only;
// engine/backend/cpu implements it, a CUDA twin can.
//
// All activations are fp32, row-major. Weights are fp32, bf16 or int8, [out, in]. The bits of an
// output element do not depend on how many rows are computed together, nor on the number of
// threads. Rows of several sessions are therefore simply stacked: one Linear call serves a whole
// sweep, each weight panel is unpacked once and used by all rows. What the bits do depend on has a
// name, the numerics profile:
//   cpu-fma-chain-v1   fp32 and bf16 weights: every element is one chain of fused multiply-adds in
//                      index order of the summed dimension. int8 weights: rows are quantised to
//                      bytes, sums are exact integers. The same on every instruction set.
//   cpu-amx-bf16-v1  as above, but Linear with bf16 weights, and attention without bias over
//                      heads up to 128 wide, take factors rounded to bf16 and sum in fp32 in the
//                      order of AMX. Only where there is AMX.
//
// A backend takes the memory that its ops work in when it is created, so that no op can fail for
// the lack of it. Activations are addresses of its device, which nobody else follows
// (engine/backend/device_ptr.h); so are parameters, but for what PackConv packs. How they come and
// go is the device's. An op is put into the backend's lane, and done when a fence behind it has
// passed: until then what its addresses point to stays. Spans are read within the call. Shapes are
// the caller's promise (LT_CHECK, not Status): they were validated when the model or the session
// was created. One thread calls at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "base/memory_populator.h"
#include "base/status_macros.h"
#include "base/worker_pool.h"
#include "engine/backend/device.h"

namespace longtake {

enum class Activation { kNone, kGeluTanh, kSilu };

inline constexpr std::string_view kFmaChainProfile = "cpu-fma-chain-v1";
inline constexpr std::string_view kAmxBf16Profile = "cpu-amx-bf16-v1";

// Sums of products of bytes fit into 32 bits up to here.
inline constexpr int64_t kInt8InFeaturesMax = 65536;

// A matrix of a slab or of the resident section, [out_features, in_features], kF32, kBf16 or kI8.
struct Weight {
  DevicePtr<const void> data = {};
  DType dtype = DType::kF32;
  int64_t out_features = 0;
  int64_t in_features = 0;
  DevicePtr<const float> scales = {};  // [out_features], what a step of kI8 is worth; else null
};

// out[r, o] = activation(sum_i in[r, i] weight[o, i] + bias[o])
struct LinearArgs {
  DevicePtr<const float> in = {};  // [rows, in_features]
  int64_t rows = 0;
  Weight weight;
  DevicePtr<const float> bias = {};  // [out_features] or null
  Activation activation = Activation::kNone;
  DevicePtr<float> out = {};  // [rows, out_features]
};

// Consecutive keys with their values. A key plan becomes a list of these.
struct KeySegment {
  DevicePtr<const void> k = {};  // [rows, heads * head_dim], unrotated when rotary is given
  DevicePtr<const void> v = {};  // [rows, heads * head_dim]
  DType dtype = DType::kF32;     // kF32 or kBf16
  int64_t rows = 0;
  // [rows, head_dim] as cos,sin per pair; null leaves k as it is
  DevicePtr<const float> rotary = {};
};

// out = softmax(scale * q k^T + bias) v over all segments in order, per head. Never materialises
// rows x keys beyond a tile.
struct AttentionArgs {
  DevicePtr<const float> q = {};  // [rows, heads * head_dim], already rotated
  int64_t rows = 0;
  int64_t heads = 0;
  int64_t head_dim = 0;
  std::span<const KeySegment> keys;
  float scale = 1.0f;
  DevicePtr<const float> bias = {};  // [heads, rows, keys] or null (UMT5 relative positions)
  // Added to the logit of the very last key: ln(n) lets one key stand for n equal ones
  // (spec 2.3).
  float last_key_bias = 0.0f;
  DevicePtr<float> out = {};  // [rows, heads * head_dim]
};

// x = LN(x) without affine, then * (1 + scale) + shift; scale and shift are per group of rows
// (a latent frame), [rows / group_rows, width] with the given stride between groups.
struct LayerNormModulateArgs {
  DevicePtr<const float> in = {};  // [rows, width]
  int64_t rows = 0;
  int64_t width = 0;
  float eps = 1e-6f;
  DevicePtr<const float> shift = {};
  DevicePtr<const float> scale = {};
  int64_t group_rows = 1;
  int64_t group_stride = 0;
  DevicePtr<float> out = {};  // may be in
};

// x = LN(x) * gain + bias.
struct LayerNormArgs {
  DevicePtr<const float> in = {};  // [rows, width]
  int64_t rows = 0;
  int64_t width = 0;
  float eps = 1e-6f;
  DevicePtr<const float> gain = {};  // [width]
  DevicePtr<const float> bias = {};  // [width]
  DevicePtr<float> out = {};         // may be in
};

// x = x / sqrt(mean(x^2) + eps) * gain over the whole row (spec 2.4, 5.1).
struct RmsNormArgs {
  DevicePtr<const float> in = {};  // [rows, width]
  int64_t rows = 0;
  int64_t width = 0;
  float eps = 1e-6f;
  DevicePtr<const float> gain = {};  // [width]
  DevicePtr<float> out = {};         // may be in
};

// Rotates adjacent channel pairs in place, the same table for every head (spec 2.6).
struct RotaryArgs {
  DevicePtr<float> x = {};  // [rows, heads * head_dim]
  int64_t rows = 0;
  int64_t heads = 0;
  int64_t head_dim = 0;
  DevicePtr<const float> table = {};  // [rows, head_dim] as cos,sin per pair
};

// x += y * gate, gate per group of rows; a null gate is 1.
struct GatedAddArgs {
  DevicePtr<float> x = {};        // [rows, width]
  DevicePtr<const float> y = {};  // [rows, width]
  int64_t rows = 0;
  int64_t width = 0;
  DevicePtr<const float> gate = {};  // [rows / group_rows, width] with stride group_stride
  int64_t group_rows = 1;
  int64_t group_stride = 0;
};

// out[r, i] = table[i] + in[r, i mod in_width]: what modulates rows, from the embeddings of their
// timesteps (spec 2.4). Plain sums, so the bits are those of any loop.
struct AddTableArgs {
  DevicePtr<const float> in = {};  // [rows, in_width]
  int64_t rows = 0;
  int64_t in_width = 0;
  DevicePtr<const float> table = {};  // [width]
  int64_t width = 0;                  // a multiple of in_width
  DevicePtr<float> out = {};          // [rows, width]
};

// Consecutive rows in memory, one after the other.
struct RowPiece {
  DevicePtr<std::byte> out = {};
  int64_t rows = 0;
};

// Rows rounded to a type, to nearest even, and stored in pieces, in row order: keys and values on
// their way into a session's memory.
struct StoreRowsArgs {
  DevicePtr<const float> in = {};  // [rows of all pieces, width]
  int64_t width = 0;
  DType dtype = DType::kF32;  // kF32 or kBf16
  std::span<const RowPiece> out;
};

// out[h, q, k] = table[buckets[k - q + rows - 1], h]: what a head adds for the distance of a key
// from its query (spec 5.1).
struct DistanceBiasArgs {
  DevicePtr<const float> table = {};      // [buckets, heads]
  std::span<const int32_t> buckets = {};  // [2 * rows - 1], of the host
  int64_t heads = 0;
  int64_t rows = 0;
  DevicePtr<float> out = {};  // [heads, rows, rows]
};

// A convolution's weights, repacked once for the kernel. Frames are channels-last [h, w, c].
class ConvWeights {
 public:
  virtual ~ConvWeights() = default;
};

struct ConvShape {
  int64_t out_channels = 0;
  int64_t in_channels = 0;
  int64_t taps_t = 1;  // temporal kernel
  int64_t taps_h = 1;
  int64_t taps_w = 1;
};

// A stack of 2-D convolutions over consecutive input frames, summed: one output frame from taps_t
// input frames. A null frame is zeros and costs nothing (spec 6.1: causal padding in time).
struct ConvFrame {
  // taps_t frames, oldest first, each [in_h, in_w, in_channels]
  std::span<const DevicePtr<const float>> in;
  DevicePtr<float> out = {};  // [out_h, out_w, out_channels]
};

struct ConvArgs {
  const ConvWeights* weights = nullptr;
  std::span<const ConvFrame> frames;
  int64_t in_h = 0;
  int64_t in_w = 0;
  int64_t stride = 1;   // in space; PackConv answers for 1 and 2
  int64_t pad_top = 0;  // zeros; out_h = (in_h + pad_top + pad_bottom - taps_h) / stride + 1
  int64_t pad_left = 0;
  int64_t pad_bottom = 0;
  int64_t pad_right = 0;
  bool upsample = false;  // read the input through a nearest 2x upsampling (spec 6.1 Up2d)
  // out += instead of out =; how the skip connection of a residual block joins.
  bool accumulate = false;
};

// y = silu?(x / max(|x|_2, 1e-12) * sqrt(width) * gamma) per voxel (spec 6.1).
struct ChannelNormArgs {
  DevicePtr<const float> in = {};  // [rows, width]
  int64_t rows = 0;
  int64_t width = 0;
  DevicePtr<const float> gamma = {};  // [width]
  bool silu = false;
  DevicePtr<float> out = {};  // may be in
};

// Beyond any sweep: of the largest one on the slowest disk.
inline constexpr int64_t kOpsTimeoutNanos = int64_t{3600} * 1'000'000'000;

class Backend {
 public:
  virtual ~Backend() = default;

  // The numerics profile, part of every session: what may change bits, by name.
  virtual std::string_view numerics_profile() const = 0;
  // The instruction set in use, for people: "x86-64-v4".
  virtual std::string_view instruction_set() const = 0;
  // Whose memory ops work on. It lives as long as the backend.
  virtual Device& device() = 0;
  // Where ops are put, in the order of the calls.
  virtual Lane lane() const = 0;
  // Blocks until all that was put there is done. What the device did wrong: Device::Wait.
  absl::Status Await() { return device().Wait(device().Mark(lane()), kOpsTimeoutNanos); }

  virtual void Linear(const LinearArgs& args) = 0;
  // All items share the workers; each is computed as if it were alone.
  virtual void Attention(std::span<const AttentionArgs> items) = 0;
  virtual void LayerNormModulate(const LayerNormModulateArgs& args) = 0;
  virtual void LayerNorm(const LayerNormArgs& args) = 0;
  virtual void RmsNorm(const RmsNormArgs& args) = 0;
  virtual void Rotary(const RotaryArgs& args) = 0;
  virtual void GatedAdd(const GatedAddArgs& args) = 0;
  virtual void AddTable(const AddTableArgs& args) = 0;
  virtual void StoreRows(const StoreRowsArgs& args) = 0;
  virtual void DistanceBias(const DistanceBiasArgs& args) = 0;
  // x[i] *= y[i]
  virtual void Multiply(DevicePtr<float> x, DevicePtr<const float> y, int64_t count) = 0;
  virtual void Silu(DevicePtr<float> x, int64_t count) = 0;
  // x[i] = max(x[i], 0), never -0. A NaN stays one, as in Silu: what went wrong is seen at the end.
  virtual void Relu(DevicePtr<float> x, int64_t count) = 0;

  // weights: [out_channels, in_channels, t, h, w] as published, kF32 or kBf16; bias [out_channels].
  // RESOURCE_EXHAUSTED without memory, FAILED_PRECONDITION for more channels than it takes.
  virtual absl::StatusOr<std::unique_ptr<ConvWeights>> PackConv(const ConvShape& shape,
                                                                const void* weights, DType dtype,
                                                                const float* bias) = 0;
  virtual void Conv(const ConvArgs& args) = 0;
  virtual void ChannelNorm(const ChannelNormArgs& args) = 0;
};

inline constexpr uint64_t kNarrowBytesMax = uint64_t{32} << 20;

struct CpuBackendOptions {
  // Caps the choice, for tests: "x86-64-v3", "x86-64-v4", "x86-64-v4+vnni", "x86-64-v4+amx"; "" is
  // the best there is.
  std::string_view instruction_set_max = "";
  // "" is cpu-fma-chain-v1, which every machine has.
  std::string_view numerics_profile = "";
  Lane lane = Lane::kSweep;
  // For the rows that meet narrow weights, which come in blocks: int8 ones, or bf16 ones in a
  // profile with AMX. 0 for a model without, else CpuNarrowBytes of the widest.
  uint64_t narrow_bytes = kNarrowBytesMax;
  const MemoryPopulator* populator = nullptr;  // null: the caller's thread
};

// What all rows at once take, or as much of them as makes no difference to speed.
uint64_t CpuNarrowBytes(int64_t rows, int64_t in_features, DType dtype);
// What CreateCpuBackend takes for ops to work in.
uint64_t CpuScratchBytes(const CpuBackendOptions& options, int threads);

// The CPU backend on the given workers, which must outlive it. FAILED_PRECONDITION when the
// processor lacks AVX2 and FMA (x86-64-v3) or what the profile needs, RESOURCE_EXHAUSTED when the
// memory is missing.
absl::StatusOr<std::unique_ptr<Backend>> CreateCpuBackend(WorkerPool& workers,
                                                          const CpuBackendOptions& options = {});

// What this machine can compute in, the default first.
std::vector<std::string_view> CpuNumericsProfiles();

}  // namespace longtake
