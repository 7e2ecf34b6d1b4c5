#include "bridge/progtc/turns.h"

#include <algorithm>
#include <tuple>

namespace progtc::bridge {

void Turns::begin(const std::string& client) {
  Client& found = clients_[client];
  ++found.held;
  found.last_begun = ++begun_;
  ++running_;
}

void Turns::end(const std::string& client) {
  const auto found = clients_.find(client);
  if (found == clients_.end() || found->second.held == 0) return;
  --found->second.held;
  --running_;
  forget_idle(found);
}

Turns::Ticket Turns::wait(const std::string& client) {
  const auto [found, is_new] = clients_.try_emplace(client);
  // Before the one that got the last place, and behind whoever has been passed over for longer: who comes back again
  // and again must not overtake who stays.
  if (is_new && begun_ > 0) found->second.last_begun = begun_ - 1;
  found->second.waiting.push_back(++last_ticket_);
  ++waiting_;
  return last_ticket_;
}

void Turns::forget(Ticket ticket) {
  for (auto client = clients_.begin(); client != clients_.end(); ++client) {
    if (std::erase(client->second.waiting, ticket) == 0) continue;
    --waiting_;
    forget_idle(client);
    return;
  }
}

std::optional<Turns::Ticket> Turns::next() {
  const auto rank = [](const Client& client) {
    return std::tuple(client.waiting.empty(), client.held, client.last_begun,
                      client.waiting.empty() ? 0 : client.waiting[0]);
  };
  const auto first = std::min_element(clients_.begin(), clients_.end(), [&](const auto& one, const auto& other) {
    return rank(one.second) < rank(other.second);
  });
  if (first == clients_.end() || first->second.waiting.empty()) return std::nullopt;
  const Ticket ticket = first->second.waiting.front();
  first->second.waiting.pop_front();
  --waiting_;
  begin(first->first);
  return ticket;
}

// A client that comes back later begins anew: nothing is kept of the many that a daemon sees.
void Turns::forget_idle(Clients::iterator client) {
  if (client->second.held == 0 && client->second.waiting.empty()) clients_.erase(client);
}

}  // namespace progtc::bridge
