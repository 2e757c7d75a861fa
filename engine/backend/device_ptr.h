// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// An address in the memory of a device. Only the backend that owns the memory may follow it: it can
// be moved forward and handed to an op, and code that follows it does not compile. Borrowed, as
// every pointer of an op. Host memory is none: it gets there by a copy, or under an address that
// the device gives it (Device::Keep, Device::Mapped).
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace longtake {

template <typename T>
class DevicePtr {
 public:
  DevicePtr() = default;
  DevicePtr(std::nullptr_t) {}  // NOLINT: as a pointer
  // For backends and their tests; tests/tidy/tidy.py refuses it elsewhere.
  explicit DevicePtr(T* address) : address_(address) {}
  template <typename U, typename = std::enable_if_t<std::is_convertible_v<U*, T*>>>
  DevicePtr(DevicePtr<U> other) : address_(other.address()) {}  // NOLINT: as a pointer

  explicit operator bool() const { return address_ != nullptr; }
  friend DevicePtr operator+(DevicePtr pointer, int64_t count) {
    return DevicePtr(pointer.address_ + count);
  }
  DevicePtr& operator+=(int64_t count) { return *this = *this + count; }
  friend bool operator==(DevicePtr, DevicePtr) = default;

  // For backends; tests/tidy/tidy.py refuses it elsewhere.
  T* address() const { return address_; }

 private:
  T* address_ = nullptr;
};

}  // namespace longtake
