# needs: root
# needs: module pandas
# needs: module openpyxl
# run: progtc-run --policy ci FILE && progtc-run --policy standard FILE && progtc-run --policy data FILE
# status: 0
# stdout: [1, 2]
# stdout: [1, 2]
# stdout: [1, 2]
# stderr: nothing
import pandas as pd
pd.DataFrame({"n": [1, 2]}).to_excel("/tmp/book.xlsx", index=False)
print(pd.read_excel("/tmp/book.xlsx").n.tolist())
