// What every system call of the native table meets under every shipped policy, held to tests/policy/verdicts.txt, so
// that a changed verdict is a line in a review. To write the file anew:
//   PROGTC_UPDATE_VERDICTS=1 build/dev/tests/policy/policy_verdicts_test
// The verdicts: allow (whatever the arguments), args (depends on them), deny (reported, EPERM), absent (silent ENOSYS).
#include <gtest/gtest.h>
#include <linux/seccomp.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "policy/bpf_evaluator.h"
#include "policy/seccomp_program.h"
#include "policy/syscall_groups.h"
#include "tests/policy/support.h"

namespace progtc::policy {
namespace {

const std::string kFile = std::string(PROGTC_SOURCE_DIR) + "/tests/policy/verdicts.txt";
constexpr std::array kPolicies = {"strict", "data", "ci", "standard", "permissive"};

// Arguments that make a difference to some group, and the extremes.
std::vector<std::array<std::uint64_t, 6>> samples(std::string_view call) {
  std::vector<std::array<std::uint64_t, 6>> all(3);
  all[1].fill(~0ULL);
  all[2].fill(0x5555'5555'5555'5555);
  for (const AbsentCall& absent : absent_calls()) {
    if (absent.name != call) continue;
    std::array<std::uint64_t, 6> arguments{};
    for (const ArgumentCheck& check : absent.fit.all()) arguments[check.argument] = check.value;
    all.push_back(arguments);
  }
  for (const SyscallGroup& group : syscall_groups()) {
    for (const GroupCall& entry : group.calls) {
      if (entry.name != call) continue;
      for (const ArgumentFit& fit : entry.fits) {
        std::array<std::uint64_t, 6> arguments{};
        arguments.fill(~0ULL);
        for (const ArgumentCheck& check : fit.all()) arguments[check.argument] = check.value;
        all.push_back(arguments);
      }
    }
  }
  return all;
}

std::string verdict(const SeccompProgram& program, const std::string& call) {
  std::set<std::string> seen;
  for (const auto& arguments : samples(call)) {
    const auto answer = evaluate(program, native_call(*syscall_number(call), arguments));
    if (!answer) return answer.error().context;
    if (*answer == SECCOMP_RET_ALLOW) {
      seen.insert("allow");
    } else if (*answer == SECCOMP_RET_USER_NOTIF) {
      seen.insert("deny");
    } else if (*answer == (SECCOMP_RET_ERRNO | ENOSYS)) {
      seen.insert("absent");
    } else {
      seen.insert(std::to_string(*answer));
    }
  }
  return seen.size() == 1 ? *seen.begin() : "args";
}

std::map<std::string, std::string> current() {
  std::map<std::string, std::string> lines;
  for (const char* name : kPolicies) {
    const auto program = compile_seccomp(shipped(name));
    if (!program) {
      ADD_FAILURE() << program.error().context;
      return {};
    }
    for (const std::string& call : known_syscall_names()) {
      std::string& line = lines[call];
      if (!line.empty()) line += ' ';
      line += verdict(*program, call);
    }
  }
  return lines;
}

TEST(VerdictsTest, AreThoseOfTheFile) {
  const auto now = current();
  if (std::getenv("PROGTC_UPDATE_VERDICTS") != nullptr) {
    std::ofstream out(kFile);
    out << "# call: strict data ci standard permissive; see verdicts_test.cc\n";
    for (const auto& [call, line] : now) out << call << ": " << line << "\n";
    GTEST_SKIP() << "wrote " << kFile;
  }
  std::ifstream in(kFile);
  ASSERT_TRUE(in) << kFile;
  std::set<std::string> listed;
  for (std::string line; std::getline(in, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with('#') || colon == std::string::npos) continue;
    const std::string call = line.substr(0, colon);
    listed.insert(call);
    const auto found = now.find(call);
    if (found == now.end()) continue;  // an older libseccomp, which knows fewer calls
    EXPECT_EQ(line, call + ": " + found->second);
  }
  for (const auto& [call, line] : now) {  // a newer libseccomp knows more; they are denied until somebody decides
    if (!listed.contains(call)) {
      EXPECT_EQ(line, "deny deny deny deny deny") << call;
    }
  }
}

TEST(VerdictsTest, NoShippedPolicyAllowsADangerousCall) {
  for (const auto& [call, line] : current()) {
    if (!is_dangerous_syscall(call)) continue;
    EXPECT_TRUE(line == "deny deny deny deny deny" ||
                (call == "clone3" && line == "absent absent absent absent absent"))
        << call << ": " << line;
  }
}

}  // namespace
}  // namespace progtc::policy
