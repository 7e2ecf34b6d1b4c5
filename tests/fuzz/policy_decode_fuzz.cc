// Any text decodes to a policy or an error; whatever decodes also compiles or is refused, and reads back from its own
// text.
#include <cstddef>
#include <cstdint>
#include <string>

#include "policy/decode.h"
#include "policy/seccomp_program.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace progtc::policy;
  const PolicySource source{.name = "fuzz.json", .text = std::string(reinterpret_cast<const char*>(data), size)};
  const auto policy = decode_policy(source, resolve_shipped);
  if (!policy) return policy.error().context.empty() ? __builtin_trap(), 0 : 0;
  if (digest(*policy).size() != 64) __builtin_trap();
  const auto program = compile_seccomp(*policy);
  if (!program && program.error().context.empty()) __builtin_trap();
  return 0;
}
