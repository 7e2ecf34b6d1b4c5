# why: what is remembered of an interpreter says nothing of directories that can appear
# needs: root
# status: 0
# stdout: first run
# stdout: 7
# stderr: nothing
export XDG_CACHE_HOME=$PWD/cache HOME=$PWD/home
mkdir home
progtc-run --policy standard --python /usr/bin/python3 -c 'print("first run")'
site=$(HOME=$PWD/home /usr/bin/python3 -c 'import site; print(site.getusersitepackages())')
mkdir -p "$site"
echo 'N = 7' > "$site/mine.py"
progtc-run --policy standard --python /usr/bin/python3 -c 'import mine; print(mine.N)'
