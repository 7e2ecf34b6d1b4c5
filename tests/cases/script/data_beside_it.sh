# why: pathlib.Path(__file__).parent is where the caller shows the script's directory
# status: 0
# stdout: text
# stderr: nothing
mkdir sub
echo text > sub/note.txt
echo 'import pathlib; print((pathlib.Path(__file__).parent / "note.txt").read_text().strip())' > sub/app.py
progtc-run --ro sub sub/app.py
