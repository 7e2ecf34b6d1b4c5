#pragma once
// Runs a seccomp filter without a kernel, for tests and for explaining.
#include <linux/seccomp.h>

#include <array>
#include <cstdint>

#include "policy/result.h"
#include "policy/seccomp_program.h"

namespace progtc::policy {

// The filter's answer (SECCOMP_RET_… with its data) for one call. Total: every program ends, as jumps only go forward.
// Errors: PolicyErrc::kRange for what the kernel's checker refuses: an unknown instruction, a load outside seccomp_data
// or unaligned, scratch memory beyond 16 words, a jump or a fall past the end, a constant division by zero or shift
// of 32.
Result<std::uint32_t> evaluate(const SeccompProgram& program, const seccomp_data& data);

// A call through the native table.
seccomp_data native_call(int number, const std::array<std::uint64_t, 6>& arguments = {});

}  // namespace progtc::policy
