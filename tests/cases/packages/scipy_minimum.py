# needs: root
# needs: module scipy
# run: progtc-run --policy ci FILE && progtc-run --policy standard FILE && progtc-run --policy data FILE
# status: 0
# stdout: 2.0
# stdout: 2.0
# stdout: 2.0
# stderr: nothing
from scipy import optimize
print(round(float(optimize.minimize_scalar(lambda x: (x - 2) ** 2).x), 6))
