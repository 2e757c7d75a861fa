// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Tells the address and the thread sanitizer which fiber runs; nothing without them.
#pragma once

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#if __has_feature(thread_sanitizer) && !defined(__SANITIZE_THREAD__)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace cuda_host {

// Of each fiber, and of the thread that they run on, which has no stack of its own here.
class SanitizedFiber {
 public:
#if defined(__SANITIZE_THREAD__)
  SanitizedFiber() : fiber_(__tsan_get_current_fiber()), is_own_(false) {}
  SanitizedFiber(void*, size_t) : fiber_(__tsan_create_fiber(0)), is_own_(true) {}
  ~SanitizedFiber() {
    if (is_own_) __tsan_destroy_fiber(fiber_);
  }
  void Leave(SanitizedFiber& next) {
    __tsan_switch_to_fiber(next.fiber_, __tsan_switch_to_fiber_no_sync);
  }
  // What it did is seen behind an acquire of the barrier.
  void LeaveForGood(SanitizedFiber& next, void* barrier) {
    void* const fiber = next.fiber_;
    __tsan_release(barrier);
    __tsan_switch_to_fiber(fiber, __tsan_switch_to_fiber_no_sync);
  }
  void Entered() {}

 private:
  void* const fiber_;
  const bool is_own_;
#elif defined(__SANITIZE_ADDRESS__)
  SanitizedFiber() = default;
  SanitizedFiber(void* stack, size_t bytes) : stack_(stack), bytes_(bytes) {}
  // Just before the switch, and just after it on the other side.
  void Leave(SanitizedFiber& next) { Switch(next, &fake_stack_); }
  void LeaveForGood(SanitizedFiber& next, void*) { Switch(next, nullptr); }
  void Entered() {
    const void* from = nullptr;
    size_t bytes = 0;
    __sanitizer_finish_switch_fiber(fake_stack_, &from, &bytes);
    if (left_ == nullptr || left_->stack_ != nullptr) return;
    left_->stack_ = from;
    left_->bytes_ = bytes;
  }

 private:
  void Switch(SanitizedFiber& next, void** fake_stack) {
    next.left_ = this;
    __sanitizer_start_switch_fiber(fake_stack, next.stack_, next.bytes_);
  }

  const void* stack_ = nullptr;
  size_t bytes_ = 0;
  void* fake_stack_ = nullptr;
  SanitizedFiber* left_ = nullptr;  // who ran before
#else
  SanitizedFiber() = default;
  SanitizedFiber(void*, size_t) {}
  void Leave(SanitizedFiber&) {}
  void LeaveForGood(SanitizedFiber&, void*) {}
  void Entered() {}
#endif
};

// What was done before a release is seen behind an acquire of the same address.
inline void ReleaseTo([[maybe_unused]] void* barrier) {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(barrier);
#endif
}
inline void Acquire([[maybe_unused]] void* barrier) {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(barrier);
#endif
}

}  // namespace cuda_host
