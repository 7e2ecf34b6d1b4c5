// The pieces that lie on the path of every cold start, measured one by one: what a run pays before its first clone.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

#include <benchmark/benchmark.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "policy/decode.h"
#include "policy/seccomp_program.h"

namespace progtc::policy {
namespace {

[[noreturn]] void give_up(const Error& error) {
  std::cerr << "hot_pieces: " << error.context << '\n';
  std::exit(EXIT_FAILURE);
}

PolicySource shipped(const char* name) {
  auto source = resolve_shipped(name, "");
  if (!source) give_up(source.error());
  return *source;
}

Policy strict_policy() {
  auto policy = decode_policy(shipped("strict"), resolve_shipped);
  if (!policy) give_up(policy.error());
  return *policy;
}

// Text to struct; ci extends strict.
void decode_shipped(benchmark::State& state, const char* name) {
  const PolicySource source = shipped(name);
  for (auto _ : state) {
    auto policy = decode_policy(source, resolve_shipped);
    if (!policy) give_up(policy.error());
    benchmark::DoNotOptimize(policy);
  }
}
BENCHMARK_CAPTURE(decode_shipped, strict, "strict");
BENCHMARK_CAPTURE(decode_shipped, ci, "ci");

// Struct to cBPF, through libseccomp. The label is the length of the program: the kernel runs it on every system call.
void compile_strict(benchmark::State& state) {
  const Policy policy = strict_policy();
  std::size_t instructions = 0;
  for (auto _ : state) {
    auto program = compile_seccomp(policy);
    if (!program) give_up(program.error());
    instructions = program->code.size();
    benchmark::DoNotOptimize(program);
  }
  state.SetLabel(std::to_string(instructions) + " instructions");
}
BENCHMARK(compile_strict);

void digest_strict(benchmark::State& state) {
  const Policy policy = strict_policy();
  for (auto _ : state) benchmark::DoNotOptimize(digest(policy));
}
BENCHMARK(digest_strict);

// Once a denied call: a flood of them must cost the host little.
void describe_denied_socket(benchmark::State& state) {
  const Policy policy = strict_policy();
  const std::array<std::uint64_t, 6> arguments{AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0, 0, 0, 0};
  for (auto _ : state) benchmark::DoNotOptimize(describe_denial(policy, SYS_socket, arguments));
}
BENCHMARK(describe_denied_socket);

}  // namespace
}  // namespace progtc::policy
