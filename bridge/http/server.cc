#include "bridge/http/server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <exception>
#include <list>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/errc.hpp>

#include "bridge/http/connection.h"
#include "bridge/http/host_check.h"
#include "bridge/http/listener.h"
#include "bridge/http/tls.h"

namespace progtc::bridge::http {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using StreamProtocol = asio::generic::stream_protocol;
using Socket = StreamProtocol::socket;
constexpr auto use_result = asio::as_tuple(asio::use_awaitable);

// Clients told that there are too many, at once; more are dropped without a word.
constexpr std::size_t kTurnedAway = 64;
// After a failed accept: what it lacks (descriptors, memory) comes back when somebody leaves.
constexpr std::chrono::milliseconds kAcceptPause{100};
// What handlers get to return in when their connections have been cut.
constexpr std::chrono::seconds kLastGrace{1};

Result<Peer> peer_of(int fd, bool is_unix) {
  Peer peer;
  peer.is_unix = is_unix;
  if (is_unix) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == -1) return from_errno(errno, "SO_PEERCRED");
    peer.credentials = credentials;
    peer.name = "unix:uid=" + std::to_string(credentials.uid);
    return peer;
  }
  PROGTC_TRY(peer.name, peer_text(fd));
  return peer;
}

// Without the port, which is another with each connection.
std::string_view address_of(const Peer& peer) {
  const std::string_view name = peer.name;
  return peer.is_unix ? name : name.substr(0, name.rfind(':'));
}

Result<void> check_limits(const Limits& limits) {
  const auto invalid = [](const char* what) {
    return Error{boost::system::errc::make_error_code(boost::system::errc::invalid_argument),
                 std::string("limits: ") + what};
  };
  if (limits.header_bytes < 64 || limits.header_bytes > (1UL << 20U)) return invalid("header_bytes: 64 bytes to 1 MiB");
  if (limits.connections == 0) return invalid("connections: at least 1");
  for (const auto time : {limits.header_time, limits.body_time, limits.idle_time, limits.stranger_idle_time,
                          limits.write_time, limits.linger_time}) {
    if (time <= std::chrono::milliseconds(0) || time > std::chrono::hours(24))
      return invalid("times: 1 millisecond to 24 hours");
  }
  return {};
}

}  // namespace

class Server::Core : public std::enable_shared_from_this<Server::Core> {
 public:
  Core(asio::any_io_executor executor, std::shared_ptr<Service> service)
      : executor_(std::move(executor)), service_(std::move(service)), changed_(executor_) {}

  [[nodiscard]] Service& service() const { return *service_; }
  [[nodiscard]] Counters counters() const { return {connections_.size(), total_, refused_, displaced_}; }
  void set_tls(std::shared_ptr<TlsContext> tls) { tls_ = std::move(tls); }

  // Takes `fd` if it succeeds.
  Result<void> add_listener(int fd, bool is_unix, std::optional<SocketPath> path) {
    if (is_stopped_) return Error{asio::error::operation_aborted, "listen: the server does not accept any more"};
    auto listener = std::make_shared<Listener>(executor_, is_unix, std::move(path));
    boost::system::error_code ec;
    // Accepting looks at none of the protocol but its family.
    listener->acceptor.assign(StreamProtocol(is_unix ? AF_UNIX : AF_INET, 0), fd, ec);
    if (ec) return Error{ec, "listen: " + ec.message()};
    listeners_.push_back(listener);
    spawn(accept(shared_from_this(), listener), "accept");
    return {};
  }

  void stop_accepting() {
    is_stopped_ = true;
    for (const auto& listener : listeners_) {
      listener->path.reset();
      boost::system::error_code ec;  // it is closed in any case
      listener->acceptor.close(ec);
      listener->pause.cancel();
    }
    listeners_.clear();
  }

  void close_idle() {
    for (const auto& connection : copy_of(connections_)) connection->close_when_idle();
  }

  void cut_all() {
    for (const auto* list : {&connections_, &turned_away_}) {
      for (const auto& connection : copy_of(*list)) connection->cut();
    }
  }

