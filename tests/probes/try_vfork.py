"""vfork(2), from machine code: the child may not return from the function that made it."""
import errno

from probe import blocked, permitted, run_machine_code

# mov eax, 58; syscall; test eax, eax; jne done; mov edi, eax; mov eax, 60; syscall; done: ret
pid = run_machine_code(bytes.fromhex("b83a000000 0f05 85c0 7509 89c7 b83c000000 0f05 c3"))
if pid < 0:
    blocked(errno.errorcode.get(-pid, str(pid)))
permitted("done")
