"""Takes memory until something stops it."""

hoard = []
while True:
    hoard.append(b"x" * (8 << 20))
    print(f"{8 * len(hoard)} MiB", flush=True)
