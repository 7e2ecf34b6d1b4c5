# run: progtc-run FILE | sort -u | wc -l
# status: 0
# stdout: 40000
# stderr: nothing
import sys
import threading


def write(name):
    for n in range(10_000):
        sys.stdout.write(f"{name} {n}\n")


threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
