"""What the interpreter executes first: it becomes a template, or the worker of one run (runner/template.cc).

A worker is confined before the rest of the guest is loaded, so that the host checks its controls meanwhile.
"""
import _imp
import sys

from _frozen_importlib import ModuleSpec

HERE = "/.progtc"


def start(role, rest, modules):
    """`role` is "serve" for a template, "confine" for a worker; `rest` holds directories ("p:…") and modules ("m:…") to
    import: before any sandbox is cloned, or, in a worker, when everything is confined. `modules` come from the bundle;
    None where there is none for this interpreter. Returns the runtime's main function."""
    if sys.path[0] == "":  # the working directory
        del sys.path[0]
    helper = _imp.create_dynamic(ModuleSpec("_progtc", None, origin=HERE + "/_progtc.abi3.so"))
    if role == "confine":
        helper.confine()
    runtime = load(modules) if modules else find()
    if role == "serve":
        runtime.precede_preload()
    if rest:
        sys.path += [word[2:] for word in rest if word[:2] == "p:"]
        for word in rest:
            if word[:2] == "m:":
                __import__(word[2:])
    if role == "serve":
        runtime.warm()
    # Nothing of what is here by now is ever garbage: the collections that the code causes, and the two when the
    # interpreter finalizes, need not look at it, nor write to pages that a template shares.
    import gc
    gc.freeze()
    if role == "serve":
        helper.serve()
        runtime.rehearse()
    return runtime.main


def load(modules):
    """Makes the guest's modules without the search that `import` is; each comes behind those it imports."""
    new_module = type(sys)
    for name, origin, is_package, code in modules:
        spec = ModuleSpec(name, None, origin=origin, is_package=is_package)
        module = sys.modules[name] = new_module(name)
        module.__dict__.update(__spec__=spec, __file__=origin, __package__=spec.parent)
        if is_package:
            package, module.__path__ = module, [origin.rpartition("/")[0]]
        else:
            setattr(package, name.rpartition(".")[2], module)
        exec(code, module.__dict__)
    return package.runtime


def find():
    sys.path.insert(0, HERE)
    from progtc_guest import runtime
    del sys.path[0]
    return runtime
