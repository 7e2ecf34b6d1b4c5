#include "policy/bpf_evaluator.h"

#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <seccomp.h>

#include <cstring>
#include <string>

#include "policy/decode.h"

namespace progtc::policy {
namespace {

constexpr std::size_t kDataBytes = sizeof(seccomp_data);
using Bytes = std::array<unsigned char, kDataBytes>;

struct Machine {
  std::uint32_t accumulator = 0;
  std::uint32_t index = 0;
  std::array<std::uint32_t, BPF_MEMWORDS> memory{};
};

enum class Fault { kNone, kInstruction, kLoad, kMemory, kDivision };

Fault load(const sock_filter& instruction, const Bytes& data, Machine& machine, std::uint32_t& to) {
  switch (BPF_MODE(instruction.code)) {
    case BPF_IMM:
      to = instruction.k;
      return Fault::kNone;
    case BPF_ABS: {
      const bool is_inside = instruction.k % 4 == 0 && instruction.k <= kDataBytes - 4;
      if (!is_inside || &to != &machine.accumulator) return Fault::kLoad;
      std::memcpy(&to, &data[instruction.k], sizeof to);
      return Fault::kNone;
    }
    case BPF_LEN:
      to = kDataBytes;
      return Fault::kNone;
    case BPF_MEM:
      if (instruction.k >= BPF_MEMWORDS) return Fault::kMemory;
      to = machine.memory[instruction.k];
      return Fault::kNone;
    default:
      return Fault::kInstruction;
  }
}

Fault calculate(const sock_filter& instruction, Machine& machine) {
  const bool is_constant = BPF_SRC(instruction.code) == BPF_K;
  const std::uint32_t operand = is_constant ? instruction.k : machine.index;
  std::uint32_t& a = machine.accumulator;
  switch (BPF_OP(instruction.code)) {
    case BPF_ADD:
      a += operand;
      return Fault::kNone;
    case BPF_SUB:
      a -= operand;
      return Fault::kNone;
    case BPF_MUL:
      a *= operand;
      return Fault::kNone;
    case BPF_DIV:
      if (operand == 0 && is_constant) return Fault::kDivision;
      a = operand == 0 ? 0 : a / operand;
      return Fault::kNone;
    case BPF_OR:
      a |= operand;
      return Fault::kNone;
    case BPF_AND:
      a &= operand;
      return Fault::kNone;
    case BPF_XOR:
      a ^= operand;
      return Fault::kNone;
    case BPF_LSH:
      if (operand > 31 && is_constant) return Fault::kDivision;
      a <<= operand & 31U;
      return Fault::kNone;
    case BPF_RSH:
      if (operand > 31 && is_constant) return Fault::kDivision;
      a >>= operand & 31U;
      return Fault::kNone;
    case BPF_NEG:
      a = 0U - a;
      return Fault::kNone;
    default:
      return Fault::kInstruction;
  }
}

// How far to jump beyond the next instruction.
Fault jump(const sock_filter& instruction, const Machine& machine, std::size_t& distance) {
  const std::uint32_t operand = BPF_SRC(instruction.code) == BPF_K ? instruction.k : machine.index;
  const std::uint32_t a = machine.accumulator;
  bool is_taken = false;
  switch (BPF_OP(instruction.code)) {
    case BPF_JA:
      distance = instruction.k;
      return Fault::kNone;
    case BPF_JEQ:
      is_taken = a == operand;
      break;
    case BPF_JGT:
      is_taken = a > operand;
      break;
    case BPF_JGE:
      is_taken = a >= operand;
      break;
    case BPF_JSET:
      is_taken = (a & operand) != 0;
      break;
    default:
      return Fault::kInstruction;
  }
  distance = is_taken ? instruction.jt : instruction.jf;
  return Fault::kNone;
}

Error fault_error(std::size_t at, Fault fault, const sock_filter& instruction) {
  const char* what = "is unknown";
  if (fault == Fault::kLoad) what = "loads from outside the call's data";
  if (fault == Fault::kMemory) what = "uses scratch memory that does not exist";
  if (fault == Fault::kDivision) what = "divides by zero or shifts by 32 or more";
  return Error{make_error_code(PolicyErrc::kRange),
               "instruction " + std::to_string(at) + " (code " + std::to_string(instruction.code) + ") " + what};
}

}  // namespace

Result<std::uint32_t> evaluate(const SeccompProgram& program, const seccomp_data& data) {
  Bytes bytes;
  std::memcpy(bytes.data(), &data, sizeof data);
  Machine machine;
  for (std::size_t at = 0; at < program.code.size(); ++at) {
    const sock_filter& instruction = program.code[at];
    Fault fault = Fault::kNone;
    switch (BPF_CLASS(instruction.code)) {
      case BPF_LD:
      case BPF_LDX: {
        const bool is_index = BPF_CLASS(instruction.code) == BPF_LDX;
        fault = BPF_SIZE(instruction.code) == BPF_W
                    ? load(instruction, bytes, machine, is_index ? machine.index : machine.accumulator)
                    : Fault::kInstruction;
        break;
      }
      case BPF_ST:
      case BPF_STX:
        if (instruction.k >= BPF_MEMWORDS) {
          fault = Fault::kMemory;
        } else {
          machine.memory[instruction.k] = BPF_CLASS(instruction.code) == BPF_ST ? machine.accumulator : machine.index;
        }
        break;
      case BPF_ALU:
        fault = calculate(instruction, machine);
        break;
      case BPF_JMP: {
        std::size_t distance = 0;
        fault = jump(instruction, machine, distance);
        at += distance;
        break;
      }
      case BPF_RET:
        if (BPF_RVAL(instruction.code) == BPF_K) return instruction.k;
        if (BPF_RVAL(instruction.code) == BPF_A) return machine.accumulator;
        fault = Fault::kInstruction;
        break;
      case BPF_MISC:
        if (BPF_MISCOP(instruction.code) == BPF_TAX) {
          machine.index = machine.accumulator;
        } else if (BPF_MISCOP(instruction.code) == BPF_TXA) {
          machine.accumulator = machine.index;
        } else {
          fault = Fault::kInstruction;
        }
        break;
    }
    if (fault != Fault::kNone) return fault_error(at, fault, instruction);
  }
  return Error{make_error_code(PolicyErrc::kRange), "the program ends without an answer"};
}

seccomp_data native_call(int number, const std::array<std::uint64_t, 6>& arguments) {
  seccomp_data data{};
  data.nr = number;
  data.arch = seccomp_arch_native();
  for (std::size_t i = 0; i < arguments.size(); ++i) data.args[i] = arguments[i];
  return data;
}

}  // namespace progtc::policy
