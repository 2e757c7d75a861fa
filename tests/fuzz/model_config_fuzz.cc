// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// config.json of any bytes: an error, or a configuration whose layout can be stated without a size
// that overflows.
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/checked.h"
#include "engine/model/umt5/config.h"
#include "engine/model/umt5/layout.h"
#include "engine/model/vae/config.h"
#include "engine/model/vae/layers.h"
#include "engine/model/wan/config.h"
#include "engine/model/wan/layout.h"

namespace longtake {
namespace {

void CheckSizes(const std::vector<TensorSpec>& tensors) {
  for (const TensorSpec& tensor : tensors) {
    const auto count = ElementCount(tensor.shape, tensor.name);
    if (!count.ok() || *count == 0 || *count > (uint64_t{1} << 48)) std::abort();
  }
}

void CheckLayout(const ComponentLayout& layout) {
  CheckSizes(layout.resident);
  CheckSizes(layout.row_tables);
  for (const auto& layer : layout.layers) CheckSizes(layer);
}

}  // namespace
}  // namespace longtake

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto wan = longtake::ParseWanConfig(text, "config.json");
  if (wan.ok()) longtake::CheckLayout(longtake::WanLayout(*wan));
  const auto umt5 = longtake::ParseUmt5Config(text, "config.json");
  if (umt5.ok()) longtake::CheckLayout(longtake::Umt5Layout(*umt5));
  const auto vae = longtake::ParseVaeConfig(text, "config.json");
  if (vae.ok()) longtake::CheckLayout(longtake::WanVaeLayout(*vae));
  return 0;
}
