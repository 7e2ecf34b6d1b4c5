# needs: root
# needs: module sklearn
# run: progtc-run --policy ci FILE && progtc-run --policy standard FILE && progtc-run --policy data FILE
# status: 0
# stdout: [4.0]
# stdout: [4.0]
# stdout: [4.0]
# stderr: nothing
from sklearn.linear_model import LinearRegression
print(LinearRegression().fit([[1], [2], [3]], [1, 2, 3]).predict([[4]]).round(6).tolist())
