#!/usr/bin/env python3
"""Holds the tree to what no compiler checks: the direction of includes, #pragma once, and links between documents.

    check_tree.py ROOT    prints one line a fault, "file:line: what is wrong"; exit status 1 if there is one
"""

import pathlib
import re
import sys

# policy <- runner <- bridge <- cli, python. CMake accepts cycles of static libraries, so the link lines alone do not
# hold this. The longest matching folder decides; a folder that is not listed may not hold C or C++ at all.
MAY_INCLUDE = {
    "policy": {"policy"},
    "runner": {"runner", "policy"},
    "runner/sys": {"runner/sys", "policy"},  # thin wrappers: they know no supervisor
    "runner/child": {"runner/child", "runner/sys", "runner/guest/control.h", "runner/guest/parts.h"},  # the last two are plain C
    "bridge": {"bridge", "runner", "policy"},
    "cli": {"cli", "bridge", "runner", "policy"},
    "python": {"python", "bridge", "runner", "policy"},
    "bench": {"bench", "cli", "bridge", "runner", "policy"},
    "tests": {"tests", "cli", "python", "bridge", "runner", "policy"},
    "examples": set(),
}

# Code between clone and execve may not allocate: libc and the kernel's headers (*.h), and C++ ones without a heap.
CHILD_CXX_HEADERS = {
    "algorithm", "array", "bit", "cerrno", "cinttypes", "climits", "concepts", "csignal", "cstddef", "cstdint",
    "cstdlib", "cstring", "initializer_list", "iterator", "limits", "span", "string_view", "type_traits", "utility",
}

# policy/ opens no file, reads no clock and forks nothing, so its tests run anywhere.
IMPURE_HEADERS = {
    "filesystem", "fstream", "future", "mutex", "thread", "spawn.h", "sys/stat.h", "sys/wait.h", "time.h", "ctime",
    "unistd.h",
}

SKIPPED_FOLDERS = {".git", "build"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# [text](target) and ![text](target "title"); [text]: target
LINK = re.compile(r'\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|^\[[^\]]+\]:\s*(\S+)')
OUTSIDE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)


# What stands outside a rule, and why.
EXCEPTIONS = {
    ("policy/embed_filters.cc", "fstream"): "a program of the build, not of the library",
    ("policy/seccomp_program.cc", "unistd.h"): "libseccomp 2.5 exports a filter to a descriptor only: a memfd, read back",
    ("policy/syscall_groups.cc", "sys/stat.h"): "the names of mode bits",
}


def files(root, *suffixes):
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if path.suffix in suffixes and path.is_file() and not SKIPPED_FOLDERS & set(inside.parts[:-1]):
            yield path, inside


def folder_rule(inside):
    """The longest listed folder that holds `inside`, or None."""
    for parent in inside.parents:
        if str(parent) in MAY_INCLUDE:
            return str(parent)
    return None


def is_within(path, places):
    return any(path == place or path.startswith(place + "/") for place in places)


def include_fault(rule, quote, name):
    """What is wrong with `rule`'s folder including `name`, or None."""
    if quote == '"':
        if not is_within(name, MAY_INCLUDE):
            return f'"{name}": a quoted include starts with a folder of this tree'
        if not is_within(name, MAY_INCLUDE[rule]):
            return f'{rule}/ may not include "{name}"; only {", ".join(sorted(MAY_INCLUDE[rule])) or "nothing of ours"}'
        return None
    if is_within(name, MAY_INCLUDE):
        return f"<{name}>: our own headers are included in quotes"
    if rule == "runner/child" and not name.endswith(".h") and name not in CHILD_CXX_HEADERS:
        return f"{rule}/ may not include <{name}>: nothing there may allocate"
    if rule == "policy" and (name in IMPURE_HEADERS or name.startswith("boost/asio")):
        return f"{rule}/ may not include <{name}>: it opens no file, reads no clock, forks nothing"
    return None


def check_includes(root):
    for path, inside in files(root, ".h", ".cc", ".c"):
        rule = folder_rule(inside)
        if rule is None:
            yield f"{inside}:1: {inside.parent}/ has no line in MAY_INCLUDE of tests/house/check_tree.py"
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if found := INCLUDE.match(line):
                if (str(inside), found.groups()[-1]) in EXCEPTIONS:
                    continue
                if fault := include_fault(rule, *found.groups()):
                    yield f"{inside}:{number}: {fault}"


def check_headers(root):
    for path, inside in files(root, ".h"):
        if not re.match(r"#pragma once\b", path.read_text(encoding="utf-8")):
            yield f"{inside}:1: a header's first line is #pragma once"


def anchors(text):
    """The fragment names that a Markdown page's headings get, as GitHub makes them."""
    names = set()
    for _, line in prose(text):
        if found := re.match(r"#{1,6}\s+(.*?)\s*#*$", line):
            heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", found[1])
            slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            name, repeat = slug, 0
            while name in names:
                repeat += 1
                name = f"{slug}-{repeat}"
            names.add(name)
    return names


def prose(text):
    """The numbered lines outside fenced code."""
    is_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif not is_code:
            yield number, line


def check_links(root):
    for path, inside in files(root, ".md"):
        text = path.read_text(encoding="utf-8")
        for number, line in prose(text):
            for found in LINK.finditer(re.sub(r"`[^`]*`", "", line)):
                target = found[1] or found[2]
                if OUTSIDE.match(target):
                    continue
                name, _, fragment = target.partition("#")
                page = (path.parent / name) if name else path
                if not page.exists():
                    yield f"{inside}:{number}: the link to {target} leads nowhere"
                elif fragment and page.suffix == ".md" and fragment not in anchors(page.read_text(encoding="utf-8")):
                    yield f"{inside}:{number}: {name or inside} has no heading for #{fragment}"


def check(root):
    return [*check_includes(root), *check_headers(root), *check_links(root)]


def main():
    root = pathlib.Path(sys.argv[1])
    if not (root / "policy").is_dir():
        sys.exit(f"check_tree.py: {root} is not the root of the tree")
    faults = check(root)
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
