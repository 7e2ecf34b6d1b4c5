# needs: root
# needs: module openpyxl
# run: progtc-run --policy ci FILE && progtc-run --policy standard FILE && progtc-run --policy data FILE
# status: 0
# stdout: 42
# stdout: 42
# stdout: 42
# stderr: nothing
import openpyxl
book = openpyxl.Workbook()
book.active["A1"] = 42
book.save("/tmp/book.xlsx")
print(openpyxl.load_workbook("/tmp/book.xlsx").active["A1"].value)
