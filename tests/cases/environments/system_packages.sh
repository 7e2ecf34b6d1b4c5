# why: include-system-site-packages decides whether the system's packages are there, under every policy
# needs: root
# needs: module numpy
# status: 0
# stdout: hidden
# stdout: hidden
# stdout: numpy
# stdout: numpy
# stderr: nothing
/usr/bin/python3 -m venv --without-pip alone
/usr/bin/python3 -m venv --without-pip --system-site-packages beside
cat > look.py <<'END'
try:
    import numpy
    print(numpy.__name__)
except ImportError:
    print("hidden")
END
progtc-run --venv alone look.py
progtc-run --policy standard --venv alone look.py
progtc-run --venv beside look.py
progtc-run --policy standard --venv beside look.py
