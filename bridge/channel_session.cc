#include "bridge/channel_session.h"

#include <algorithm>
#include <deque>
#include <unordered_set>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "bridge/envelope.h"
#include "bridge/frame.h"
#include "bridge/tool_rules.h"
#include "bridge/utf8.h"
#include "runner/sys/random.h"

namespace progtc::bridge {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
constexpr auto use_result = asio::as_tuple(asio::use_awaitable);

// 16 KiB: a call fits, and a thousand idle sessions hold 16 MiB.
constexpr std::size_t kReadBytes = 16UL * 1024;
// Buffers of one write; below IOV_MAX (1024), and small so that places come free early.
constexpr std::size_t kWriteBatch = 32;
// Of a tool's error text. Escaping can make six bytes of one, and a reply must fit a frame.
constexpr std::uint64_t kMaxErrorText = 64UL * 1024;

// What coroutines wait on for a change that another one makes. One waiter; a notification without a waiter is lost, so
// the waiter looks at the state first.
class Wakeup {
 public:
  explicit Wakeup(const asio::any_io_executor& executor) : timer_(executor, Clock::time_point::max()) {}
  void notify() { timer_.cancel(); }
  asio::awaitable<void> wait() { (void)co_await timer_.async_wait(use_result); }

 private:
  asio::steady_timer timer_;
};

ReplyError reply_error_of(const Error& error) {
  ToolFailure failure = tool_failure_of(error);
  const char* kind = error.code == make_error_code(ToolErrc::kTimeout)  ? "timeout"
                     : error.code == make_error_code(ToolErrc::kDenied) ? "denied"
                                                                        : "tool_error";
  return {kind, std::move(failure.type), std::move(failure.message)};
}

std::string seconds_text(std::chrono::milliseconds duration) {
  std::string text = std::to_string(duration.count() / 1000);
  if (const auto rest = duration.count() % 1000; rest != 0) {
    std::string digits = std::to_string(1000 + rest).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    text += "." + digits;
  }
  return text + "s";
}

// One conversation. Shared by the reader, the writer and the calls, so that none outlives what it uses.
class Conversation : public std::enable_shared_from_this<Conversation> {
 public:
  Conversation(asio::any_io_executor executor, asio::local::stream_protocol::socket channel, policy::Tools limits,
               std::uint64_t frame_bytes, std::shared_ptr<ToolHost> tools, ToolCallObserver observer)
      : executor_(std::move(executor)),
        channel_(std::move(channel)),
        places_(std::max<std::uint64_t>(limits.pending, 1)),
        rules_(std::move(limits)),
        frame_bytes_(frame_bytes),
        tools_(std::move(tools)),
        observer_(std::move(observer)),
        reader_wakeup_(executor_),
        writer_wakeup_(executor_),
        idle_(executor_) {}

  // The whole conversation, from the reader's side.
  static asio::awaitable<runner::PeerEnd> run(std::shared_ptr<Conversation> self, std::string job_json) {
    // Cancellation is looked at, not thrown: what it has to clean up needs co_await itself.
    co_await asio::this_coro::throw_if_cancelled(false);
    self->spawn_writer();
    // The guest is confined, or nobody would converse with it: the job need not wait for its word.
    self->send(Outgoing{encode_job(job_json), nullptr, false});
    job_json = {};
    co_await self->read();
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    self->close();
    if (self->end_.violation.empty()) {
      while (self->busy_ > 0) co_await self->idle_.wait();
    } else {
      self->abandon();
    }
    self->end_.tool_calls = self->rules_.admitted();
    co_return std::move(self->end_);
  }

 private:
  // A call that a tool works on.
  struct LiveCall {
    LiveCall(const asio::any_io_executor& executor, std::uint64_t id) : guest_id(id), deadline(executor) {}
    std::uint64_t guest_id;
    ToolCallReport report;
    Clock::time_point started = Clock::now();
    std::chrono::milliseconds timeout{0};
    asio::cancellation_signal cancel;
    asio::steady_timer deadline;
    bool is_answered = false;
    unsigned holds = 1;  // of its place: the tool, and then the reply that is not yet written
  };
  using LiveCallPtr = std::shared_ptr<LiveCall>;

  struct Outgoing {
    std::string bytes;
    LiveCallPtr call;          // whose place the frame holds
    bool holds_place = false;  // or it holds one itself
  };

  // --- reading

