// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A library that is looked for when the program runs, so that the same program starts where it is
// not. It stays loaded: CUDA's libraries leave behind what runs when the process ends.
//
// Thread rule: none of its own; Read is asked by one thread at a time.
#pragma once

#include <string>
#include <utility>

#include "base/status_macros.h"

namespace longtake {

class SharedLibrary {
 public:
  // As the system's loader finds it: a soname, or a path. UNAVAILABLE with what the loader says.
  static absl::StatusOr<SharedLibrary> Open(std::string name);

  const std::string& name() const { return name_; }

  // The function of this name, of which the type is the caller's promise. The first that is missing
  // comes out of status, and all after it stay as they were.
  template <typename Function>
  void Read(const char* symbol, Function** function) {
    if (void* found = Find(symbol); found != nullptr) {
      *function = reinterpret_cast<Function*>(found);
    }
  }
  // UNAVAILABLE with the library and the function that it lacks.
  const absl::Status& status() const { return status_; }

 private:
  SharedLibrary(std::string name, void* handle) : name_(std::move(name)), handle_(handle) {}
  void* Find(const char* symbol);

  std::string name_;
  void* handle_ = nullptr;
  absl::Status status_;
};

}  // namespace longtake