  // Until no connection is left.
  asio::awaitable<void> wait_until(Clock::time_point deadline) {
    while (!(connections_.empty() && turned_away_.empty()) && Clock::now() < deadline)
      co_await changed_.wait_until(deadline);
  }

 private:
  using Connections = std::list<std::shared_ptr<Connection>>;

  struct Listener {
    Listener(const asio::any_io_executor& executor, bool is_unix_socket, std::optional<SocketPath> socket_path)
        : acceptor(executor), pause(executor), path(std::move(socket_path)), is_unix(is_unix_socket) {}
    asio::basic_socket_acceptor<StreamProtocol> acceptor;
    asio::steady_timer pause;
    std::optional<SocketPath> path;
    bool is_unix;
  };

  // Closing a connection may make its handler change the list.
  static std::vector<std::shared_ptr<Connection>> copy_of(const Connections& list) {
    return {list.begin(), list.end()};
  }

  void spawn(asio::awaitable<void> task, const char* what) {
    asio::co_spawn(executor_, std::move(task), [self = shared_from_this(), what](const std::exception_ptr& failure) {
      self->report(what, failure);
    });
  }

  void report(const char* what, const std::exception_ptr& failure) const {
    try {
      if (failure) std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      service_->log(std::string(what) + " failed: " + error.what());
    }
  }

  static asio::awaitable<void> accept(std::shared_ptr<Core> self, std::shared_ptr<Listener> listener) {
    bool has_complained = false;
    while (listener->acceptor.is_open()) {
      auto [ec, socket] = co_await listener->acceptor.async_accept(use_result);
      if (!listener->acceptor.is_open()) co_return;
      if (!ec) {
        has_complained = false;
        self->admit(Socket(std::move(socket)), *listener);
        continue;
      }
      if (ec == asio::error::connection_aborted) continue;  // that client has gone already
      if (!std::exchange(has_complained, true)) self->service_->log("accept: " + ec.message() + "; trying again");
      listener->pause.expires_after(kAcceptPause);
      (void)co_await listener->pause.async_wait(use_result);
    }
  }

  // See Server. False: there is no stranger.
  bool displace_stranger() {
    struct Strangers {
      std::size_t count = 0;
      Connection* first = nullptr;
    };
    std::unordered_map<std::string_view, Strangers> peers;
    const Strangers* most = nullptr;
    for (const auto& connection : connections_) {
      if (connection->is_recognised() || connection->is_cut()) continue;
      Strangers& strangers = peers[address_of(connection->peer())];  // whose place does not change
      if (++strangers.count == 1 || connection->waiting_since() < strangers.first->waiting_since())
        strangers.first = connection.get();
      if (!most || strangers.count > most->count) most = &strangers;
    }
    if (!most) return false;
    most->first->displace();
    ++displaced_;
    return true;
  }

  // Those that have been cut end as soon as the loop gets to them.
  [[nodiscard]] bool is_full() const {
    if (connections_.size() < service_->limits.connections) return false;
    const auto cut =
        std::count_if(connections_.begin(), connections_.end(), [](const auto& each) { return each->is_cut(); });
    return connections_.size() - static_cast<std::size_t>(cut) >= service_->limits.connections;
  }

