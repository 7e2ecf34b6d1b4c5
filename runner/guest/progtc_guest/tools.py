"""What user code sees of the host: the global `tools` (synchronous) and the module `tools` (asynchronous).

    tools.fetch(url="…")          from tools import fetch
    tools.git.log(limit=3)        await fetch(url="…")

Both exist in every run. A name with a dot is a recipe of a tool or a tool of a server: `tools.git.log` calls "git.log".
"""
import sys

from .errors import ToolArgumentError, ToolError

__builtins__ = __builtins__.copy()

_Module = type(sys)


class Catalogue:
    """The tools of one run: their names, if it has a tool host at all, and the way to call them."""

    def __init__(self, channel, tools):
        self._channel = channel
        self.has_host = tools is not None
        # The host sends names; entries that say more ({"name", "description", "params"}) are understood, too.
        self.entries = [_entry(tool) for tool in tools or ()]
        self.names = [entry["name"] for entry in self.entries]

    def call(self, tool, args, kwargs):
        self._require_host(tool)
        return self._channel.call(tool, args, kwargs)

    async def call_async(self, tool, args, kwargs):
        self._require_host(tool)
        return await self._channel.call_async(tool, args, kwargs)

    def search(self, query, limit):
        """Entries by how well they match: the name equal, the name containing, the description containing `query`."""
        query = query.lower()
        ranked = []
        for index, entry in enumerate(self.entries):
            name = entry["name"].lower()
            score = 100 if name == query else 50 if query in name else 0
            if query in entry["description"].lower():
                score += 25
            if score:
                ranked.append((-score, index, entry))
        return [entry for _, _, entry in sorted(ranked)[:limit]]

    def _require_host(self, tool):
        if not self.has_host:
            raise ToolError(f"tools.{tool}: this run has no tools")


class Tools:
    """The global `tools`. Attribute access never fails (except for names with a leading underscore): whether a tool
    exists is for the host to say when it is called. Tools named `call`, `list` or `search` are reached by `call`."""

    def __init__(self, catalogue):
        self._catalogue = catalogue

    def __getattr__(self, name):
        if name[:1] == "_":
            raise AttributeError(name)
        return _Tool(self._catalogue, name)

    def __dir__(self):
        return ["call", "list", "search"] + self._catalogue.names

    def __repr__(self):
        return "<Tools: " + ", ".join(self._catalogue.names) + ">"

    def call(self, name, args=None):
        """Calls the tool `name` with the keyword arguments in the dict `args`."""
        return self._catalogue.call(name, [], {} if args is None else args)

    def list(self):
        """Returns a dict for each tool: name, description, params ({parameter: description or type})."""
        return [entry.copy() for entry in self._catalogue.entries]

    def search(self, query, limit=10):
        """Returns the tools that match, best first, as `list` does."""
        return [entry.copy() for entry in self._catalogue.search(query, limit)]


class _Tool:
    __slots__ = ("_catalogue", "_name")

    def __init__(self, catalogue, name):
        self._catalogue = catalogue
        self._name = name

    def __call__(self, /, *args, **kwargs):
        return self._catalogue.call(self._name, args, kwargs)

    def __getattr__(self, name):
        if name[:1] == "_":
            raise AttributeError(name)
        return _Tool(self._catalogue, self._name + "." + name)

    def __repr__(self):
        return f"<Tool: {self._name}>"


class ToolsModule(_Module):
    """The module `tools`: an async function for each name the job lists, and ToolError."""

    def __init__(self, name="tools"):
        super().__init__(name, "The tools of this run, as async functions.")

    def fill(self, catalogue):
        """Makes it the module of `catalogue`'s tools; called once, by the import."""
        async def call(name, args=None):
            """Calls the tool `name` with the keyword arguments in the dict `args`."""
            return await catalogue.call_async(name, [], {} if args is None else args)

        here = self.__dict__
        here.update(ToolError=ToolError, ToolArgumentError=ToolArgumentError, call=call)
        for name in sorted(catalogue.names):  # "git" comes before "git.log"
            head, *rest = name.split(".")
            if not rest:
                here[head] = _async_tool(catalogue, name)
                continue
            owner = here.get(head)
            if owner is None or owner is call:
                owner = here[head] = _Server(head)
            for index, part in enumerate(rest, 2):
                is_last = index == len(rest) + 1
                if is_last or not hasattr(owner, part):
                    child = _async_tool(catalogue, name) if is_last else _Server(".".join(name.split(".")[:index]))
                    setattr(owner, part, child)
                owner = getattr(owner, part)
        here["__all__"] = sorted({name.split(".")[0] for name in catalogue.names} | {"ToolError"})
        here["_available"] = ", ".join(catalogue.names) or "none"

    def __getattr__(self, name):
        if name[:2] == "__" or not _is_from_import(sys._getframe(1)):
            raise AttributeError(f"module 'tools' has no attribute {name!r}")
        message = f"cannot import name {name!r} from 'tools' (available: {self._available})"
        raise ImportError(message, name="tools")


class _Server:
    """Holds async functions by name: a server that is not itself a tool."""

    def __init__(self, name):
        self._name = name

    def __repr__(self):
        return f"<tools of {self._name}>"


def _entry(tool):
    if isinstance(tool, str):
        tool = {"name": tool}
    return {"name": tool["name"], "description": tool.get("description") or "", "params": tool.get("params") or {}}


def _async_tool(catalogue, name):
    async def tool(*args, **kwargs):
        return await catalogue.call_async(name, args, kwargs)

    tool.__name__ = name.rpartition(".")[2]
    tool.__qualname__ = name
    tool.__module__ = "tools"
    return tool


def _is_from_import(frame):
    """Whether `frame` executes `from … import`: that deserves an ImportError with a list, `hasattr` does not."""
    from opcode import opmap
    return frame.f_code.co_code[frame.f_lasti] == opmap["IMPORT_FROM"]
