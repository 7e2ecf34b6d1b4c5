#include "policy/bpf_evaluator.h"

#include <gtest/gtest.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>

#include <cstddef>

namespace progtc::policy {
namespace {

constexpr std::uint64_t kLow = 0x11223344;
constexpr std::uint64_t kHigh = 0x55667788;

std::string run(std::vector<sock_filter> code) {
  const auto answer = evaluate({.code = std::move(code)}, native_call(7, {kHigh << 32 | kLow, 2, 3, 4, 5, 6}));
  return answer ? std::to_string(*answer) : answer.error().context;
}
sock_filter statement(int code, std::uint32_t k) { return {static_cast<unsigned short>(code), 0, 0, k}; }
sock_filter branch(int code, std::uint32_t k, unsigned char jt, unsigned char jf) {
  return {static_cast<unsigned short>(code), jt, jf, k};
}
constexpr int kLoad = BPF_LD | BPF_W | BPF_ABS;
const sock_filter kReturn = statement(BPF_RET | BPF_A, 0);

TEST(BpfEvaluatorTest, LoadsFieldsOfTheCall) {
  EXPECT_EQ(run({statement(kLoad, offsetof(seccomp_data, nr)), kReturn}), "7");
  EXPECT_EQ(run({statement(kLoad, offsetof(seccomp_data, args)), kReturn}), std::to_string(kLow));
  EXPECT_EQ(run({statement(kLoad, offsetof(seccomp_data, args) + 4), kReturn}), std::to_string(kHigh));
  EXPECT_EQ(run({statement(BPF_LD | BPF_W | BPF_LEN, 0), kReturn}), "64");
}

TEST(BpfEvaluatorTest, Calculates) {
  EXPECT_EQ(run({statement(BPF_LD | BPF_IMM, 6), statement(BPF_ALU | BPF_ADD | BPF_K, 4),
                 statement(BPF_ALU | BPF_MUL | BPF_K, 3), statement(BPF_ALU | BPF_AND | BPF_K, 28), kReturn}),
            "28");
  EXPECT_EQ(run({statement(BPF_LD | BPF_IMM, 9), statement(BPF_MISC | BPF_TAX, 0), statement(BPF_LD | BPF_IMM, 100),
                 statement(BPF_ALU | BPF_DIV | BPF_X, 0), kReturn}),
            "11");
  EXPECT_EQ(run({statement(BPF_LD | BPF_IMM, 9), statement(BPF_ST, 3), statement(BPF_LD | BPF_IMM, 1),
                 statement(BPF_LDX | BPF_MEM, 3), statement(BPF_MISC | BPF_TXA, 0), kReturn}),
            "9");
}

TEST(BpfEvaluatorTest, JumpsForward) {
  EXPECT_EQ(run({statement(BPF_LD | BPF_IMM, 5), branch(BPF_JMP | BPF_JGT | BPF_K, 4, 1, 0), statement(BPF_RET, 1),
                 statement(BPF_RET, 2)}),
            "2");
  EXPECT_EQ(run({statement(BPF_LD | BPF_IMM, 5), branch(BPF_JMP | BPF_JSET | BPF_K, 2, 1, 0), statement(BPF_RET, 1),
                 statement(BPF_RET, 2)}),
            "1");
  EXPECT_EQ(run({statement(BPF_JMP | BPF_JA, 1), statement(BPF_RET, 1), statement(BPF_RET, 2)}), "2");
}

TEST(BpfEvaluatorTest, RefusesWhatTheKernelRefuses) {
  EXPECT_EQ(run({}), "the program ends without an answer");
  EXPECT_EQ(run({statement(BPF_LD | BPF_IMM, 1)}), "the program ends without an answer");
  EXPECT_EQ(run({statement(BPF_JMP | BPF_JA, 0xFFFFFFFF), statement(BPF_RET, 1)}),
            "the program ends without an answer");
  EXPECT_EQ(run({statement(kLoad, 64), kReturn}), "instruction 0 (code 32) loads from outside the call's data");
  EXPECT_EQ(run({statement(kLoad, 0xFFFFFFFC), kReturn}), "instruction 0 (code 32) loads from outside the call's data");
  EXPECT_EQ(run({statement(kLoad, 2), kReturn}), "instruction 0 (code 32) loads from outside the call's data");
  EXPECT_EQ(run({statement(BPF_ST, 16), kReturn}), "instruction 0 (code 2) uses scratch memory that does not exist");
  EXPECT_EQ(run({statement(BPF_ALU | BPF_DIV | BPF_K, 0), kReturn}),
            "instruction 0 (code 52) divides by zero or shifts by 32 or more");
  EXPECT_EQ(run({statement(BPF_LD | BPF_B | BPF_ABS, 0), kReturn}), "instruction 0 (code 48) is unknown");
  EXPECT_EQ(run({statement(0xFFFF, 0), kReturn}), "instruction 0 (code 65535) is unknown");
}

}  // namespace
}  // namespace progtc::policy
