// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/exhausted.h"

#include <new>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/worker_pool.h"

namespace longtake {

absl::Status CatchExhausted(const std::function<absl::Status()>& body) {
  try {
    return body();
  } catch (const std::system_error& error) {  // of std::thread
    return absl::ResourceExhaustedError(
        absl::StrCat("a thread cannot be started: ", error.code().message()));
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("the system gives no more memory");
  }
}

absl::Status CheckThreads(int count) {
  return CatchExhausted([count] {
    WorkerPool started(count);
    return absl::OkStatus();
  });
}

}  // namespace longtake
