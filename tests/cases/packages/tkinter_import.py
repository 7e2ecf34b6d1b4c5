# needs: root
# needs: module tkinter
# run: progtc-run --policy ci FILE && progtc-run --policy standard FILE && progtc-run --policy data FILE
# status: 0
# stdout: 8.6
# stdout: 8.6
# stdout: 8.6
# stderr: nothing
import tkinter
print(tkinter.TkVersion)
