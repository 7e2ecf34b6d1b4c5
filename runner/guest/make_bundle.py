#!/usr/bin/env python3
"""Puts the guest into one file that a start reads at once, instead of a search and a file for each module.

    make_bundle.py GUEST_DIR

GUEST_DIR holds boot.py, the extension `_progtc` and the package `progtc_guest`. Written beside them: `bundle-TAG`, TAG
being the cache tag of the interpreter that runs this ("cpython-311"). It is the marshalled pair of boot.py's code and of
a list of (name, file, is_package, code), each module behind those it imports. Another interpreter finds no bundle of
its tag, and takes the sources.
"""
import importlib.machinery
import marshal
import pathlib
import sys

PACKAGE = "progtc_guest"
INSIDE = "/.progtc/"  # where a sandbox sees GUEST_DIR


def modules_in_order(guest_dir):
    """Imports the package and returns its modules in the order in which they were complete."""
    order = []

    class Loader(importlib.machinery.SourceFileLoader):
        def exec_module(self, module):
            super().exec_module(module)
            order.append(module)

    details = [(importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
               (Loader, importlib.machinery.SOURCE_SUFFIXES)]
    sys.path_hooks.insert(0, importlib.machinery.FileFinder.path_hook(*details))
    sys.path.insert(0, str(guest_dir))
    __import__(PACKAGE + ".runtime")
    return [module for module in order if module.__name__.partition(".")[0] == PACKAGE]


def code_of(path, guest_dir):
    """Returns the file's name inside and its code."""
    file = INSIDE + str(path.relative_to(guest_dir))
    return file, compile(path.read_bytes(), file, "exec", dont_inherit=True, optimize=0)


def main():
    guest_dir = pathlib.Path(sys.argv[1]).resolve()
    sys.dont_write_bytecode = True
    modules = []
    for module in modules_in_order(guest_dir):
        file, code = code_of(pathlib.Path(module.__file__), guest_dir)
        modules.append((module.__name__, file, hasattr(module, "__path__"), code))
    boot = code_of(guest_dir / "boot.py", guest_dir)[1]
    (guest_dir / f"bundle-{sys.implementation.cache_tag}").write_bytes(marshal.dumps((boot, modules)))


if __name__ == "__main__":
    main()
