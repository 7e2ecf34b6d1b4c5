#!/usr/bin/env python3
"""Runs the commands of the documents as a reader would type them: commands_test.py BIN_DIR ROOT DOCUMENT…

A document is Markdown. Its blocks run in order, in one empty directory that is the home directory as well:

    ```sh              each block is a shell script that has to end with 0
    ```console         lines behind "$ " are commands, which go on behind "> "; the other lines are what they print, where
                       "…" stands for any text
    ```python …        any other block whose first line is a comment with a file's name, "# tools/factor.yaml", is written
                       to that file

A comment in front of a block changes that: <!-- exit status: 124 --> for a block that has to fail, <!-- not run: reason -->
for one that cannot run everywhere. A document without a block that runs is an error: its test could not fail.
Exit status 77: no sandbox on this machine.
"""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

SETUP_FAILED = 125
SKIPPED = 77
PORT_OF_THE_DOCUMENTS = 8000

_BLOCK = re.compile(r"((?:<!--[^\n]*-->\n)*)```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^(?:#|//) ((?:[\w.-]+/)*[\w-]+\.\w+)$")


class Block:
    def __init__(self, document, match):
        before, self.language, self.text = match.groups()
        line = document.text.count("\n", 0, match.start(2)) + 1
        self.place = f"{document.name}:{line}"
        statuses = re.findall(r"<!-- exit status: (\d+) -->", before)
        self.status = int(statuses[0]) if statuses else 0
        self.why_not_run = re.findall(r"<!-- not run: (.+?) -->", before)
        named = _FILE.match(self.text.partition("\n")[0])
        self.file = named.group(1) if named and self.language not in ("sh", "console") else None


class Document:
    def __init__(self, root, name):
        self.name = name
        self.text = (root / name).read_text()
        self.blocks = [Block(self, match) for match in _BLOCK.finditer(self.text)]


class Reader:
    """Types what a document says into a shell, in a directory of its own."""

    def __init__(self, bin_dir, folder):
        self.folder = pathlib.Path(folder)
        self.environment = {"PATH": f"{bin_dir}:/usr/bin:/bin", "HOME": folder, "LANG": "C.UTF-8"}
        for name in ("PROGTC_REQUIRE_SANDBOX",):
            if name in os.environ:
                self.environment[name] = os.environ[name]
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port = free.getsockname()[1]
        self._sessions = []

    def run(self, script):
        """Returns exit status and output, of stdout and stderr as a terminal shows them."""
        script = script.replace(f":{PORT_OF_THE_DOCUMENTS}", f":{self.port}")
        script = script.replace(f"--port {PORT_OF_THE_DOCUMENTS}", f"--port {self.port}")
        with tempfile.TemporaryFile() as output:  # a pipe would stay open as long as a daemon in the background runs
            shell = subprocess.Popen(["bash", "-euo", "pipefail", "-c", script], cwd=self.folder, env=self.environment,
                                     stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                     start_new_session=True)
            self._sessions.append(shell.pid)
            status = shell.wait(timeout=300)
            output.seek(0)
            return status, output.read().decode("utf-8", "replace").replace(f":{self.port}", f":{PORT_OF_THE_DOCUMENTS}")

    def write(self, block):
        path = self.folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)

    def close(self):
        for session in self._sessions:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(session, signal.SIGTERM)


def transcript(text):
    """The commands of a console block, each with what it prints."""
    steps = []
    for line in text.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        elif line.startswith("> ") and steps and not steps[-1][1]:
            steps[-1] = (f"{steps[-1][0]}\n{line[2:]}", [])
        elif steps:
            steps[-1][1].append(line)
        else:
            raise ValueError(f"a console block begins with a command, not with {line!r}")
    return [(command, "\n".join(lines)) for command, lines in steps]


def is_like(printed, shown):
    """Whether `printed` is what `shown` says, where each "…" stands for any text."""
    pattern = ".*?".join(re.escape(part) for part in shown.strip().split("…"))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


class DocumentsTest(unittest.TestCase):
    maxDiff = None
    bin_dir = root = None

    def check(self, name):
        document = Document(self.root, name)
        with tempfile.TemporaryDirectory() as folder:
            reader = Reader(self.bin_dir, folder)
            try:
                ran = sum([self.follow(reader, block) for block in document.blocks])
            finally:
                reader.close()
        self.assertGreater(ran, 0, f"{name}: no block of it runs")

    def follow(self, reader, block):
        """Returns the number of commands that ran."""
        if block.why_not_run:
            return 0
        if block.file:
            reader.write(block)
        if block.language == "sh":
            status, output = reader.run(block.text)
            self.assertEqual(status, block.status, f"{block.place}: {output}")
            return 1
        if block.language != "console":
            return 0
        steps = transcript(block.text)
        for command, shown in steps:
            status, output = reader.run(command)
            self.assertTrue(is_like(output, shown), f"{block.place}: $ {command}\nprinted:\n{output}\nshown:\n{shown}")
        return len(steps)


def main():
    DocumentsTest.bin_dir, DocumentsTest.root = (pathlib.Path(word).absolute() for word in sys.argv[1:3])
    first = subprocess.run([DocumentsTest.bin_dir / "progtc-run", "-c", "pass"], capture_output=True, text=True)
    if first.returncode == SETUP_FAILED and os.environ.get("PROGTC_REQUIRE_SANDBOX") != "1":
        print(f"skipped: no sandbox on this machine: {first.stderr.strip()}")
        return SKIPPED
    for name in sys.argv[3:]:
        label = "test_" + re.sub(r"\W", "_", name)
        setattr(DocumentsTest, label, lambda self, name=name: self.check(name))
    return unittest.main(argv=sys.argv[:1])


if __name__ == "__main__":
    sys.exit(main())
