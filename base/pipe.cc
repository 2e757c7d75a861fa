// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/pipe.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "base/fd.h"

namespace longtake {

bool IsPipe(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISFIFO(info.st_mode);
}

absl::StatusOr<std::string> ReadPipe(const std::string& path, uint64_t bytes_max,
                                     int timeout_millis) {
  // Otherwise opening waits for a writer, who may never come.
  const Fd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> buffer;
  ssize_t count = fd.valid() ? 1 : -1;
  while (count > 0) {
    pollfd wait = {.fd = fd.get(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, timeout_millis) == 0) {
      return absl::DeadlineExceededError(path + ": nothing comes from this pipe");
    }
    count = ::read(fd.get(), buffer.data(), buffer.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
      count = 1;
      continue;
    }
    if (count > 0) text.append(buffer.data(), static_cast<size_t>(count));
    if (text.size() > bytes_max) {
      return absl::InvalidArgumentError(path + ": more than the " + std::to_string(bytes_max) +
                                        " bytes that are expected at most");
    }
  }
  if (count < 0) {
    return absl::UnavailableError("read " + path + ": " + std::generic_category().message(errno));
  }
  if (text.empty()) return absl::InvalidArgumentError(path + ": the pipe gave nothing");
  return text;
}

}  // namespace longtake
