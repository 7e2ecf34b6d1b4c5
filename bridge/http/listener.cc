#include "bridge/http/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include <boost/asio/ip/address.hpp>

#include "runner/sys/file.h"

namespace progtc::bridge::http {
namespace {

namespace ip = boost::asio::ip;
using sys::UniqueFd;

Result<UniqueFd> stream_socket(int family) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return from_errno(errno, "socket");
  return fd;
}

struct IpEndpoint {
  ip::address address;
  std::uint16_t port = 0;
};

Result<IpEndpoint> ip_endpoint_of(const sockaddr_storage& stored) {
  if (stored.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &stored, sizeof v4);
    return IpEndpoint{ip::address_v4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port)};
  }
  if (stored.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &stored, sizeof v6);
    ip::address_v6::bytes_type bytes;
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    const ip::address_v6 address(bytes, v6.sin6_scope_id);
    if (address.is_v4_mapped()) return IpEndpoint{ip::make_address_v4(ip::v4_mapped, address), ntohs(v6.sin6_port)};
    return IpEndpoint{address, ntohs(v6.sin6_port)};
  }
  return from_errno(EAFNOSUPPORT, "socket address");
}

using NameCall = int (*)(int, sockaddr*, socklen_t*);

Result<IpEndpoint> endpoint(int fd, NameCall call, const char* attempted) {
  sockaddr_storage stored{};
  socklen_t size = sizeof stored;
  if (call(fd, reinterpret_cast<sockaddr*>(&stored), &size) == -1) return from_errno(errno, attempted);
  return ip_endpoint_of(stored);
}

std::string text_of(const IpEndpoint& endpoint) {
  const std::string host = endpoint.address.to_string();
  return (endpoint.address.is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port);
}

struct AddressInfo {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

Result<UniqueFd> bind_and_listen(const addrinfo& address, const std::string& where) {
  PROGTC_TRY(UniqueFd fd, stream_socket(address.ai_family));
  // Not to share the port: Linux lets no two listen. It is for connections of a former daemon in TIME_WAIT (socket(7)).
  const int on = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1) return from_errno(errno, "SO_REUSEADDR");
  if (::bind(fd.get(), address.ai_addr, address.ai_addrlen) == -1 || ::listen(fd.get(), SOMAXCONN) == -1) {
    const int err = errno;
    Error error = from_errno(err, "listen on " + where);
    if (err == EADDRINUSE) error.context += " (another daemon may be running there)";
    return error;
  }
  return fd;
}

// One daemon at a time looks at what lies at a path and replaces it. The lock is on the folder: a file for it would
// have to stay for ever.
Result<UniqueFd> lock_folder(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  PROGTC_TRY(UniqueFd fd, sys::openat(AT_FDCWD, folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  constexpr int kTries = 100;
  for (int tries = 1; ::flock(fd.get(), LOCK_EX | LOCK_NB) == -1; ++tries) {
    const int err = errno;
    if ((err != EWOULDBLOCK && err != EINTR) || tries == kTries) return from_errno(err, "lock '" + folder + "'");
    // Before anything is served: for a second at most, as flock(2) has no deadline of its own.
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return fd;
}

// Whether somebody listens. An owner too busy to take us at once (EAGAIN) is alive.
Result<bool> is_live(const sockaddr_un& address, const std::string& path) {
  PROGTC_TRY(const UniqueFd fd, stream_socket(AF_UNIX));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  if (errno == EAGAIN) return true;
  if (errno == ECONNREFUSED || errno == ENOENT) return false;
  return from_errno(errno, "connect to '" + path + "'");
}

Result<void> make_way(const sockaddr_un& address, const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) == -1) {
    if (errno == ENOENT) return {};
    return from_errno(errno, "listen on '" + path + "'");
  }
  if (!S_ISSOCK(found.st_mode)) return from_errno(EEXIST, "listen on '" + path + "': this is no socket");
  PROGTC_TRY(const bool is_in_use, is_live(address, path));
  if (is_in_use) {
    Error error = from_errno(EADDRINUSE, "listen on '" + path + "'");
    error.context += " (another daemon is running there)";
    return error;
  }
  if (::unlink(path.c_str()) == -1 && errno != ENOENT) return from_errno(errno, "remove stale '" + path + "'");
  return {};
}

}  // namespace

