"""Gives one end of a pair of sockets a filter: OPTION is the name and the number, such as SO_ATTACH_FILTER=26. The machine
code of such filters is counted for the whole host (net.core.bpf_jit_limit)."""
import ctypes
import socket
import sys

from probe import attempt

BPF_RET_K, EVERYTHING = 0x06, 0xFFFF


class Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32)]


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("code", ctypes.POINTER(Instruction))]


def act():
    ours, _ = socket.socketpair()
    instruction = Instruction(BPF_RET_K, 0, 0, EVERYTHING)
    program = Program(1, ctypes.pointer(instruction))
    ours.setsockopt(socket.SOL_SOCKET, int(sys.argv[1].partition("=")[2]), bytes(program))


attempt(act)
