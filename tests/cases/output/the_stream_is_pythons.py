# why: what a program can see and do with stdout is what bare Python has
# run: progtc-run --python /usr/bin/python3 FILE | cat > ours; /usr/bin/python3 FILE | cat > bare; cmp ours bare && cat ours
# status: 0
# stdout has: <_io.BufferedWriter name='<stdout>'>
# stdout has: underlying buffer has been detached
# stderr: nothing
import io
import sys

print(sys.stdout, type(sys.stdout), sys.stdout.buffer, type(sys.stdout.buffer), sys.stdout.buffer.raw, sys.stdout.mode,
      sys.stdout.encoding, sys.stdout.errors, sys.stdout.line_buffering, sys.stdout.isatty(), sys.stdout.fileno())
sys.stdout.flush()
sys.stdout.buffer.write(b"bytes\n"), sys.stdout.buffer.write(bytearray(b"more\n")), sys.stdout.buffer.flush()
print(sys.stdout.write("abc\n"), sys.stdout.writelines(["x\n", "y\n"]))


def attempt(act, *args):
    try:
        print(act(*args))
    except Exception as error:
        print(type(error), error)


attempt(sys.stdout.write, b"bytes")
attempt(sys.stdout.tell)
attempt(print, "\ud800")
print("\udc80")
sys.stdout.reconfigure(errors="replace")
print("\ud800")
sys.stdout.reconfigure(encoding="latin-1")
print("é")
sys.stdout.reconfigure(encoding="utf-8", newline="\r\n")
print("é")
print("x" * 100_000)
old = sys.stdout
sys.stdout = io.TextIOWrapper(sys.stdout.detach(), "utf-8")
attempt(old.write, "x")
sys.stdout.close()
try:
    print("closed")
except ValueError as error:
    sys.__stderr__.write("") if str(error) == "I/O operation on closed file." else sys.__stderr__.write(str(error))
