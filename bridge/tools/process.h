#pragma once
// One program of the user's, run outside the sandbox for one call.
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "policy/result.h"

namespace progtc::bridge {

struct ProcessPlan {
  std::vector<std::string> argv;  // argv[0] is looked up on the host's PATH; no shell ever reads this
  std::vector<std::string> env;   // the whole environment, "NAME=value"
  std::string working_directory;  // empty: the host's
  std::chrono::milliseconds timeout{60'000};
  std::size_t max_stdout_bytes = 16UL * 1024 * 1024;  // more ends the program
  std::size_t max_stderr_bytes = 64UL * 1024;         // more is dropped
};

struct ProcessEnd {
  enum class Cause : std::uint8_t { kExited, kSignaled, kTimedOut, kTooMuchOutput, kCancelled };
  Cause cause = Cause::kExited;
  int exit_code = 0;  // kExited
  int signal = 0;     // kSignaled
  std::string out;
  std::string err;
};

// Runs the program to its end. It reads /dev/null, has default signals, a session and process group of its own (so no
// terminal to ask for a password), and no descriptor of ours but its two pipes.
//
// When the program ends, in whatever way, its whole process group is killed: nobody is left holding the pipes. Output
// that it wrote before its own end is kept. Destroying or cancelling the coroutine kills the group too; cancelling it
// waits until the program is gone and returns kCancelled. Only processes that left the group on purpose (setsid)
// survive.
//
// Errors: errno of what kept it from starting: "start 'nmap': No such file or directory".
boost::asio::awaitable<Result<ProcessEnd>> run_process(ProcessPlan plan);

}  // namespace progtc::bridge
