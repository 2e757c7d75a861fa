// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/unix_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

constexpr char kPrefix[] = "unix:";
// The system wants a zero after the path.
constexpr size_t kPathBytesMax = sizeof(sockaddr_un::sun_path) - 1;

absl::Status ListenError(const std::string& address, const std::string& why) {
  return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ", why));
}

absl::Status SystemError(const std::string& address, int error) {
  return ListenError(address, std::generic_category().message(error));
}

absl::StatusOr<std::string> PathOf(const std::string& address) {
  const std::string path = address.substr(sizeof(kPrefix) - 1);
  if (!path.starts_with('/') || path.ends_with('/') || path.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", address, "\" is not unix: and the absolute path of a file"));
  }
  if (path.size() > kPathBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("the path of a Unix socket has at most ",
                                                   kPathBytesMax, " bytes, this one ", path.size(),
                                                   ": ", path));
  }
  return path;
}

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un out{};
  out.sun_family = AF_UNIX;
  std::memcpy(out.sun_path, path.data(), path.size());
  return out;
}

using AddressCall = int (*)(int socket, const sockaddr* address, socklen_t bytes);

// bind or connect, which leaves the reason in errno.
bool CallOn(AddressCall call, const Fd& socket, const std::string& path) {
  const sockaddr_un address = AddressOf(path);
  return call(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

Fd NewSocket() { return Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }

// Two servers that start at once must not take each other's socket for one that is left over. An
// invalid descriptor leaves the reason in errno.
Fd LockFolderOf(const std::string& path) {
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  Fd opened(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.valid() && flock(opened.get(), LOCK_EX | LOCK_NB) != 0) opened.Reset();
  return opened;
}

absl::Status RemoveStale(const std::string& address, const std::string& path) {
  struct stat there{};
  if (lstat(path.c_str(), &there) != 0) {
    return errno == ENOENT ? absl::OkStatus() : SystemError(address, errno);
  }
  if (!S_ISSOCK(there.st_mode)) return ListenError(address, "what is there is no socket");
  const Fd probe = NewSocket();
  if (!probe.valid()) return SystemError(address, errno);
  if (CallOn(connect, probe, path) || errno == EAGAIN) {
    return ListenError(address, "another program listens there");
  }
  if (errno != ECONNREFUSED) return SystemError(address, errno);
  return unlink(path.c_str()) == 0 ? absl::OkStatus() : SystemError(address, errno);
}

}  // namespace

bool IsUnixAddress(const std::string& address) { return address.starts_with(kPrefix); }

SocketFile::~SocketFile() {
  struct stat there{};
  const bool mine = lstat(path_.c_str(), &there) == 0 && S_ISSOCK(there.st_mode) &&
                    there.st_dev == device_ && there.st_ino == inode_;
  if (mine) unlink(path_.c_str());
}

absl::StatusOr<UnixListener> OpenUnixSocket(const std::string& address, mode_t mode) {
  LT_ASSIGN_OR_RETURN(const std::string path, PathOf(address));
  const Fd folder = LockFolderOf(path);
  if (!folder.valid()) {
    return errno == EWOULDBLOCK ? ListenError(address, "another program has locked its folder")
                                : SystemError(address, errno);
  }
  LT_RETURN_IF_ERROR(RemoveStale(address, path));
  UnixListener out = {.socket = NewSocket(), .file = nullptr};
  // The file gets the socket's mode less the umask, which is the whole process' and must stay.
  if (!out.socket.valid() || fchmod(out.socket.get(), mode) != 0 ||
      !CallOn(bind, out.socket, path)) {
    return SystemError(address, errno);
  }
  struct stat file{};
  if (lstat(path.c_str(), &file) != 0) return SystemError(address, errno);
  out.file = std::make_unique<SocketFile>(path, file);
  if (chmod(path.c_str(), mode) != 0 || listen(out.socket.get(), SOMAXCONN) != 0) {
    return SystemError(address, errno);
  }
  return out;
}

std::string UnixPeer(const Fd& connection) {
  ucred peer{};
  socklen_t bytes = sizeof(peer);
  const bool known = getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0;
  return known ? absl::StrCat(kPrefix, "uid=", peer.uid) : kPrefix;
}

}  // namespace longtake
