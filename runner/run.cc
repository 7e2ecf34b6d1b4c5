#include "runner/run.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "policy/decode.h"
#include "policy/seccomp_program.h"
#include "policy/units.h"
#include "runner/bounds.h"
#include "runner/cgroup.h"
#include "runner/denial_listener.h"
#include "runner/identity.h"
#include "runner/interpreter.h"
#include "runner/parked.h"
#include "runner/run_errc.h"
#include "runner/sys/file.h"
#include "runner/sys/kernel_abi.h"
#include "runner/sys/random.h"
#include "runner/task_group.h"
#include "runner/template.h"

namespace progtc::runner {
namespace asio = boost::asio;
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto use_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kTailBytes = 16 << 10;
constexpr std::size_t kPipeBytes = 64 << 10;  // Linux's default pipe capacity (pipe(7))
constexpr std::chrono::milliseconds kAside{2};
constexpr std::chrono::milliseconds kMemoryPause{20};  // how often memory that no event announces is looked at
constexpr std::chrono::seconds kSetUpDeadline{30};     // a machine that swaps needs a few

std::chrono::microseconds since(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start);
}

// Not cleared: what is never read into never becomes memory.
std::unique_ptr<char[]> new_buffer() { return std::unique_ptr<char[]>(new char[kPipeBytes]); }

void keep(Captured& captured, std::string_view bytes, std::size_t cap) {
  captured.total += bytes.size();
  const std::size_t room = cap - std::min(cap, captured.bytes.size());
  captured.bytes.append(bytes.substr(0, room));
  captured.truncated = captured.total > captured.bytes.size();
  if (!captured.truncated) return;
  captured.tail.append(bytes);
  if (captured.tail.size() > 2 * kTailBytes) captured.tail.erase(0, captured.tail.size() - kTailBytes);
}

}  // namespace

std::string new_run_id() { return sys::random_hex(16); }

class Supervisor {
 public:
  Supervisor(const asio::any_io_executor& executor, RunRequest request, ChannelPeer& peer,
             std::shared_ptr<RunHandle> handle)
      : executor_(executor),
        request_(std::move(request)),
        policy_(request_.policy),
        peer_(peer),
        handle_(std::move(handle)),
        tasks_(executor),
        watches_(executor),
        wall_(executor),
        cpu_(executor),
        reaper_(executor),
        flush_(executor),
        grace_(executor) {
    handle_->on_interrupt_ = [this](int signal, std::string cause) { interrupt(signal, std::move(cause)); };
    handle_->on_cancel_ = [this](int signal, std::string cause) {
      end(OutcomeKind::kCancelled, std::move(cause), signal);
    };
  }
  // In a sandbox that is ready.
  Supervisor(const asio::any_io_executor& executor, RunRequest request, std::unique_ptr<Parked> parked,
             ChannelPeer& peer, std::shared_ptr<RunHandle> handle)
      : Supervisor(executor, std::move(request), peer, std::move(handle)) {
    nest_ = std::move(parked->nest);
    bounds_ = std::move(parked->bounds);
    oom_event_ = std::move(parked->oom_event);
    sandbox_ = std::make_unique<Sandbox>(std::move(parked->sandbox));
  }
  ~Supervisor() {
    handle_->on_interrupt_ = nullptr;
    handle_->on_cancel_ = nullptr;
  }
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  asio::awaitable<RunOutcome> run() {
    outcome_.run_id = request_.run_id.empty() ? new_run_id() : request_.run_id;
    outcome_.policy_name = policy_.name;
    outcome_.policy_digest = nest_ ? nest_->policy_digest : policy::digest(policy_);
    Result<void> ready;
    if (nest_) {
      ready = take_over();
    } else {
      ready = co_await set_up();
    }
    outcome_.timing.setup = since(started_);
    if (!ready) {
      if (!is_ended_) {
        outcome_.kind = OutcomeKind::kSetupFailed;
        outcome_.cause = ready.error().context;
      }
      co_return std::move(outcome_);
    }
    co_await supervise();
    if (!nest_) remove_sandbox();
    co_return std::move(outcome_);
  }

