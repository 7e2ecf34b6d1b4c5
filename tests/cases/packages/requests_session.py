# needs: root
# why: nothing outside can be reached; the library itself works.
# needs: module requests
# run: progtc-run --policy ci FILE && progtc-run --policy standard FILE && progtc-run --policy data FILE
# status: 0
# stdout: ConnectionError
# stdout: ConnectionError
# stdout: ConnectionError
# stderr: nothing
import requests
try:
    requests.get("http://192.0.2.1/", timeout=1)
except requests.exceptions.ConnectionError as error:
    print(type(error).__name__)
