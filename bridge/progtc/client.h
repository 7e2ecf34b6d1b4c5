#pragma once
// The client's side of the progtc protocol: one execution on a server, with tools of this process.
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "bridge/progtc/messages.h"
#include "bridge/progtc/request.h"
#include "bridge/tool_host.h"
#include "runner/outcome.h"

namespace progtc::bridge {

struct ServerAddress {
  enum class Kind : std::uint8_t { kHttp, kHttps, kUnix };
  Kind kind = Kind::kHttp;
  std::string host;  // without the brackets of an IPv6 address; empty for kUnix
  std::uint16_t port = 0;
  std::string socket_path;  // kUnix
  std::string base_path;    // in front of the protocol's paths: "", "/sandbox"
  std::string text;         // as it was given, for messages
};

// "http://host:port", "https://host:port/base", "unix:PATH". Without a port: 80, 443.
// Errors: invalid_argument naming the address.
Result<ServerAddress> parse_server_address(std::string_view text);

struct ClientOptions {
  std::string api_key;                             // empty: none is sent
  std::string ca_file;                             // PEM file of certificate authorities to trust besides the system's
  std::chrono::milliseconds tool_timeout{10'000};  // what the calls on the ToolHost are given
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds idle_timeout{60'000};  // without a byte from the server
  std::chrono::milliseconds total_timeout{3'600'000};
  std::size_t max_event_bytes = 64UL << 20;
  std::size_t max_pending_calls = 1024;
};

// What the server's final message says. All of it is the server's word; a server that is not ours leaves out what comes
// after `err`.
struct RemoteOutcome {
  Ending ending = Ending::kRuntimeError;
  std::string out;
  std::string err;
  std::string message;  // revision A: "ValueError: bad"
  std::string run_id;
  std::string exit_kind;  // "exited", "memory_limit", …
  std::optional<int> exit_code;
  std::optional<int> signal;
  std::string cause;
  runner::Usage usage;
  bool is_truncated = false;
  std::vector<runner::Denial> denials;
  std::optional<Json> value;
  std::uint64_t streamed_bytes = 0;  // given to the callbacks; 0 from a server that does not stream
  std::uint64_t late_results = 0;    // of tools, that came after the server had given up the call
};

// Called with UTF-8 as it comes; empty ones are not called.
struct RemoteOutput {
  std::function<void(std::string_view)> on_stdout;
  std::function<void(std::string_view)> on_stderr;
};

// Runs `request` on the server at `address`. `request.stream` is set. Calls of tools that `request.tool_names` does not
// list are refused here: the server must not reach more of `tools` than it was given. Calls overlap; results leave over
// a second connection. Both revisions of the protocol are understood. On return no call is under way: those that were
// have been cancelled and waited for. `tools` must outlive the coroutine; cancelling it ends the execution.
//
// Errors, each naming the address: connection_refused and other errnos of connecting; permission_denied (401, 403);
// invalid_argument (422, or an API key that does not fit a header); resource_unavailable_try_again (429, 503);
// protocol_error for other statuses and malformed messages; connection_aborted when the server closes before the final
// message; timed_out.
boost::asio::awaitable<Result<RemoteOutcome>> execute_remotely(boost::asio::any_io_executor executor,
                                                               ServerAddress address, ClientOptions options,
                                                               ExecuteRequest request, ToolHost& tools,
                                                               RemoteOutput output);

}  // namespace progtc::bridge