  // What run() leaves undone of a sandbox that was ready.
  asio::awaitable<void> clean_up() {
    // The outcome is on its way to somebody who waits for it.
    reaper_.expires_after(kAside);
    auto [woken] = co_await reaper_.async_wait(use_result);
    (void)woken;
    if (sandbox_ && sandbox_->init) {
      sandbox_->kill();
      co_await wait_for_init();
    }
    remove_sandbox();
  }

 private:
  // ---- set-up ----

  asio::awaitable<Result<void>> set_up() {
    const char* path = std::getenv("PATH");
    auto interpreter =
        find_interpreter_of(policy_.python, path ? path : "/usr/bin:/bin", default_cache_dir(), request_.project_dir);
    if (!interpreter) co_return interpreter.error();
    // Opened before the code runs: afterwards a directory it may write could hold a link of this name.
    if (!request_.out_dir.empty()) {
      if (!policy_.filesystem.out.is_mounted())
        co_return run_error(RunErrc::kBindTarget, "--out: the policy has no output directory (filesystem.out)");
      if (auto made = sys::make_directories(request_.out_dir, 0755); !made)
        co_return with_context("--out", made.error());
      auto opened = sys::openat(AT_FDCWD, request_.out_dir.c_str(), O_RDONLY | O_DIRECTORY);
      if (!opened) co_return with_context("--out", opened.error());
      out_target_ = std::move(*opened);
    }
    auto identity = Identity::acquire();
    if (!identity) co_return identity.error();
    identity_ = std::move(*identity);
    const RootPlanInputs inputs{request_.project_dir, request_.guest_dir, identity_.is_root_run, request_.program};
    auto plan = plan_root(policy_, *interpreter, inputs);
    if (!plan) co_return plan.error();
    if (!gave_up("cgroup")) site_ = find_cgroup_site();
    auto bounds = make_bounds(site_, policy_, identity_, request_.allow_degraded);
    if (!bounds) co_return bounds.error();
    bounds_ = std::move(*bounds);
    request_.policy = as_enforceable(std::move(request_.policy), site_, request_.allow_degraded);
    SandboxSpec spec = make_spec(policy_, *plan, bounds_, request_.allow_degraded);
    spec.wants_out = !request_.out_dir.empty();
    spec.has_one_output = request_.has_one_output;
    if (request_.learn) spec.has_landlock = false;
    auto started = Template::start(executor_, policy_, *plan, identity_, &spec);
    if (!started) co_return started.error();
    template_ = std::move(*started);
    // While the interpreter starts: the limits, which nothing of ours comes near, and the leftovers of killed hosts.
    if (auto limited = bounds_.cgroup.set_limits(policy_.limits, policy_.network); !limited) co_return limited.error();
    sweep_cgroups(site_);
    // A group without such an event tells by its counter, at the end.
    if (auto event = bounds_.cgroup.oom_event()) oom_event_ = std::move(*event);

    // The interpreter comes up on the other processor meanwhile.
    auto filter = policy::compile_seccomp(policy_);
    if (!filter) co_return filter.error();
    spec.filter = &*filter;
    if (auto filled = fill_in_job(*plan); !filled) co_return filled.error();
    reaper_.expires_after(kSetUpDeadline);
    reaper_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled)
        end(OutcomeKind::kSetupFailed, "the sandbox was not ready within " + policy::format_duration(kSetUpDeadline));
    });
    auto sandbox = co_await template_->confine(spec);
    reaper_.cancel();
    if (!sandbox) co_return sandbox.error();
    sandbox_ = std::make_unique<Sandbox>(std::move(*sandbox));
    if (auto verified = verify_controls(); !verified) co_return verified.error();
    if (auto copied = copy_in(sandbox_->work_dir.get(), request_.files, identity_); !copied) co_return copied.error();
    if (is_ended_) co_return Error{asio::error::operation_aborted, outcome_.cause};
    co_return Result<void>{};
  }

  Result<void> take_over() {
    worker_before_ = sandbox_->worker_cpu_time().value_or(worker_before_);
    group_before_ = bounds_.cgroup.cpu_time().value_or(group_before_);
    PROGTC_CHECK(fill_in_job(nest_->plan));
    PROGTC_CHECK(verify_controls());
    PROGTC_CHECK(copy_in(sandbox_->work_dir.get(), request_.files, nest_->identity));
    return {};
  }

  bool gave_up(const std::string& control) const { return request_.allow_degraded.contains(control); }

  Result<void> fill_in_job(const RootPlan& plan) {
    request_.job.executable = plan.executable;
    request_.job.prefix = plan.prefix;
    request_.job.site.insert(request_.job.site.end(), plan.site_packages.begin(), plan.site_packages.end());
    request_.job.processors = fewer_processors_of(policy_.limits);
    request_.job.frame_bytes = policy_.limits.frame_bytes;
    return request_.place ? request_.place(plan, request_.job) : Result<void>{};
  }

  Result<void> verify_controls() {
    outcome_.enforced_by = bounds_.enforced_by;
    outcome_.degraded = bounds_.degraded;
    outcome_.notes = bounds_.notes;
    const std::uint32_t always = PROGTC_CONTROL_NAMESPACES | PROGTC_CONTROL_TMPFS | PROGTC_CONTROL_RLIMITS |
                                 PROGTC_CONTROL_CAPABILITIES | PROGTC_CONTROL_NO_NEW_PRIVS | PROGTC_CONTROL_SECCOMP;
    if ((sandbox_->controls & always) != always)
      return run_error(RunErrc::kControlMissing, "the sandbox reports controls " + std::to_string(sandbox_->controls) +
                                                     ", of the required " + std::to_string(always));
    if (!(sandbox_->controls & PROGTC_CONTROL_PROC))
      outcome_.notes.push_back("no /proc: the kernel refuses a fresh one where the host's own is masked");
    if (sandbox_->controls & PROGTC_CONTROL_LANDLOCK) {
      outcome_.enforced_by["landlock"] = "ABI " + std::to_string(sandbox_->landlock_abi);
    } else if (request_.learn) {
      outcome_.notes.push_back("no Landlock and no denials but the worst: this run was there to learn from");
    } else if (gave_up("landlock")) {
      outcome_.degraded.push_back("landlock");
    } else {
      outcome_.notes.push_back("no Landlock in this kernel: the file system is confined by mounts alone");
    }
    return {};
  }

  // ---- supervision ----

  // The first ending wins. The sandbox dies; what was used and written is still gathered.
  void end(OutcomeKind kind, std::string cause, int signal = 0) {
    if (is_ended_ || is_over_) {
      // Only output that nobody takes can still be waited for. Who asks twice does not want it.
      if (kind == OutcomeKind::kCancelled) stop_relaying();
      return;
    }
    is_ended_ = true;
    outcome_.kind = kind;
    outcome_.cause = std::move(cause);
    outcome_.signal = signal;
    if (!sandbox_) {                     // during the set-up: nothing of the user's has run
      if (template_) template_->kill();  // what is being waited for then ends, with an error nobody needs
      return;
    }
    sandbox_->end();
    // What was written is passed on to a reader that reads; one that has stopped holds nobody up.
    flush_.expires_after(std::chrono::seconds(5));
    flush_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled) stop_relaying();
    });
    kill_soon();
  }

  void interrupt(int signal, std::string cause) {
    if (is_ended_ || is_over_ || interrupted_by_ != 0 || !is_supervised_) {
      end(OutcomeKind::kCancelled, std::move(cause), signal);
      return;
    }
    interrupted_by_ = signal;
    interrupt_cause_ = std::move(cause);
    if (sys::raw_pidfd_send_signal(sandbox_->worker_fd.get(), signal) == -1 && errno != ESRCH) {
      end(OutcomeKind::kCancelled, interrupt_cause_, signal);
      return;
    }
    grace_.expires_after(kInterruptGrace);
    grace_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled && !is_over_)
        end(OutcomeKind::kCancelled,
            interrupt_cause_ + ", and killed as it still ran " +
                std::to_string(std::chrono::seconds(kInterruptGrace).count()) + " s later",
            interrupted_by_);
    });
  }

  void stop_relaying() {
    has_stopped_relaying_ = true;
    tasks_.cancel();
  }

  // Init answers within microseconds; should it not, its own death still ends everything.
  void kill_soon() {
    reaper_.expires_after(std::chrono::seconds(1));
    reaper_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled && sandbox_) sandbox_->kill();
    });
  }

  asio::awaitable<void> supervise() {
    listener_ = std::make_unique<DenialListener>(executor_, std::move(sandbox_->listener), policy_, request_.learn);
    const auto running_since = Clock::now();
    is_supervised_ = true;
    tasks_.start(converse());
    watches_.start(listener_->listen());
    // The worker waits for its job: it is sent in a few turns of the loop, before everything else is set up.
    for (int turn = 0; turn < 4; ++turn) co_await asio::post(executor_, asio::use_awaitable);
    tasks_.start(relay(sandbox_->stdout_pipe, request_.out, outcome_.out));
    if (sandbox_->stderr_pipe.is_open()) tasks_.start(relay(sandbox_->stderr_pipe, request_.err, outcome_.err));
    watches_.start(feed());
    watches_.start(watch_wall());
    watches_.start(watch_cpu());
    watches_.start(watch_memory());
    watches_.start(watch_sockets());
    watches_.start(watch_page_tables());

    auto record = co_await receive_record(sandbox_->status);
    is_over_ = true;
    reaper_.cancel();
    grace_.cancel();
    outcome_.usage.wall = since(running_since);
    outcome_.timing.run = outcome_.usage.wall;
    const auto torn_since = Clock::now();
    progtc_exit exited{};
    bool has_exited = record && record->bytes.size() == sizeof exited;
    if (has_exited) std::memcpy(&exited, record->bytes.data(), sizeof exited);
    if (left_with_) {
      has_exited = true;
      exited.wait_status = W_EXITCODE(*left_with_, 0);
      exited.cpu_us = std::max(exited.cpu_us, static_cast<std::uint64_t>(worker_used_.count()));
    }
    sandbox_->kill();
    if (!nest_) co_await wait_for_init();
    // Pipes and channel reach their end: nobody of the sandbox is left to hold them open.
    co_await tasks_.join();
    tasks_.start(pass_on_the_rest());
    co_await tasks_.join();
    read_usage(exited);
    flush_.cancel();
    watches_.cancel();
    wall_.cancel();
    cpu_.cancel();
    co_await watches_.join();
    outcome_.denials = listener_->denials();
    name_ending(has_exited, exited);
    gather_files();
    outcome_.timing.teardown = since(torn_since);
  }

  void remove_sandbox() {
    sandbox_.reset();
    template_.reset();
    bounds_.cgroup = Cgroup();
  }

  // Once pid 1 is gone the kernel has killed and reaped everything in its namespace (pid_namespaces(7)).
  asio::awaitable<void> wait_for_init() {
    asio::posix::stream_descriptor init(executor_, sandbox_->init.release());
    auto [failed] = co_await init.async_wait(asio::posix::stream_descriptor::wait_read, use_result);
    (void)failed;
    sandbox_->init.reset(init.release());
  }

  asio::awaitable<void> relay(asio::posix::stream_descriptor& pipe, OutputSink* to, Captured& captured) {
    const auto buffer = new_buffer();
    pipe.non_blocking(true);
    for (;;) {
      const std::size_t size = co_await read_output(pipe, asio::buffer(buffer.get(), kPipeBytes));
      if (size == 0) co_return;
      if (!co_await pass_on(std::string_view(buffer.get(), size), to, captured)) {
        pipe.close();
        co_return;
      }
    }
  }

  // False when the reader has gone: the code then meets a broken pipe, as it would without us.
  asio::awaitable<bool> pass_on(std::string_view got, OutputSink* to, Captured& captured) {
    const std::uint64_t left = policy_.limits.output_bytes - std::min(policy_.limits.output_bytes, output_bytes_);
    const std::string_view bytes = got.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(got.size(), left)));
    output_bytes_ += got.size();
    keep(captured, bytes, request_.capture_bytes);
    if (bytes.size() < got.size()) {
      captured.truncated = true;
      if (!is_over_)
        end(OutcomeKind::kOutputLimit,
            "output reached " + policy::format_size(policy_.limits.output_bytes) + " (limits.output)");
      captured.total += got.size() - bytes.size();
    }
    if (!to || bytes.empty()) co_return true;
    auto written = co_await to->write(bytes);
    if (written) co_return true;
    // Anything but a reader that has gone is a loss to be told.
    if (written.error().code != boost::system::errc::broken_pipe) lost_output_ = written.error().context;
    co_return false;
  }

  // What the code had printed and not yet written when it ended. By now nobody changes that memory.
  asio::awaitable<void> pass_on_the_rest() {
    if (!sandbox_->stdout_pipe.is_open()) co_return;  // its reader has gone
    progtc_output rest{};
    if (::pread(sandbox_->output.get(), &rest, sizeof rest, 0) != static_cast<ssize_t>(sizeof rest)) co_return;
    if (rest.start >= rest.end || rest.end > PROGTC_OUTPUT_BYTES) co_return;
    const std::string_view bytes(rest.bytes + rest.start, rest.end - rest.start);
    (void)co_await pass_on(bytes, has_stopped_relaying_ ? nullptr : request_.out, outcome_.out);
  }

  asio::awaitable<void> feed() {
    if (!request_.in) {
      sandbox_->stdin_pipe.close();
      co_return;
    }
    const auto buffer = new_buffer();
    for (;;) {
      auto got = co_await request_.in->read_some(buffer.get(), kPipeBytes);
      if (!got || *got == 0 || is_over_) break;
      auto [failed, size] =
          co_await asio::async_write(sandbox_->stdin_pipe, asio::buffer(buffer.get(), *got), use_result);
      if (failed) break;  // the code has closed its stdin
    }
    sandbox_->stdin_pipe.close();
  }

  asio::awaitable<void> converse() {
    PeerEnd peer_end = co_await peer_.converse(std::move(sandbox_->channel), to_json(request_.job));
    outcome_.usage.tool_calls = peer_end.tool_calls;
    outcome_.claim = std::move(peer_end.claim);
    if (peer_end.leaves_with) leave(*peer_end.leaves_with);
    if (peer_end.violation.empty()) co_return;
    violation_ = "the code broke the channel's protocol: " + peer_end.violation;
    end(OutcomeKind::kProtocolViolation, violation_);
  }

  // The code says that it is over. It is taken at its word, which makes it true: giving back the worker's memory takes
  // the kernel longer than a short run takes, and init's own end can go on beside it. The word decides nothing but the
  // status, which is the code's own to choose. What was printed before is in the pipes, and what was used in the
  // counters; where the kernel counts no peak of memory, init is asked for it.
  void leave(int status) {
    if (is_ended_ || is_over_) return;
    // A clock of another process follows it by the tick, but for a change of its scheduling, which settles the account
    // (set_user_nice in kernel/sched/syscalls.c). What it still has to do is in nobody's hurry, either, unless the run
    // waits for its end, when all is accounted for.
    if (!sandbox_->is_worker_running()) return;  // its exit is on the way
    if (nest_) (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(sandbox_->worker), 19);
    const auto used = sandbox_->worker_cpu_time();
    if (!used) return;
    worker_used_ = *used;
    left_with_ = status;
    if (!bounds_.cgroup.memory_peak_bytes()) {
      sandbox_->end();
      kill_soon();
      return;
    }
    is_over_ = true;
    sandbox_->kill();
    boost::system::error_code closed;  // a pipe whose reader has gone
    sandbox_->status.cancel(closed);
    sandbox_->stdout_pipe.cancel(closed);
    sandbox_->stderr_pipe.cancel(closed);
  }

  // The size of what there is to read, waiting for it unless the code has left; 0 at the end.
  asio::awaitable<std::size_t> read_output(asio::posix::stream_descriptor& pipe, asio::mutable_buffer buffer) {
    if (!left_with_) {
      auto [failed, size] = co_await pipe.async_read_some(buffer, use_result);
      if (!failed || !left_with_) co_return failed ? 0 : size;
    }
    boost::system::error_code drained;
    co_return pipe.read_some(buffer, drained);
  }

  asio::awaitable<void> watch_wall() {
    wall_.expires_after(policy_.limits.wall);
    auto [cancelled] = co_await wall_.async_wait(use_result);
    if (!cancelled)
      end(OutcomeKind::kTimeout,
          "wall time reached " + policy::format_duration(policy_.limits.wall) + " (limits.wall)");
  }

  std::string cpu_cause() const {
    return "processor time reached " + policy::format_duration(policy_.limits.cpu) + " (limits.cpu)";
  }

  // Sleeps as long as the limit cannot be reached: all processors busy from now on.
  asio::awaitable<void> watch_cpu() {
    if (!bounds_.cgroup.bounds("cpu")) co_return;  // RLIMIT_CPU is exact for one process
    for (;;) {
      const auto used = bounds_.cgroup.cpu_time();
      if (!used) co_return;
      if (*used - group_before_ >= policy_.limits.cpu) {
        end(OutcomeKind::kCpuLimit, cpu_cause());
        co_return;
      }
      const auto left =
          std::chrono::duration_cast<std::chrono::microseconds>(policy_.limits.cpu) - (*used - group_before_);
      const auto soonest = std::chrono::microseconds(
          static_cast<std::int64_t>(static_cast<double>(left.count()) / std::max(policy_.limits.cpus, 0.01)));
      cpu_.expires_after(std::max<std::chrono::microseconds>(soonest, std::chrono::milliseconds(10)));
      auto [cancelled] = co_await cpu_.async_wait(use_result);
      if (cancelled) co_return;
    }
  }

  std::string memory_cause() const {
    return "memory reached " + policy::format_size(policy_.limits.memory_bytes) + " (limits.memory)";
  }

  // A kill inside the group ends the run even when its victim was a child of the code's.
  asio::awaitable<void> watch_memory() {
    if (!oom_event_) co_return;
    const bool is_v2 = bounds_.cgroup.mechanism() == CgroupMechanism::kV2;
    asio::posix::stream_descriptor watched(executor_, oom_event_.release());
    asio::steady_timer pause(executor_);
    const auto kind = is_v2 ? asio::posix::stream_descriptor::wait_error : asio::posix::stream_descriptor::wait_read;
    for (;;) {
      auto [failed] = co_await watched.async_wait(kind, use_result);
      if (failed) co_return;
      bounds_.cgroup.acknowledge_oom_event(watched.native_handle());
      // The event comes before the victim is chosen; the counter says when it is.
      for (int i = 0; i < 200 && bounds_.cgroup.oom_kills().value_or(0) == 0; ++i) {
        pause.expires_after(std::chrono::milliseconds(1));
        auto [cancelled] = co_await pause.async_wait(use_result);
        if (cancelled) co_return;
      }
      if (bounds_.cgroup.oom_kills().value_or(0) > 0) {
        end(OutcomeKind::kMemoryLimit, memory_cause(), SIGKILL);
        co_return;
      }
    }
  }

  // The kernel gives each TCP socket up to 68 KiB beyond its group's limit, so that no connection stands still
  // (__sk_mem_raise_allocated in net/core/sock.c): with many sockets the sum has to be looked at.
  asio::awaitable<void> watch_sockets() {
    if (policy_.network == policy::NetworkMode::kNone) co_return;
    asio::steady_timer pause(executor_);
    for (;;) {
      const auto used = bounds_.cgroup.memory_with_sockets_bytes();
      if (!used) co_return;
      if (*used > policy_.limits.memory_bytes) {
        end(OutcomeKind::kMemoryLimit, memory_cause(), SIGKILL);
        co_return;
      }
      pause.expires_after(kMemoryPause);
      auto [cancelled] = co_await pause.async_wait(use_result);
      if (cancelled) co_return;
    }
  }

  // Without a group memory is what is mapped, and pages mapped far from each other cost twice their size in tables.
  asio::awaitable<void> watch_page_tables() {
    if (bounds_.cgroup.bounds("memory") || gave_up("cgroup")) co_return;
    asio::steady_timer pause(executor_);
    for (;;) {
      const auto used = sandbox_->worker_page_tables();
      if (!used) co_return;
      if (*used > most_page_tables(policy_.limits)) {
        end(OutcomeKind::kMemoryLimit, memory_cause(), SIGKILL);
        co_return;
      }
      pause.expires_after(kMemoryPause);
      auto [cancelled] = co_await pause.async_wait(use_result);
      if (cancelled) co_return;
    }
  }

  // ---- afterwards ----

  void read_usage(const progtc_exit& exited) {
    if (const auto total = bounds_.cgroup.cpu_time()) group_used_ = *total - group_before_;
    const std::chrono::microseconds worker = std::chrono::microseconds(exited.cpu_us) - worker_before_;
    outcome_.usage.cpu = std::max(group_used_.value_or(std::chrono::microseconds(0)), worker);
    outcome_.usage.memory_peak_bytes = bounds_.cgroup.memory_peak_bytes().value_or(exited.max_rss_bytes);
    const std::uint64_t tasks = bounds_.cgroup.tasks_peak().value_or(0);
    outcome_.usage.processes_peak = tasks > 0 ? tasks - 1 : 0;  // without init
    oom_kills_ = bounds_.cgroup.oom_kills().value_or(0);
  }

  // Code that raises the signal itself cannot claim the limit: the group's account says whether it was reached. Without
  // a group SIGXCPU is what RLIMIT_CPU sends, by a clock of ticks that may run well ahead of the account on a busy
  // machine.
  bool is_cpu_limit(int signal, const progtc_exit& exited) const {
    if (signal != SIGXCPU && signal != SIGKILL) return false;
    if (group_used_) return *group_used_ >= policy_.limits.cpu;
    const std::chrono::microseconds used(exited.cpu_us);
    return signal == SIGXCPU ? used * 2 >= policy_.limits.cpu : used >= policy_.limits.cpu;
  }

  // The kernel's counters say what happened; the code's own word never does.
  void name_ending(bool has_exited, const progtc_exit& exited) {
    // A limit's kill may be seen through the exit before its event.
    if (oom_kills_ > 0 && (!is_ended_ || outcome_.kind == OutcomeKind::kMemoryLimit)) {
      outcome_.kind = OutcomeKind::kMemoryLimit;
      outcome_.cause = memory_cause();
      outcome_.signal = SIGKILL;
      return;
    }
    if (is_ended_) return;
    if (!violation_.empty()) {  // seen only when the code was over already
      outcome_.kind = OutcomeKind::kProtocolViolation;
      outcome_.cause = violation_;
      return;
    }
    if (!has_exited) {
      outcome_.kind = OutcomeKind::kSignaled;
      outcome_.signal = SIGKILL;
      outcome_.cause = "the sandbox's init was killed from outside";
      return;
    }
    if (WIFEXITED(exited.wait_status)) {
      outcome_.kind = OutcomeKind::kExited;
      outcome_.exit_code = WEXITSTATUS(exited.wait_status);
      if (!lost_output_.empty()) {
        outcome_.kind = OutcomeKind::kCancelled;
        outcome_.cause = "the code's output could not be passed on: " + lost_output_;
        return;
      }
      outcome_.cause = outcome_.exit_code == 0 ? "the code ended"
                                               : "the code ended with status " + std::to_string(outcome_.exit_code);
      return;
    }
    const int signal = WTERMSIG(exited.wait_status);
    outcome_.signal = signal;
    if (is_cpu_limit(signal, exited)) {
      outcome_.kind = OutcomeKind::kCpuLimit;
      outcome_.cause = cpu_cause();
      return;
    }
    if (signal == interrupted_by_) {
      outcome_.kind = OutcomeKind::kCancelled;
      outcome_.cause = interrupt_cause_;
      return;
    }
    outcome_.kind = OutcomeKind::kSignaled;
    const char* name = ::sigabbrev_np(signal);
    outcome_.cause = std::string("killed by signal ") + (name ? std::string("SIG") + name : std::to_string(signal));
    if (signal == SIGSYS) outcome_.cause += " (a system call through a foreign table: i386 or x32)";
  }

  void gather_files() {
    if (request_.out_dir.empty()) return;
    auto found = collect(sandbox_->out_dir.get(), out_target_.get(), CollectLimits{});
    if (!found) {
      outcome_.notes.push_back("output files were not collected: " + found.error().context);
      return;
    }
    outcome_.files = std::move(found->files);
    for (const std::string& skipped : found->skipped) outcome_.notes.push_back("not collected: " + skipped);
  }

  const Clock::time_point started_ = Clock::now();
  asio::any_io_executor executor_;
  RunRequest request_;
  const policy::Policy& policy_;
  ChannelPeer& peer_;
  std::shared_ptr<RunHandle> handle_;
  RunOutcome outcome_;
  Identity identity_;
  std::shared_ptr<const Nest> nest_;  // of a sandbox that was ready; else empty
  CgroupSite site_;
  Bounds bounds_;
  std::unique_ptr<Template> template_;
  std::unique_ptr<Sandbox> sandbox_;
  std::unique_ptr<DenialListener> listener_;
  TaskGroup tasks_;    // end with the sandbox
  TaskGroup watches_;  // are cancelled after it
  asio::steady_timer wall_;
  asio::steady_timer cpu_;
  asio::steady_timer reaper_;
  asio::steady_timer flush_;
  asio::steady_timer grace_;  // of the code that was sent a signal
  std::uint64_t output_bytes_ = 0;
  std::uint64_t oom_kills_ = 0;
  std::chrono::microseconds group_before_{0};            // used by then to make a sandbox that was ready: not the run's
  std::optional<std::chrono::microseconds> group_used_;  // by the run, as its group's account says at its end
  std::chrono::microseconds worker_before_{0};
  sys::UniqueFd out_target_;
  sys::UniqueFd oom_event_;
  std::string lost_output_;
  std::string violation_;
  bool has_stopped_relaying_ = false;  // to a reader that does not read
  bool is_ended_ = false;              // by us, with a cause
  bool is_over_ = false;               // the worker's end is known
  bool is_supervised_ = false;         // the worker has its job, or is about to get it
  int interrupted_by_ = 0;             // the signal that the worker was sent; 0: none
  std::string interrupt_cause_;
  std::optional<int> left_with_;  // its status, when the code said so itself
  std::chrono::microseconds worker_used_{0};
};

asio::awaitable<RunOutcome> run_parked(asio::any_io_executor executor, RunRequest request,
                                       std::unique_ptr<Parked> parked, ChannelPeer& peer,
                                       std::shared_ptr<RunHandle> handle,
                                       std::function<void(asio::awaitable<void>)> behind) {
  auto supervisor =
      std::make_shared<Supervisor>(executor, std::move(request), std::move(parked), peer, std::move(handle));
  RunOutcome outcome = co_await supervisor->run();
  behind([](std::shared_ptr<Supervisor> rest) -> asio::awaitable<void> { co_await rest->clean_up(); }(supervisor));
  co_return outcome;
}

asio::awaitable<RunOutcome> run(asio::any_io_executor executor, RunRequest request, ChannelPeer& peer,
                                std::shared_ptr<RunHandle> handle) {
  auto supervisor = std::make_unique<Supervisor>(executor, std::move(request), peer, std::move(handle));
  co_return co_await supervisor->run();
}

}  // namespace progtc::runner