  void admit(Socket socket, const Listener& listener) {
    const bool is_surplus = is_full() && !displace_stranger();
    if (is_surplus) {
      ++refused_;
      if (turned_away_.size() >= kTurnedAway) return;
    }
    // What fails here fails because the client has gone.
    auto peer = peer_of(socket.native_handle(), listener.is_unix);
    if (!peer) return;
    std::optional<std::string> local;
    if (!listener.is_unix) {
      auto address = local_address(socket.native_handle());
      if (!address) return;
      local = std::move(*address);
      boost::system::error_code ec;  // both are for the better, and not needed
      socket.set_option(asio::ip::tcp::no_delay(true), ec);
      socket.set_option(asio::socket_base::keep_alive(true), ec);
    }
    std::unique_ptr<Transport> transport;
    const std::shared_ptr<TlsContext> tls = listener.is_unix ? nullptr : tls_;
    if (tls) {
      transport = tls->wrap(std::move(socket));
    } else {
      transport = std::make_unique<StreamTransport<Socket>>(std::move(socket));
    }
    auto connection =
        std::make_shared<Connection>(executor_, service_, std::move(transport), std::move(*peer), std::move(local));
    Connections& list = is_surplus ? turned_away_ : connections_;
    if (!is_surplus) ++total_;
    const auto place = list.insert(list.end(), connection);
    auto task = is_surplus ? Connection::turn_away(connection) : Connection::serve(connection);
    asio::co_spawn(executor_, std::move(task),
                   [self = shared_from_this(), &list, place, connection, tls](const std::exception_ptr& failure) {
                     self->report("connection", failure);
                     connection->cut();
                     list.erase(place);
                     self->changed_.notify();
                   });
  }

  asio::any_io_executor executor_;
  std::shared_ptr<Service> service_;
  std::shared_ptr<TlsContext> tls_;
  std::vector<std::shared_ptr<Listener>> listeners_;
  Connections connections_;
  Connections turned_away_;
  Wakeup changed_;
  std::uint64_t total_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t displaced_ = 0;
  bool is_stopped_ = false;
};

Result<std::unique_ptr<Server>> Server::create(asio::any_io_executor executor, Limits limits, Handler handler) {
  PROGTC_CHECK(check_limits(limits));
  auto service = std::make_shared<Service>();
  service->limits = limits;
  service->handler = std::move(handler);
  return std::unique_ptr<Server>(new Server(std::make_shared<Core>(std::move(executor), std::move(service))));
}

Server::Server(std::shared_ptr<Core> core) : core_(std::move(core)) {}

Server::~Server() {
  core_->stop_accepting();
  core_->cut_all();
}

Result<std::uint16_t> Server::listen_tcp(const std::string& host, std::uint16_t port) {
  PROGTC_TRY(TcpListener listener, open_tcp_listener(host, port));
  PROGTC_CHECK(core_->add_listener(listener.fd.get(), false, std::nullopt));
  (void)listener.fd.release();
  return listener.port;
}

Result<void> Server::listen_unix(const std::string& path) {
  PROGTC_TRY(UnixListener listener, open_unix_listener(path));
  PROGTC_CHECK(core_->add_listener(listener.fd.get(), true, std::move(listener.path)));
  (void)listener.fd.release();
  return {};
}

Result<void> Server::adopt(int fd) {
  PROGTC_TRY(const bool is_unix, is_unix_listener(fd));
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) == -1) return from_errno(errno, "adopt descriptor " + std::to_string(fd));
  return core_->add_listener(fd, is_unix, std::nullopt);
}

Result<void> Server::use_tls(const TlsFiles& files) {
  PROGTC_TRY(auto context, load_tls(files));
  core_->set_tls(std::move(context));
  return {};
}

void Server::set_allowed_hosts(const std::set<std::string>& hosts) {
  auto& allowed = core_->service().allowed_hosts;
  allowed.clear();
  for (const std::string& host : hosts) allowed.insert(host_of(host).value_or(host));
}

void Server::set_recogniser(Recogniser recogniser) { core_->service().recogniser = std::move(recogniser); }

void Server::set_gate(Gate gate) { core_->service().gate = std::move(gate); }

void Server::set_logger(std::function<void(std::string_view)> logger) { core_->service().logger = std::move(logger); }

void Server::stop_accepting() { core_->stop_accepting(); }

asio::awaitable<void> Server::drain(Clock::time_point deadline) {
  const auto core = core_;
  core->stop_accepting();
  core->close_idle();
  co_await core->wait_until(deadline);
  core->cut_all();
  co_await core->wait_until(Clock::now() + kLastGrace);
}

void Server::cut_all() { core_->cut_all(); }

Counters Server::counters() const noexcept { return core_->counters(); }

}  // namespace progtc::bridge::http
