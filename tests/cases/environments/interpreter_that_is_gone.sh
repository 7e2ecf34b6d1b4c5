# why: the Python that made the environment was removed
# status: 125
# stdout: nothing
# stderr has: was the Python that made it removed?
/usr/bin/python3 -m venv --without-pip env
ln -sf /no/such/python3 env/bin/python
progtc-run --venv env -c 'print(1)'
