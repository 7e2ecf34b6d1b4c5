#!/usr/bin/env python3
"""Each rule of check_tree.py gets a tree that breaks it and one that keeps it: a blind checker passes everything."""

import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True  # the source tree stays as it was
import check_tree


class CheckTreeTest(unittest.TestCase):
    def faults(self, files):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in files.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return check_tree.check(root)

    def source(self, name, line):
        return self.faults({name: f"{line}\n"})

    def test_includes_downwards_are_fine(self):
        for name, included in [
            ("policy/a.cc", "policy/b.h"),
            ("runner/a.cc", "policy/b.h"),
            ("runner/a.cc", "runner/child/b.h"),
            ("runner/sys/a.cc", "policy/result.h"),
            ("runner/child/a.cc", "runner/sys/b.h"),
            ("runner/child/a.cc", "runner/guest/control.h"),
            ("bridge/tools/a.cc", "runner/b.h"),
            ("cli/a.cc", "bridge/b.h"),
            ("python/a.cc", "bridge/b.h"),
            ("bench/a.cc", "bridge/b.h"),
            ("tests/policy/a.cc", "cli/b.h"),
        ]:
            self.assertEqual(self.source(name, f'#include "{included}"'), [], name)

    def test_includes_upwards_are_named(self):
        for name, included in [
            ("policy/a.cc", "runner/b.h"),
            ("runner/a.cc", "bridge/b.h"),
            ("runner/sys/a.cc", "runner/template.h"),
            ("runner/child/a.cc", "policy/result.h"),
            ("runner/child/a.cc", "runner/outcome.h"),
            ("runner/child/a.cc", "runner/guest/other.h"),
            ("bridge/tools/a.cc", "cli/b.h"),
            ("cli/a.cc", "python/b.h"),
            ("python/a.cc", "cli/b.h"),
            ("bench/a.cc", "tests/b.h"),
        ]:
            faults = self.source(name, f'#include "{included}"')
            self.assertEqual(len(faults), 1, name)
            self.assertIn(f'may not include "{included}"', faults[0])

    def test_message_names_file_line_and_what_is_allowed(self):
        self.assertEqual(
            self.faults({"runner/a.cc": '\n#include <vector>\n  #  include "cli/b.h"\n'}),
            ['runner/a.cc:3: runner/ may not include "cli/b.h"; only policy, runner'],
        )

    def test_quotes_are_for_our_own_headers(self):
        self.assertIn("starts with a folder of this tree", self.source("policy/a.cc", '#include "b.h"')[0])
        self.assertIn("included in quotes", self.source("policy/a.cc", "#include <policy/b.h>")[0])
        self.assertEqual(self.source("policy/a.cc", "#include <boost/system/result.hpp>"), [])

    def test_child_includes_nothing_that_allocates(self):
        self.assertIn("may allocate", self.source("runner/child/a.cc", "#include <string>")[0])
        self.assertIn("may allocate", self.source("runner/child/a.cc", "#include <chrono>")[0])
        for header in ("span", "cerrno", "sys/mount.h", "linux/seccomp.h"):
            self.assertEqual(self.source("runner/child/a.cc", f"#include <{header}>"), [], header)

    def test_policy_includes_nothing_impure(self):
        for header in ("fstream", "unistd.h", "boost/asio.hpp", "boost/asio/awaitable.hpp"):
            self.assertIn("opens no file", self.source("policy/a.cc", f"#include <{header}>")[0], header)
            self.assertEqual(self.source("runner/a.cc", f"#include <{header}>"), [], header)

    def test_new_folder_must_be_placed_in_the_order(self):
        self.assertIn("no line in MAY_INCLUDE", self.source("util/a.cc", "int x;")[0])
        self.assertIn("no line in MAY_INCLUDE", self.source("a.cc", "int x;")[0])
        self.assertEqual(self.source("build/dev/a.cc", "int x;"), [])

    def test_header_starts_with_pragma_once(self):
        self.assertEqual(self.faults({"policy/a.h": "#pragma once  // policy/a.h\n"}), [])
        self.assertEqual(
            self.faults({"policy/a.h": "// text\n#pragma once\n"}),
            ["policy/a.h:1: a header's first line is #pragma once"],
        )

    def test_links_lead_somewhere(self):
        good = "# Top\n[a](docs/b.md) [b](docs/b.md#the-end-of-it) [c](#top) [d](https://example.org/x) [e](docs)\n"
        page = {"docs/b.md": "## The `end` of it\n"}
        self.assertEqual(self.faults({"README.md": good, **page}), [])
        self.assertEqual(
            self.faults({"README.md": "\n[a](docs/c.md)\n", **page}),
            ["README.md:2: the link to docs/c.md leads nowhere"],
        )
        self.assertEqual(
            self.faults({"README.md": "[a](docs/b.md#start)\n", **page}),
            ["README.md:1: docs/b.md has no heading for #start"],
        )
        self.assertEqual(self.faults({"README.md": "```\n[a](nowhere)\n```\nand `[b](nowhere)`\n", **page}), [])


if __name__ == "__main__":
    unittest.main()
