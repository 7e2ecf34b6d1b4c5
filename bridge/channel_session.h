#pragma once
// The host end of a run's channel: takes the code's calls to the tools, under the policy's rules.
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "bridge/tool_host.h"
#include "policy/model.h"
#include "runner/channel_peer.h"

namespace progtc::bridge {

// One call that has been answered, for logs and reports.
struct ToolCallReport {
  std::string id;       // as in ToolCall; empty for a call that was denied
  std::string tool;     // shortened and without control characters: fit for a terminal
  std::string outcome;  // "ok", "tool_error", "timeout", "denied", "cancelled"
  std::string message;  // empty when ok; like `tool`, fit for a terminal
  std::chrono::microseconds duration{0};
  std::uint64_t result_bytes = 0;
};
using ToolCallObserver = std::function<void(const ToolCallReport&)>;

// Theory of operation. One reader takes frames in turn; every call runs in a coroutine of its own; one writer sends
// replies. A call holds one of `limits.pending` places from the moment it is read until its reply is written to the
// socket and its tool has ended. Without a free place the reader does not read. So all a hostile guest can fill is
// `pending` places of at most one frame each, whether it floods calls or leaves replies unread.
//
// Everything runs on `executor`, which must not run two handlers at once (an io_context with one thread, or a strand).
class ChannelSession final : public runner::ChannelPeer {
 public:
  // `limits` and `frame_bytes` come from the run's policy. Without `tools` every call fails: "this run has no tools".
  ChannelSession(boost::asio::any_io_executor executor, policy::Tools limits, std::uint64_t frame_bytes,
                 std::shared_ptr<ToolHost> tools);

  // Called for every call that is answered, and for those cut short ("cancelled"). It must not throw.
  void observe(ToolCallObserver observer) { observer_ = std::move(observer); }

  // See ChannelPeer. A second `done` is a violation. At the end of the channel, and when cancelled, calls under way
  // are cancelled and waited for. After a violation they are cancelled, and end on their own: the run is to be killed
  // now. Counts of calls are per conversation. The session must outlive converse(), not what goes on after a violation.
  boost::asio::awaitable<runner::PeerEnd> converse(boost::asio::local::stream_protocol::socket channel,
                                                   std::string job_json) override;

 private:
  boost::asio::any_io_executor executor_;
  policy::Tools limits_;
  std::uint64_t frame_bytes_;
  std::shared_ptr<ToolHost> tools_;
  ToolCallObserver observer_;
};

}  // namespace progtc::bridge
