#pragma once
// The host end of a run's channel, as the runner sees it. The bridge implements it; the runner only owns its life.
#include <cstdint>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include "runner/outcome.h"

namespace progtc::runner {

// How the conversation over the channel ended.
struct PeerEnd {
  std::optional<GuestClaim> claim;  // the last word of the code, if it came
  std::string violation;            // not empty: the framing was broken, and how; the run is killed for it
  // The status with which the code's process says that it exits, right behind its last word and with nothing left to
  // print.
  std::optional<int> leaves_with;
  std::uint64_t tool_calls = 0;
};

class ChannelPeer {
 public:
  virtual ~ChannelPeer() = default;
  // Sends `job_json`, then answers the guest's calls until the channel ends, is broken, or the guest
  // says that it leaves. A `done` frame alone is remembered and the conversation goes on. Never throws for anything the
  // guest does. Cancelling the coroutine ends every call under way.
  virtual boost::asio::awaitable<PeerEnd> converse(boost::asio::local::stream_protocol::socket channel,
                                                   std::string job_json) = 0;
};

}  // namespace progtc::runner
