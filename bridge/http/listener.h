#pragma once
// Listening sockets, made with plain system calls: what can go wrong has one place and a message of its own.
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>

#include "policy/result.h"
#include "runner/sys/unique_fd.h"

namespace progtc::bridge::http {

struct TcpListener {
  sys::UniqueFd fd;
  std::uint16_t port = 0;
};
// See Server::listen_tcp.
Result<TcpListener> open_tcp_listener(const std::string& host, std::uint16_t port);

// The name of a Unix socket that we have bound. Unlinked when dropped, if it still is that socket.
class SocketPath {
 public:
  SocketPath() = default;
  SocketPath(std::string path, dev_t device, ino_t inode) : path_(std::move(path)), device_(device), inode_(inode) {}
  SocketPath(SocketPath&& other) noexcept
      : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}
  SocketPath& operator=(SocketPath&&) = delete;
  SocketPath(const SocketPath&) = delete;
  SocketPath& operator=(const SocketPath&) = delete;
  ~SocketPath();

 private:
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

struct UnixListener {
  sys::UniqueFd fd;
  SocketPath path;
};
// See Server::listen_unix.
Result<UnixListener> open_unix_listener(const std::string& path);

// Whether `fd` is a stream socket that listens, and whether it is a Unix one. Errors: errno, or invalid_argument.
Result<bool> is_unix_listener(int fd);

// Text of a socket's own or the other end's address: "127.0.0.1:4711", "[::1]:4711". Errors: errno.
Result<std::string> peer_text(int fd);
// Without the port.
Result<std::string> local_address(int fd);

}  // namespace progtc::bridge::http
