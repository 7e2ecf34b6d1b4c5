# needs: root
# needs: module pandas
# run: progtc-run --policy ci FILE && progtc-run --policy standard FILE && progtc-run --policy data FILE
# status: 0
# stdout: a=3 b=3
# stdout: a=3 b=3
# stdout: a=3 b=3
# stderr: nothing
import io
import pandas as pd
table = pd.read_csv(io.StringIO("k,v\na,1\nb,3\na,2\n"))
print(" ".join(f"{k}={v}" for k, v in table.groupby("k").v.sum().items()))
