// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/metrics_scrape.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/fd.h"

namespace longtake {
namespace {

constexpr size_t kPageBytesMax = 16 << 20;
constexpr timeval kTimeout = {5, 0};

absl::Status Unreachable(const std::string& address, const std::string& why) {
  return absl::UnavailableError(
      absl::StrCat("no metrics at ", address, ": ", why,
                   "; give --metrics the address of longtaked's --metrics-listen"));
}

absl::StatusOr<Fd> Connect(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return Unreachable(address, "it has no port");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(address.substr(0, colon).c_str(), address.c_str() + colon + 1, &hints, &found);
  if (error != 0) return Unreachable(address, gai_strerror(error));
  Fd fd(socket(found->ai_family, found->ai_socktype, found->ai_protocol));
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kTimeout, sizeof(kTimeout));
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kTimeout, sizeof(kTimeout));
  const bool connected = connect(fd.get(), found->ai_addr, found->ai_addrlen) == 0;
  const std::string why = std::strerror(errno);
  freeaddrinfo(found);
  if (!connected) return Unreachable(address, why);
  return fd;
}

}  // namespace

MetricValues MetricValues::Parse(const std::string& page) {
  MetricValues out;
  for (const absl::string_view line : absl::StrSplit(page, '\n', absl::SkipEmpty())) {
    const size_t space = line.rfind(' ');
    double value = 0;
    if (line[0] == '#' || space == absl::string_view::npos ||
        !absl::SimpleAtod(line.substr(space + 1), &value)) {
      continue;
    }
    out.values_[std::string(line.substr(0, space))] = value;
  }
  return out;
}

double MetricValues::Get(const std::string& series) const {
  const auto found = values_.find(series);
  return found == values_.end() ? 0.0 : found->second;
}

double MetricValues::Sum(const std::string& name) const { return Sum(name, ""); }

double MetricValues::Sum(const std::string& name, const std::string& label) const {
  double sum = 0;
  for (auto at = values_.lower_bound(name); at != values_.end(); ++at) {
    if (!absl::StartsWith(at->first, name)) break;
    const bool same = at->first.size() == name.size() || at->first[name.size()] == '{';
    if (same && absl::StrContains(at->first, label)) sum += at->second;
  }
  return sum;
}

std::string MetricValues::Label(const std::string& name, const std::string& label) const {
  const auto at = values_.lower_bound(name + "{");
  if (at == values_.end() || !absl::StartsWith(at->first, name + "{")) return "";
  const std::string before = label + "=\"";
  const size_t begin = at->first.find(before);
  if (begin == std::string::npos) return "";
  const size_t from = begin + before.size();
  return at->first.substr(from, at->first.find('"', from) - from);
}

absl::StatusOr<MetricValues> ScrapeMetrics(const std::string& address) {
  LT_ASSIGN_OR_RETURN(const Fd fd, Connect(address));
  const std::string request = "GET /metrics HTTP/1.0\r\n\r\n";
  if (send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return Unreachable(address, std::strerror(errno));
  }
  std::string page;
  std::vector<char> buffer(64 << 10);
  for (;;) {
    const ssize_t got = recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) return Unreachable(address, std::strerror(errno));
    if (got == 0) break;
    page.append(buffer.data(), static_cast<size_t>(got));
    if (page.size() > kPageBytesMax) return Unreachable(address, "the page does not end");
  }
  MetricValues values = MetricValues::Parse(page);
  if (values.Label("longtake_build_info", "version").empty()) {
    return Unreachable(address, "that is not a longtaked");
  }
  return values;
}

}  // namespace longtake