Result<TcpListener> open_tcp_listener(const std::string& host, std::uint16_t port) {
  const std::string where =
      (host.find(':') != std::string::npos ? "[" + host + "]" : host) + ":" + std::to_string(port);
  addrinfo hints{};
  hints.ai_family = host == "localhost" ? AF_INET : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  if (const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list); failed != 0) {
    if (failed == EAI_SYSTEM) return from_errno(errno, "listen on " + where);
    return Error{boost::system::errc::make_error_code(boost::system::errc::address_not_available),
                 "listen on " + where + ": " + ::gai_strerror(failed)};
  }
  const std::unique_ptr<addrinfo, AddressInfo> owner(list);
  PROGTC_TRY(UniqueFd fd, bind_and_listen(*list, where));
  PROGTC_TRY(const IpEndpoint bound, endpoint(fd.get(), ::getsockname, "getsockname"));
  return TcpListener{std::move(fd), bound.port};
}

SocketPath::~SocketPath() {
  struct stat found {};
  if (path_.empty() || ::lstat(path_.c_str(), &found) == -1) return;
  if (S_ISSOCK(found.st_mode) && found.st_dev == device_ && found.st_ino == inode_) ::unlink(path_.c_str());
}

Result<UnixListener> open_unix_listener(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return from_errno(ENAMETOOLONG, "listen on '" + path + "': a socket's path has 1 to " +
                                        std::to_string(sizeof address.sun_path - 1) + " bytes");
  std::memcpy(address.sun_path, path.data(), path.size());
  PROGTC_TRY(const UniqueFd lock, lock_folder(path));
  PROGTC_CHECK(make_way(address, path));
  PROGTC_TRY(UniqueFd fd, stream_socket(AF_UNIX));
  // bind(2) gives the file the mode of the socket, so there is no moment in which others may connect.
  if (::fchmod(fd.get(), 0600) == -1) return from_errno(errno, "fchmod a socket");
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == -1)
    return from_errno(errno, "listen on '" + path + "'");
  struct stat bound {};
  if (::lstat(path.c_str(), &bound) == -1) return from_errno(errno, "stat '" + path + "'");
  SocketPath owned(path, bound.st_dev, bound.st_ino);
  if (::listen(fd.get(), SOMAXCONN) == -1) return from_errno(errno, "listen on '" + path + "'");
  return UnixListener{std::move(fd), std::move(owned)};
}

Result<bool> is_unix_listener(int fd) {
  const auto option = [fd](int name) -> Result<int> {
    int value = 0;
    socklen_t size = sizeof value;
    if (::getsockopt(fd, SOL_SOCKET, name, &value, &size) == -1)
      return from_errno(errno, "descriptor " + std::to_string(fd));
    return value;
  };
  PROGTC_TRY(const int type, option(SO_TYPE));
  PROGTC_TRY(const int listens, option(SO_ACCEPTCONN));
  PROGTC_TRY(const int domain, option(SO_DOMAIN));
  if (type != SOCK_STREAM || listens == 0 || (domain != AF_UNIX && domain != AF_INET && domain != AF_INET6))
    return from_errno(EINVAL, "descriptor " + std::to_string(fd) + " is no listening TCP or Unix socket");
  return domain == AF_UNIX;
}

Result<std::string> peer_text(int fd) {
  PROGTC_TRY(const IpEndpoint peer, endpoint(fd, ::getpeername, "getpeername"));
  return text_of(peer);
}

Result<std::string> local_address(int fd) {
  PROGTC_TRY(const IpEndpoint local, endpoint(fd, ::getsockname, "getsockname"));
  return local.address.to_string();
}

}  // namespace progtc::bridge::http
