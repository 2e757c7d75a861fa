// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Preloaded into longtaked by tests: kills it with SIGKILL right before its n-th call that writes,
// syncs, shortens or removes a file of one directory, and says in a file which call that was. So a
// test can hit the moments between two writes of the session store, which a clock would miss. Or
// lets its syncs hang.
// Writes through io_uring would not be seen, so no file there can be written past the page cache:
// longtaked then writes without.
//
//   LONGTAKE_KILL_IN      the directory
//   LONGTAKE_KILL_CALL    n, from 1 on; 0: it lives
//   LONGTAKE_KILL_REPORT  gets a line: the call and the file's name in the directory
//   LONGTAKE_HANG_WHILE   a file: while it exists, a sync there does not come to its end
//   LONGTAKE_SYNC_MILLIS  how long a sync takes there at least: a slow disk, on which whatever does
//                         not wait for it is seen to be ahead of it
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

struct Settings {
  std::string directory = Get("LONGTAKE_KILL_IN") + "/";
  std::string report = Get("LONGTAKE_KILL_REPORT");
  long call = Number("LONGTAKE_KILL_CALL");
  std::string hang_while = Get("LONGTAKE_HANG_WHILE");
  long sync_millis = Number("LONGTAKE_SYNC_MILLIS");

  static std::string Get(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  }
  static long Number(const char* name) { return std::strtol(Get(name).c_str(), nullptr, 10); }
};

std::string PathOf(int fd) {
  char path[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = ::readlink(link.c_str(), path, sizeof(path));
  return size < 0 ? "" : std::string(path, static_cast<size_t>(size));
}

// Read once: what the program does to its environment later is no concern here.
const Settings& TheSettings() {
  static const Settings settings;
  return settings;
}

bool IsWatched(const std::string& path) {
  const Settings& settings = TheSettings();
  const bool used = settings.call != 0 || !settings.hang_while.empty();
  return used && (path + "/").rfind(settings.directory, 0) == 0;
}

// The calls that matter come from one thread at a time, but the first of them may not.
void Count(std::string_view call, const std::string& path) {
  static std::atomic<long> calls = 0;
  if (!IsWatched(path)) return;
  const Settings& settings = TheSettings();
  if (call == "sync") ::usleep(static_cast<useconds_t>(settings.sync_millis) * 1000);
  while (call == "sync" && ::access(settings.hang_while.c_str(), F_OK) == 0) ::usleep(10'000);
  if (++calls != settings.call) return;
  const std::string name =
      path.size() < settings.directory.size() ? "." : path.substr(settings.directory.size());
  const std::string line = std::string(call) + " " + name + "\n";
  const int fd = ::open(settings.report.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (::write(fd, line.data(), line.size()) < 0) ::abort();
  ::kill(::getpid(), SIGKILL);
}

template <typename Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  static const auto next = Next<decltype(&pwrite64)>("pwrite64");
  Count("write", PathOf(fd));
  return next(fd, data, size, offset);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  return pwrite64(fd, data, size, offset);
}

int fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  static const auto next = Next<int (*)(int, int, void*)>("fcntl");
  const auto flags = static_cast<int>(reinterpret_cast<intptr_t>(argument));
  if (command == F_SETFL && (flags & O_DIRECT) != 0 && IsWatched(PathOf(fd))) {
    errno = EINVAL;
    return -1;
  }
  return next(fd, command, argument);
}

int ftruncate64(int fd, off64_t size) noexcept {
  static const auto next = Next<decltype(&ftruncate64)>("ftruncate64");
  Count("truncate", PathOf(fd));
  return next(fd, size);
}

int ftruncate(int fd, off_t size) noexcept { return ftruncate64(fd, size); }

int fsync(int fd) {
  static const auto next = Next<decltype(&fsync)>("fsync");
  Count("sync", PathOf(fd));
  return next(fd);
}

int fdatasync(int fd) {
  static const auto next = Next<decltype(&fdatasync)>("fdatasync");
  Count("sync", PathOf(fd));
  return next(fd);
}

int unlink(const char* path) noexcept {
  static const auto next = Next<decltype(&unlink)>("unlink");
  Count("remove", path);
  return next(path);
}

int rename(const char* from, const char* to) noexcept {
  static const auto next = Next<decltype(&rename)>("rename");
  Count("rename", from);
  return next(from, to);
}

}  // extern "C"
