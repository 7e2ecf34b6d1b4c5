#include "bridge/progtc/remote_tools.h"

#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "bridge/progtc/messages.h"
#include "bridge/utf8.h"
#include "runner/sys/random.h"

namespace progtc::bridge {
namespace {

namespace asio = boost::asio;
constexpr auto use_result = asio::as_tuple(asio::use_awaitable);

Error tool_error(ToolErrc code, std::string message) { return Error{make_error_code(code), std::move(message)}; }

}  // namespace

RemoteTools::RemoteTools(asio::any_io_executor executor, std::string execution_id, std::vector<std::string> tool_names,
                         SendMessage send)
    : executor_(std::move(executor)),
      execution_id_(std::move(execution_id)),
      tool_names_(std::move(tool_names)),
      send_(std::move(send)) {
  std::sort(tool_names_.begin(), tool_names_.end());
}

std::vector<ToolInfo> RemoteTools::list() const {
  std::vector<ToolInfo> tools;
  tools.reserve(tool_names_.size());
  for (const std::string& name : tool_names_) tools.push_back({name, "", Json{"{}"}, {}});
  return tools;
}

asio::awaitable<Result<Json>> RemoteTools::call(ToolCall call) {
  if (is_closed_) co_return tool_error(ToolErrc::kCancelled, "the client is gone");
  if (!std::binary_search(tool_names_.begin(), tool_names_.end(), call.tool))
    co_return tool_error(ToolErrc::kNotFound, "no tool '" + printable(call.tool) + "'");

  auto waiting = std::make_shared<Waiting>(executor_);
  waiting->wakeup.expires_after(call.timeout);
  waiting_.emplace(call.id, waiting);
  // However the call ends, exceptions and a destroyed coroutine included, its id is over.
  const struct Leave {
    RemoteTools* tools;
    const std::string& id;
    ~Leave() { tools->forget(id); }
  } leave{this, call.id};

  co_await asio::this_coro::throw_if_cancelled(false);
  std::string message = encode_tool_call(execution_id_, call);
  auto sent = co_await send_(std::move(message));
  if (!sent) co_return tool_error(ToolErrc::kFailed, "the call did not reach the client: " + sent.error().context);
  // A result may have come while the message was still being sent: then nobody would end this wait.
  // So may a cancellation have, and a wait does not notice one from before it.
  const auto state = co_await asio::this_coro::cancellation_state;
  const bool is_cancelled = state.cancelled() != asio::cancellation_type::none;
  if (!waiting->result && !is_closed_ && !is_cancelled) {
    (void)co_await waiting->wakeup.async_wait(use_result);
  }
  if (waiting->result) {
    if (auto* json = std::get_if<Json>(&*waiting->result)) co_return std::move(*json);
    co_return to_error(std::get<ToolFailure>(std::move(*waiting->result)));
  }
  if (is_closed_ || state.cancelled() != asio::cancellation_type::none)
    co_return tool_error(ToolErrc::kCancelled, is_closed_ ? "the client is gone" : "the call was cancelled");
  co_return tool_error(ToolErrc::kTimeout, "Tool '" + printable(call.tool) + "' timed out: no result within " +
                                               std::to_string(call.timeout.count()) + " ms");
}

Delivery RemoteTools::deliver(std::string_view call_id, ToolResult result) {
  const std::string id(call_id);
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return over_.contains(id) ? Delivery::kAlreadyAnswered : Delivery::kUnknownCall;
  Waiting& waiting = *found->second;
  if (waiting.result) return Delivery::kAlreadyAnswered;
  // The deadline has passed, though its handler has not run yet: which of the two came first must not depend on that.
  if (waiting.wakeup.expiry() <= std::chrono::steady_clock::now()) return Delivery::kAlreadyAnswered;
  waiting.result = std::move(result);
  waiting.wakeup.cancel();
  return Delivery::kDelivered;
}

void RemoteTools::forget(const std::string& call_id) {
  waiting_.erase(call_id);
  if (!over_.insert(call_id).second) return;
  over_order_.push_back(call_id);
  if (over_order_.size() <= kRemembered) return;
  over_.erase(over_order_.front());
  over_order_.pop_front();
}

void RemoteTools::close() {
  if (std::exchange(is_closed_, true)) return;
  for (const auto& [id, waiting] : waiting_) waiting->wakeup.cancel();
}

RunRegistry::Entry::~Entry() {
  if (!tools_) return;  // moved from
  runs_->erase(tools_->execution_id());
  tools_->close();
}

RunRegistry::Entry RunRegistry::open(asio::any_io_executor executor, std::vector<std::string> tool_names,
                                     SendMessage send) {
  auto tools =
      std::make_shared<RemoteTools>(std::move(executor), sys::random_hex(16), std::move(tool_names), std::move(send));
  runs_->emplace(tools->execution_id(), tools);
  return Entry(std::move(tools), runs_);
}

Delivery RunRegistry::deliver(std::string_view execution_id, std::string_view call_id, ToolResult result) {
  const auto found = runs_->find(std::string(execution_id));
  const auto tools = found == runs_->end() ? nullptr : found->second.lock();
  if (!tools) return Delivery::kUnknownExecution;
  return tools->deliver(call_id, std::move(result));
}

}  // namespace progtc::bridge
