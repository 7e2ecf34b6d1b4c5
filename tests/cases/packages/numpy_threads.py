# needs: root
# why: large enough that OpenBLAS uses its threads.
# needs: module numpy
# run: progtc-run --policy ci FILE && progtc-run --policy standard FILE && progtc-run --policy data FILE
# status: 0
# stdout: 400.0
# stdout: 400.0
# stdout: 400.0
# stderr: nothing
import numpy as np
a = np.ones((400, 400))
print(np.linalg.norm(a @ np.eye(400)))
