# needs: root
# needs: module numpy
# run: progtc-run --policy ci FILE && progtc-run --policy standard FILE && progtc-run --policy data FILE
# status: 0
# stdout: (3,) 285.0
# stdout: (3,) 285.0
# stdout: (3,) 285.0
# stderr: nothing
import numpy as np
a = np.arange(10.0)
print(np.ones(3).shape, a @ a)
