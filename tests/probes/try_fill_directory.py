"""Writes MIB into files of at most half a mebibyte in DIRECTORY, then removes them."""
import os
import sys

from probe import attempt

directory, wanted = sys.argv[1], int(sys.argv[2])


def act():
    made = []
    try:
        for index in range(2 * wanted):
            made.append(f"{directory}/fill-{index}")
            with open(made[-1], "wb", buffering=0) as file:
                file.write(b"x" * (1 << 19))
                if os.fstat(file.fileno()).st_size < 1 << 19:
                    file.write(b"x")  # the write that says why the last one was short
    finally:
        for path in made:
            os.unlink(path)
    return f"{wanted} MiB"


attempt(act)
