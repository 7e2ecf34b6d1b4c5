# why: the line that progtc-run prints for an installed package is enough, alone
# needs: root
# needs: module numpy
# status: 0
# stdout: numpy
# stderr has: "python": {"site": "system", "reason": "…"}
progtc-run --python /usr/bin/python3 -c 'import numpy'
echo '{"extends": "strict", "python": {"site": "system", "reason": "the printed line"}}' > policy.json
progtc-run --policy ./policy.json --python /usr/bin/python3 -c 'import numpy; print(numpy.__name__)'
