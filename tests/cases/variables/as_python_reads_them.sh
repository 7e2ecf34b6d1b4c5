# why: each variable that the interpreter reads has the effect that it has on python3
# status: 0
# stdout: alike
# stderr: nothing
cat > look.py <<'END'
import sys, tracemalloc, warnings
print(sys.flags)
print(sys.warnoptions, sys.dont_write_bytecode, sys.pycache_prefix, tracemalloc.is_tracing())
print(hash("word") == 0, "/srv/modules" in sys.path, "/etc/relative" in sys.path, sys.stdout.encoding)
assert sys.flags.optimize, "assertions are on"
END
for pair in PYTHONHASHSEED=7 PYTHONOPTIMIZE=1 PYTHONWARNINGS=ignore::DeprecationWarning PYTHONDEVMODE=1 PYTHONTRACEMALLOC=3 \
    PYTHONPYCACHEPREFIX=/tmp/cache PYTHONPATH=/srv/modules PYTHONUTF8=1 PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE= \
    PYTHONINTMAXSTRDIGITS=5000 PYTHONIOENCODING=latin-1 PYTHONMALLOC=malloc; do
  env -i PYTHONDONTWRITEBYTECODE=1 LANG=C.UTF-8 "$pair" /usr/bin/python3 look.py > bare 2> /dev/null
  progtc-run --python /usr/bin/python3 --env "$pair" look.py > boxed 2> /dev/null
  diff bare boxed || echo "$pair differs"
done
for hook in 0 os.getpid; do
  env -i PYTHONBREAKPOINT=$hook /usr/bin/python3 -c 'print(breakpoint() is None)' > bare
  progtc-run --env PYTHONBREAKPOINT=$hook -c 'print(breakpoint() is None)' > boxed
  diff bare boxed || echo "PYTHONBREAKPOINT=$hook differs"
done
echo alike
