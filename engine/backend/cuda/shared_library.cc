// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/shared_library.h"

#include <dlfcn.h>

#include "absl/strings/str_cat.h"

namespace longtake {

absl::StatusOr<SharedLibrary> SharedLibrary::Open(std::string name) {
  void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle != nullptr) return SharedLibrary(std::move(name), handle);
  const char* why = dlerror();  // begins with the name, if the loader knows it
  return absl::UnavailableError(
      absl::StrCat("cannot load ", name, ": ", why == nullptr ? "no reason given" : why));
}

void* SharedLibrary::Find(const char* symbol) {
  if (!status_.ok()) return nullptr;
  void* found = dlsym(handle_, symbol);
  if (found == nullptr) {
    status_ = absl::UnavailableError(absl::StrCat(name_, " has no function ", symbol));
  }
  return found;
}

}  // namespace longtake
