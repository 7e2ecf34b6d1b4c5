# needs: root
# needs: module mimetypes
# run: progtc-run --policy ci FILE && progtc-run --policy standard FILE && progtc-run --policy data FILE
# status: 0
# stdout: application/vnd.openxmlformats-officedocument.wordprocessingml.document
# stdout: application/vnd.openxmlformats-officedocument.wordprocessingml.document
# stdout: application/vnd.openxmlformats-officedocument.wordprocessingml.document
# stderr: nothing
import mimetypes
print(mimetypes.guess_type("letter.docx")[0])
