#!/usr/bin/env python3
"""The daemon at half its peak rate for minutes: do its memory and its descriptors stay where they are?

    bench/soak.py build/release/bin/progtc [--minutes 10] [--clients 8]

The peak is measured first, for 5 s. Then the daemon's resident memory and open descriptors are read every second. The
first tenth is left out: buffers and pools grow to their size. It is flat when the median of the last third is not above
that of the first third by more than 2 % or 1 MiB of memory, or by a descriptor.

Exit status 1 when it is not flat, or when a run failed.
"""

import argparse
import statistics
import sys
import time

from swarm import Server, progtc, swarm

PEAK_SECONDS = 5


def growth(values):
    """(median of the first third, median of the last third), without the first tenth."""
    values = values[len(values) // 10 :]
    third = max(1, len(values) // 3)
    return statistics.median(values[:third]), statistics.median(values[-third:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("progtc")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--server-command", help=argparse.SUPPRESS)  # in the place of progtc, to try the soak itself
    options = parser.parse_args()
    command = options.server_command.split() if options.server_command else progtc(options.progtc)

    samples = []
    with Server(command) as server:
        walls, _, elapsed = swarm(server.address, options.clients, PEAK_SECONDS)
        rate = len(walls) / elapsed / 2
        if not rate:
            sys.exit("soak.py: no run ended while the peak was measured")
        print(f"peak {2 * rate:.0f} runs a second; {options.minutes:g} minutes at {rate:.0f}")
        row = "{:>8} {:>12} {:>12}".format
        print(row("seconds", "RSS, KiB", "descriptors"))
        begin = time.monotonic()
        every = max(1, int(options.minutes * 60 / 20))

        def sample():
            samples.append((server.resident_kib(), server.descriptors()))
            if len(samples) % every == 1 or every == 1:
                print(row(round(time.monotonic() - begin), *samples[-1]), flush=True)

        walls, refused, elapsed = swarm(server.address, options.clients, options.minutes * 60, rate, sample)
    if len(samples) < 10:
        sys.exit("soak.py: too short to say anything")
    print(f"{len(walls)} runs, {len(walls) / elapsed:.0f} a second, p50 {statistics.median(walls):.2f} ms; refused: {refused or 'none'}")
    (rss, rss_end), (fds, fds_end) = (growth([sample[i] for sample in samples]) for i in (0, 1))
    is_memory_flat = rss_end - rss <= max(0.02 * rss, 1024)
    are_descriptors_flat = fds_end - fds < 1
    print(f"memory: {rss:.0f} KiB, then {rss_end:.0f} KiB: {'flat' if is_memory_flat else 'GROWS'}")
    print(f"descriptors: {fds:.0f}, then {fds_end:.0f}: {'flat' if are_descriptors_flat else 'GROW'}")
    return 0 if is_memory_flat and are_descriptors_flat and not refused else 1


if __name__ == "__main__":
    sys.exit(main())
