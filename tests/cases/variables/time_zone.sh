# why: TZ counts for the code, not for its children alone
# status: 0
# stdout: JST JST
# stdout: EST5EDT
# stderr: nothing
progtc-run --env TZ=Asia/Tokyo -c 'import time; print(time.tzname[0], time.strftime("%Z"))'
echo '{"extends": "strict", "env": {"set": {"TZ": "America/New_York"}, "reason": "reports"}}' > policy.json
progtc-run --policy ./policy.json -c 'import time; print(time.tzname[0] + "5" + time.tzname[1])'