  asio::awaitable<void> read() {
    FrameDecoder decoder(FrameSource::kGuest, frame_bytes_);
    std::vector<char> buffer(kReadBytes);
    for (;;) {
      auto [ec, count] = co_await channel_.async_read_some(asio::buffer(buffer), use_result);
      if (is_cancelled(co_await asio::this_coro::cancellation_state)) co_return;
      if (ec) {  // end of file, or a reset: a peer that closes with unread data leaves ECONNRESET
        if (auto finished = decoder.finish(); !finished) end_.violation = finished.error().context;
        co_return;
      }
      std::string_view bytes(buffer.data(), count);
      while (!bytes.empty()) {
        auto frame = decoder.next(bytes);
        if (!frame) {
          end_.violation = frame.error().context;
          co_return;
        }
        if (!frame->has_value()) break;
        while (used_places_ >= places_ && !is_guest_gone_) {
          watch_for_hangup();
          co_await reader_wakeup_.wait();
          if (is_cancelled(co_await asio::this_coro::cancellation_state)) co_return;
        }
        hangup_watch_.emit(asio::cancellation_type::terminal);
        if (auto taken = take(**frame); !taken) {
          end_.violation = taken.error().context;
          co_return;
        }
        if (end_.leaves_with) co_return;
      }
    }
  }

  static bool is_cancelled(const asio::cancellation_state& state) {
    return state.cancelled() != asio::cancellation_type::none;
  }

  // While nothing is read, a guest that has gone would go unnoticed until a tool ends.
  void watch_for_hangup() {
    if (is_watching_) return;
    is_watching_ = true;
    channel_.async_wait(
        asio::socket_base::wait_error,
        asio::bind_cancellation_slot(hangup_watch_.slot(), [self = shared_from_this()](boost::system::error_code ec) {
          self->is_watching_ = false;
          if (!ec) self->guest_is_gone();
          self->reader_wakeup_.notify();  // it may have paused again before this wait was over, and needs a new one
        }));
  }

  Result<void> take(const Frame& frame) {
    if (frame.kind != FrameKind::kReady && !is_ready_) return violation("a frame came before 'ready'");
    switch (frame.kind) {
      case FrameKind::kReady: {
        if (is_ready_) return violation("'ready' came twice");
        PROGTC_CHECK(decode_ready(frame.payload));
        is_ready_ = true;
        return {};
      }
      case FrameKind::kCall: {
        PROGTC_TRY(CallFrame call, decode_call(frame.payload));
        PROGTC_CHECK(claim_id(call.id, "call"));
        take_call(std::move(call));
        return {};
      }
      case FrameKind::kRequest: {
        PROGTC_TRY(const RequestFrame request, decode_request(frame.payload));
        PROGTC_CHECK(claim_id(request.id, "request"));
        const std::string what = printable(request.name_space);
        refuse(request.id, ReplyError{"tool_error", "NotSupported", "this run has no '" + what + "'"});
        return {};
      }
      case FrameKind::kDone: {
        if (end_.claim) return violation("'done' came twice");
        PROGTC_TRY(end_.claim, decode_done(frame.payload));
        return {};
      }
      case FrameKind::kLeave: {
        PROGTC_TRY(end_.leaves_with, decode_leave(frame.payload));
        return {};
      }
      default:
        return violation("a frame of the host's kind came from the guest");  // the decoder refuses them already
    }
  }

  static Error violation(std::string what) {
    return Error{boost::system::errc::make_error_code(boost::system::errc::bad_message), std::move(what)};
  }

  Result<void> claim_id(std::uint64_t id, const char* frame) {
    if (pending_ids_.insert(id).second) return {};
    return violation(std::string(frame) + ": id " + std::to_string(id) + " is pending already");
  }

  // --- calls

  void take_call(CallFrame call) {
    if (is_guest_gone_) {  // nobody could read the answer, so nothing is started
      pending_ids_.erase(call.id);
      return;
    }
    if (!tools_) {
      refuse(call.id, ReplyError{"tool_error", "ToolNotFoundError", "this run has no tools"});
      report_refused(call.tool, "tool_error", "this run has no tools");
      return;
    }
    if (auto denied = rules_.admit(call.tool)) {
      report_refused(call.tool, "denied", *denied);
      refuse(call.id, ReplyError{"denied", "ToolDenied", std::move(*denied)});
      return;
    }
    ToolCall work{.id = sys::random_hex(16),
                  .tool = std::move(call.tool),
                  .args = Json{std::string(call.args)},
                  .kwargs = Json{std::string(call.kwargs)},
                  .timeout = {}};
    work.timeout = rules_.timeout_of(work.tool);
    auto live = std::make_shared<LiveCall>(executor_, call.id);
    live->report.id = work.id;
    live->report.tool = printable(work.tool);
    live->timeout = work.timeout;
    ++used_places_;
    ++busy_;
    live_.insert(live);
    live->deadline.expires_after(work.timeout);
    live->deadline.async_wait([self = shared_from_this(), live](boost::system::error_code ec) {
      if (!ec) self->expire(live);
    });
    asio::co_spawn(executor_, answer(shared_from_this(), live, std::move(work)),
                   asio::bind_cancellation_slot(live->cancel.slot(),
                                                [self = shared_from_this(), live](const std::exception_ptr& failure) {
                                                  self->call_ended(live, failure);
                                                }));
  }

