# why: the example of docs/policy.md for a reproducible output
# status: 0
# stdout: the same
# stderr: nothing
echo '{"extends": "strict", "env": {"set": {"PYTHONHASHSEED": "0"}, "reason": "reproducible"}}' > policy.json
first=$(progtc-run --policy ./policy.json -c 'print(hash("word"))')
second=$(progtc-run --policy ./policy.json -c 'print(hash("word"))')
[ -n "$first" ] && [ "$first" = "$second" ] && echo the same
