"""Executes a program that exists in memory only."""
import ctypes
import os

from probe import attempt, syscall

AT_EMPTY_PATH = 0x1000


def act():
    fd = os.memfd_create("program", 0)
    with open(fd, "wb", closefd=False) as file:
        file.write(b"#!/bin/sh\necho 'permitted: executed'\n")
    argv = (ctypes.c_char_p * 2)(b"program", None)
    syscall("execveat", fd, b"", argv, (ctypes.c_char_p * 1)(None), AT_EMPTY_PATH)


attempt(act)