  static asio::awaitable<void> answer(std::shared_ptr<Conversation> self, LiveCallPtr live, ToolCall work) {
    auto result = co_await self->tools_->call(std::move(work));
    if (live->is_answered) co_return;
    if (!result) {
      self->reply_error(live, reply_error_of(result.error()));
      co_return;
    }
    std::string frame = encode_result(live->guest_id, result->text);
    if (frame.size() - kFrameHeaderBytes > self->frame_bytes_) {
      self->reply_error(live, ReplyError{"tool_error", "ResultTooLarge",
                                         "'" + live->report.tool + "' returned " + std::to_string(result->text.size()) +
                                             " bytes, more than a frame holds (limits.frame: " +
                                             std::to_string(self->frame_bytes_) + " bytes)"});
      co_return;
    }
    live->report.result_bytes = result->text.size();
    self->reply(live, "ok", {}, std::move(frame));
  }

  // The handler of a call's coroutine: it has ended, whether it answered or not.
  void call_ended(const LiveCallPtr& live, const std::exception_ptr& failure) {
    live->deadline.cancel();
    if (!live->is_answered) {
      std::string what = "the call was cancelled";
      try {
        if (failure) std::rethrow_exception(failure);
      } catch (const std::exception& error) {
        if (!is_closed_) what = std::string("the tool host failed: ") + error.what();
      } catch (...) {
        what = "the tool host failed";
      }
      reply_error(live, ReplyError{"tool_error", is_closed_ ? "ToolCancelledError" : "ToolCallError", std::move(what)});
    }
    live_.erase(live);
    release(live);
    ended_one();
  }

  void expire(const LiveCallPtr& live) {
    if (live->is_answered) return;
    reply_error(live, ReplyError{"timeout", "TimeoutError",
                                 "Tool '" + live->report.tool + "' timed out after " + seconds_text(live->timeout)});
    live->cancel.emit(asio::cancellation_type::terminal);
  }

  // --- replies

  void reply_error(const LiveCallPtr& live, ReplyError error) {
    const bool is_cut_short = is_closed_ || is_guest_gone_;
    shorten(error);
    reply(live, is_cut_short ? "cancelled" : error.kind, error.message, encode_error(live->guest_id, error));
  }

  void reply(const LiveCallPtr& live, std::string outcome, const std::string& message, std::string frame) {
    live->is_answered = true;
    pending_ids_.erase(live->guest_id);  // before the write: the guest may use the id again once it has read this
    live->report.duration = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - live->started);
    live->report.outcome = std::move(outcome);
    live->report.message = printable(message, 1000);
    if (observer_) observer_(live->report);
    ++live->holds;
    send(Outgoing{std::move(frame), live, false});
  }

  void refuse(std::uint64_t id, ReplyError error) {
    pending_ids_.erase(id);
    if (is_guest_gone_) return;
    shorten(error);
    ++used_places_;
    send(Outgoing{encode_error(id, error), nullptr, true});
  }

  void report_refused(const std::string& tool, const char* outcome, const std::string& message) {
    if (!observer_) return;
    ToolCallReport report;
    report.tool = printable(tool);
    report.outcome = outcome;
    report.message = printable(message, 1000);
    observer_(report);
  }

  void shorten(ReplyError& error) const {
    error.message = shorten_utf8(to_utf8(error.message), std::min(kMaxErrorText, frame_bytes_ / 8));
  }

  void send(Outgoing frame) {
    if (is_closed_ || is_guest_gone_) {
      written(frame);
      return;
    }
    outgoing_.push_back(std::move(frame));
    writer_wakeup_.notify();
  }

  // The frame has left, or never will.
  void written(Outgoing& frame) {
    if (frame.call) release(std::exchange(frame.call, nullptr));
    if (std::exchange(frame.holds_place, false)) free_place();
  }

