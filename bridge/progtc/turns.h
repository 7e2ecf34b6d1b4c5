#pragma once
// Whose turn it is when runs of several clients wait for places: round robin over clients, so that one that sends many
// keeps nobody waiting for all of them. Pure.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

namespace progtc::bridge {

class Turns {
 public:
  using Ticket = std::uint64_t;  // never 0

  // A run of `client` takes a place.
  void begin(const std::string& client);
  // A run of `client` gives its place back.
  void end(const std::string& client);
  // A run of `client` waits for a place.
  Ticket wait(const std::string& client);
  // It waits no longer. A ticket that nobody waits with (any more) is fine.
  void forget(Ticket ticket);
  // The one to take the next place, which counts as begun: of the client that holds the fewest; among equals, of the
  // one that got a place longest ago; of its runs, the one that came first.
  std::optional<Ticket> next();

  [[nodiscard]] std::size_t running() const noexcept { return running_; }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }

 private:
  struct Client {
    std::size_t held = 0;
    std::uint64_t last_begun = 0;  // in the order of begin() and next(); of a newcomer, as if just before the last
    std::deque<Ticket> waiting;
  };
  using Clients = std::map<std::string, Client>;
  void forget_idle(Clients::iterator client);

  Clients clients_;  // that hold a place or wait for one
  std::size_t running_ = 0;
  std::size_t waiting_ = 0;
  std::uint64_t begun_ = 0;
  Ticket last_ticket_ = 0;
};

}  // namespace progtc::bridge
