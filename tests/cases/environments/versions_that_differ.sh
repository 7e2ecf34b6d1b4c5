# why: a virtual environment that the interpreter cannot use is refused with both versions
# status: 125
# stdout: nothing
# stderr has: made by Python 3.99, the interpreter '/usr/bin/python3' is 3.
/usr/bin/python3 -m venv --without-pip env
sed -i 's/^version = .*/version = 3.99.1/' env/pyvenv.cfg
progtc-run --python /usr/bin/python3 --venv env -c 'print(1)'