  void release(const LiveCallPtr& live) {
    if (--live->holds == 0) free_place();
  }

  void free_place() {
    --used_places_;
    reader_wakeup_.notify();
  }

  void spawn_writer() {
    ++busy_;
    asio::co_spawn(executor_, write(shared_from_this()),
                   [self = shared_from_this()](const std::exception_ptr& failure) {
                     if (failure) self->guest_is_gone();
                     self->ended_one();
                   });
  }

  static asio::awaitable<void> write(std::shared_ptr<Conversation> self) {
    std::vector<Outgoing> batch;
    std::vector<asio::const_buffer> buffers;
    while (!self->is_closed_ && !self->is_guest_gone_) {
      if (self->outgoing_.empty()) {
        co_await self->writer_wakeup_.wait();
        continue;
      }
      while (!self->outgoing_.empty() && batch.size() < kWriteBatch) {
        batch.push_back(std::move(self->outgoing_.front()));
        self->outgoing_.pop_front();
      }
      for (const Outgoing& frame : batch) buffers.push_back(asio::buffer(frame.bytes));
      auto [ec, count] = co_await asio::async_write(self->channel_, buffers, use_result);
      buffers.clear();
      for (Outgoing& frame : batch) self->written(frame);
      batch.clear();
      if (ec) self->guest_is_gone();
    }
  }

  // --- the end

  // The other end is closed or reads no more. What it wrote before is still read, for its last word.
  void guest_is_gone() {
    if (std::exchange(is_guest_gone_, true)) return;
    drop_all();
  }

  void close() {
    if (std::exchange(is_closed_, true)) return;
    drop_all();
    boost::system::error_code ignored;
    channel_.close(ignored);
  }

  // Nobody waits for what is still under way: it may end by itself, but it tells nobody.
  void abandon() {
    const std::vector<LiveCallPtr> calls(live_.begin(), live_.end());
    for (const LiveCallPtr& live : calls) {
      if (!live->is_answered)
        reply_error(live, ReplyError{"tool_error", "ToolCancelledError", "the call was cancelled"});
    }
    observer_ = nullptr;
  }

  void drop_all() {
    auto unsent = std::exchange(outgoing_, {});
    for (Outgoing& frame : unsent) written(frame);
    // A copy: a tool host may end its call at once, and that changes live_.
    const std::vector<LiveCallPtr> calls(live_.begin(), live_.end());
    for (const LiveCallPtr& live : calls) live->cancel.emit(asio::cancellation_type::terminal);
    reader_wakeup_.notify();
    writer_wakeup_.notify();
  }

  void ended_one() {
    --busy_;
    if (busy_ == 0) idle_.notify();
  }

  asio::any_io_executor executor_;
  asio::local::stream_protocol::socket channel_;
  std::uint64_t places_;
  ToolRules rules_;
  std::uint64_t frame_bytes_;
  std::shared_ptr<ToolHost> tools_;
  ToolCallObserver observer_;

  runner::PeerEnd end_;
  bool is_ready_ = false;
  bool is_closed_ = false;
  bool is_guest_gone_ = false;
  bool is_watching_ = false;
  asio::cancellation_signal hangup_watch_;

  std::unordered_set<std::uint64_t> pending_ids_;
  std::unordered_set<LiveCallPtr> live_;
  std::deque<Outgoing> outgoing_;
  std::uint64_t used_places_ = 0;
  std::uint64_t busy_ = 0;  // coroutines of this conversation besides the reader

  Wakeup reader_wakeup_;
  Wakeup writer_wakeup_;
  Wakeup idle_;
};

}  // namespace

ChannelSession::ChannelSession(boost::asio::any_io_executor executor, policy::Tools limits, std::uint64_t frame_bytes,
                               std::shared_ptr<ToolHost> tools)
    : executor_(std::move(executor)), limits_(std::move(limits)), frame_bytes_(frame_bytes), tools_(std::move(tools)) {}

asio::awaitable<runner::PeerEnd> ChannelSession::converse(asio::local::stream_protocol::socket channel,
                                                          std::string job_json) {
  auto conversation =
      std::make_shared<Conversation>(executor_, std::move(channel), limits_, frame_bytes_, tools_, observer_);
  // A coroutine chain of its own: how it treats cancellation must not leak into the caller's, and a caller that is
  // cancelled waits for it to clean up.
  co_return co_await asio::co_spawn(executor_, Conversation::run(conversation, std::move(job_json)),
                                    asio::use_awaitable);
}

}  // namespace progtc::bridge
