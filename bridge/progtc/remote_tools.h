#pragma once
// Tools at the other end of an event stream: calls leave as messages, results come in by other requests.
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "bridge/tool_host.h"

namespace progtc::bridge {

using ToolResult = std::variant<Json, ToolFailure>;

// Passes one message to the client. It must end in bounded time: a client that does not read is to be dropped.
using SendMessage = std::function<boost::asio::awaitable<Result<void>>(std::string json)>;

enum class Delivery : std::uint8_t {
  kDelivered,
  kUnknownExecution,
  kUnknownCall,
  kAlreadyAnswered,  // by another result, or by the call's timeout or cancellation
};

// One execution's. Everything runs on `executor`, one handler at a time, like the ChannelSession it serves.
class RemoteTools final : public ToolHost {
 public:
  RemoteTools(boost::asio::any_io_executor executor, std::string execution_id, std::vector<std::string> tool_names,
              SendMessage send);

  const std::string& execution_id() const { return execution_id_; }

  std::vector<ToolInfo> list() const override;

  // Errors: kNotFound for a name the client did not bring, kTimeout, kRaised for an error result, kCancelled once
  // closed, kFailed when the message cannot be sent.
  boost::asio::awaitable<Result<Json>> call(ToolCall call) override;

  // Never kUnknownExecution. Of calls that are over, the last kRemembered are known.
  Delivery deliver(std::string_view call_id, ToolResult result);
  static constexpr std::size_t kRemembered = 4096;

  // The client is gone: calls under way end, later ones are not sent.
  void close();

 private:
  struct Waiting {
    explicit Waiting(const boost::asio::any_io_executor& executor) : wakeup(executor) {}
    std::optional<ToolResult> result;
    boost::asio::steady_timer wakeup;  // at the call's deadline; cancelled by what comes earlier
  };

  void forget(const std::string& call_id);

  boost::asio::any_io_executor executor_;
  std::string execution_id_;
  std::vector<std::string> tool_names_;  // sorted
  SendMessage send_;
  bool is_closed_ = false;
  std::unordered_map<std::string, std::shared_ptr<Waiting>> waiting_;
  std::deque<std::string> over_order_;
  std::unordered_set<std::string> over_;
};

// The executions under way, by the ids that results name. Everything on one executor, as above.
class RunRegistry {
  using Map = std::unordered_map<std::string, std::weak_ptr<RemoteTools>>;

 public:
  // Takes an execution out of the registry and closes its tools when it goes.
  class Entry {
   public:
    Entry(Entry&& other) noexcept = default;
    Entry& operator=(Entry&& other) = delete;
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry();
    const std::shared_ptr<RemoteTools>& tools() const { return tools_; }

   private:
    friend class RunRegistry;
    Entry(std::shared_ptr<RemoteTools> tools, std::shared_ptr<Map> runs)
        : tools_(std::move(tools)), runs_(std::move(runs)) {}

    std::shared_ptr<RemoteTools> tools_;
    std::shared_ptr<Map> runs_;
  };

  // A new execution under an id that cannot be guessed. The entry may outlive the registry.
  Entry open(boost::asio::any_io_executor executor, std::vector<std::string> tool_names, SendMessage send);

  Delivery deliver(std::string_view execution_id, std::string_view call_id, ToolResult result);

  std::size_t size() const { return runs_->size(); }

 private:
  std::shared_ptr<Map> runs_ = std::make_shared<Map>();
};

}  // namespace progtc::bridge
