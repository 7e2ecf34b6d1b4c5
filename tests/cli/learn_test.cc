#include "cli/learn.h"

#include <asm/ioctls.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <csignal>

#include "cli/policy_loader.h"
#include "policy/bpf_evaluator.h"
#include "policy/decode.h"
#include "policy/syscall_groups.h"
#include "tests/cli/support.h"

namespace progtc::cli {
namespace {

seccomp_data call(const char* name, const std::array<std::uint64_t, 6>& arguments = {}) {
  return policy::native_call(*policy::syscall_number(name), arguments);
}
CallLesson lesson_of(const char* base) { return *CallLesson::create(*load_policy(base)); }
using Words = std::vector<std::string>;

TEST(CallLessonTest, WhatTheBaseAllowsIsNothingToLearn) {
  CallLesson lesson = lesson_of("strict");
  EXPECT_TRUE(lesson.add(call("read")));
  EXPECT_TRUE(lesson.add(call("clone3")));  // answered silently
  EXPECT_EQ(lesson.needed(), policy::Syscalls{});
}
TEST(CallLessonTest, ForkAndExecMeanTheirGroups) {
  CallLesson lesson = lesson_of("strict");
  EXPECT_TRUE(lesson.add(call("clone", {SIGCHLD})));
  EXPECT_TRUE(lesson.add(call("wait4")));
  EXPECT_TRUE(lesson.add(call("execve")));
  EXPECT_EQ(lesson.needed().groups, (Words{"exec", "processes"}));
  EXPECT_EQ(lesson.needed().allow, Words{});
}
TEST(CallLessonTest, OneCallOfAGroupStaysOneCall) {
  CallLesson lesson = lesson_of("strict");
  EXPECT_TRUE(lesson.add(call("sched_setaffinity")));
  EXPECT_EQ(lesson.needed().allow, (Words{"sched_setaffinity"}));
  EXPECT_EQ(lesson.needed().groups, Words{});
}
TEST(CallLessonTest, SocketsMeanANetworkMode) {
  CallLesson lesson = lesson_of("strict");
  EXPECT_TRUE(lesson.add(call("socket", {AF_INET, SOCK_STREAM})));
  EXPECT_TRUE(lesson.add(call("bind")));
  EXPECT_EQ(lesson.network(), policy::NetworkMode::kLoopback);
  EXPECT_EQ(lesson.needed(), policy::Syscalls{});
}
TEST(CallLessonTest, AChoiceByArgumentBecomesARule) {
  CallLesson lesson = lesson_of("strict");
  EXPECT_TRUE(lesson.add(call("ioctl", {0, 0x1234})));
  ASSERT_EQ(lesson.needed().rules.size(), 1U);
  EXPECT_EQ(lesson.needed().rules[0],
            (policy::ArgumentRule{.call = "ioctl", .argument = 1, .mask = 0xFFFFFFFF, .values = {0x1234}}));
}
TEST(CallLessonTest, TheWorstStaysDenied) {
  CallLesson lesson = lesson_of("permissive");
  for (const seccomp_data& worst :
       {call("ptrace"), call("mount"), call("bpf"), call("unshare", {CLONE_NEWUSER}), call("keyctl"),
        call("io_uring_setup"), call("clone", {CLONE_NEWUSER | SIGCHLD}), call("socket", {AF_ALG, SOCK_SEQPACKET}),
        call("ioctl", {0, TIOCSTI}), call("ioctl", {0, TIOCSTI + (1ULL << 32)}), call("fchmod", {3, 04755})})
    EXPECT_FALSE(lesson.add(worst)) << policy::syscall_name(worst.nr);
  EXPECT_EQ(lesson.needed(), policy::Syscalls{});
  EXPECT_EQ(lesson.refused().size(), 10U);  // both TIOCSTI are one
}
TEST(CallLessonTest, WhatTheBaseDeniesByNameStaysDenied) {
  policy::Policy base = *load_policy("standard");
  base.syscalls.deny = {"execve"};
  auto lesson = CallLesson::create(base);
  ASSERT_TRUE(lesson);
  EXPECT_FALSE(lesson->add(call("execve")));
}

TEST(PolicyTextTest, IsAPolicyThatAllowsWhatWasLearned) {
  Lesson lesson;
  lesson.extends = "strict";
  lesson.source = "a\n*/b.py";
  lesson.ending = "exited: the code ended";
  lesson.base = *load_policy("strict");
  lesson.asked = lesson.base;
  lesson.asked.limits.memory_bytes = 1ULL << 30;
  lesson.asked.limits.processes = 99;
  lesson.asked.env.set["A"] = "b";
  lesson.asked.env.pass = {"TERM"};
  lesson.asked.filesystem.binds.push_back({.source = "/usr/share", .target = "/data"});
  lesson.syscalls.groups = {"exec", "processes"};
  lesson.syscalls.allow = {"sched_setaffinity"};
  lesson.syscalls.rules = {{.call = "ioctl", .argument = 1, .mask = 0xFFFFFFFF, .values = {0x1234}}};
  lesson.network = policy::NetworkMode::kLoopback;
  lesson.needs_programs = true;
  lesson.unseen = {"/etc/x\n{"};
  lesson.refused.push_back({"ptrace()", "rule", "fix", 1});
  const std::string text = to_policy_text(lesson);
  const auto learned = policy::decode_policy({"learned.json", text}, resolve_policy);
  ASSERT_TRUE(learned) << learned.error().context << "\n" << text;
  EXPECT_EQ(learned->limits.memory_bytes, 1ULL << 30);
  EXPECT_EQ(learned->limits.processes, 99U);
  EXPECT_EQ(learned->env.pass, (Words{"TERM"}));
  EXPECT_EQ(learned->network, policy::NetworkMode::kLoopback);
  EXPECT_EQ(learned->syscalls.allow, (Words{"sched_setaffinity"}));
  EXPECT_EQ(learned->syscalls.rules, lesson.syscalls.rules);
  const auto& binds = learned->filesystem.binds;
  EXPECT_NE(std::find(binds.begin(), binds.end(), policy::Bind{.source = "@programs", .target = ""}), binds.end());
}
TEST(PolicyTextTest, NothingLearnedIsTheBaseItself) {
  Lesson lesson;
  lesson.extends = "ci";
  lesson.source = "a.py";
  lesson.base = *load_policy("ci");
  lesson.asked = lesson.base;
  lesson.network = lesson.base.network;
  auto learned = policy::decode_policy({"learned.json", to_policy_text(lesson)}, resolve_policy);
  ASSERT_TRUE(learned) << learned.error().context;
  learned->name = lesson.base.name;
  learned->description = lesson.base.description;
  EXPECT_EQ(*learned, lesson.base);
}

}  // namespace
}  // namespace progtc::cli
