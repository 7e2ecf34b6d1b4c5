"""A call through the 32-bit table: number 20 is getpid there."""
import os

from probe import blocked, permitted, run_machine_code

# mov eax, 20; int 0x80; ret
answer = run_machine_code(bytes.fromhex("b814000000 cd80 c3"))
if answer == os.getpid():
    permitted("getpid by int 0x80")
blocked(f"answered {answer}")
