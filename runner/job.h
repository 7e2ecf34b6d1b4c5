#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <cstdint>

#include "policy/model.h"

namespace progtc::runner {

// What a worker is told to do: the `job` frame of docs/protocol.md.
struct Job {
  enum class Mode { kScript, kCode, kModule };
  Mode mode = Mode::kCode;
  std::string code;         // kScript, kCode: source text, UTF-8
  std::string code_base64;  // instead of `code`: source bytes in the encoding their coding line names
  std::string filename = "<string>";
  std::string module;  // kModule
  std::vector<std::string> argv;
  std::vector<std::string> path;  // in front of sys.path
  std::vector<std::string> site;  // behind it
  std::string cwd;
  std::map<std::string, std::string> env;
  std::optional<std::vector<std::string>> tools;  // names; nothing: the run has no tool host
  std::uint64_t frame_bytes = 0;
  bool is_line_buffered = false;  // stdout, as Python's is on a terminal
  std::string executable;
  std::string prefix;       // sys.prefix; empty: the interpreter's own
  unsigned processors = 0;  // what os.cpu_count() answers; 0: what the machine has
};

std::string to_json(const Job& job);

// What a policy makes of this process's environment: the variables it passes on, where they are set, and its own. Where
// packages are shown, libraries of numbers (BLAS, OpenMP) are told how many threads the limits are worth; they would
// start one for each processor of the machine.
std::map<std::string, std::string> environment_of(const policy::Policy& policy);

// Those of them that the interpreter reads when it starts, as "NAME=value". They are given to it then; the others are
// set before the code runs.
std::vector<std::string> start_variables(const policy::Policy& policy);

// The processors that a sandbox's share of time is worth: `limits.cpus` in whole ones, and no more than this process
// has.
unsigned processors_of(const policy::Limits& limits);
// The same where it is fewer than this process has, otherwise 0.
unsigned fewer_processors_of(const policy::Limits& limits);

// The variables by which such libraries take a number of threads.
inline constexpr const char* kThreadVariables[] = {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS",
                                                   "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS"};

}  // namespace progtc::runner
