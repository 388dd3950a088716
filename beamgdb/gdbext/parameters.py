"""The settings of beamgdb, which users change with `set`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import gdb

from beamgdb.terms.quoting import bare
from beamgdb.terms.source import MAX_DEPTH, Limits
from beamgdb.views.terms import Syntax
from beamgdb.views.typed import brief
from jit.otp.layouts.layout import known

_DEFAULTS = Limits(depth=12, width=50, bytes=200)


class _Setting(gdb.Parameter):
    """A setting that others follow. Subclasses check what is set in `check`, and tell in `get_show_string`."""

    def __init__(self, name: str, category: int, kind: int, value: object, *choices: Sequence[str]) -> None:
        super().__init__(name, category, kind, *choices)
        self.value = value
        self.changed: Callable[[], None] = lambda: None
        """Called when the user has set it."""

    def get_set_string(self) -> str:
        """What GDB prints of a new value: nothing."""
        self.check()
        self.changed()
        return ""

    def check(self) -> None:
        """Make a new value one that can be used; raises `gdb.GdbError`."""


class _Debug(_Setting):
    """Whether errors of beamgdb show a Python traceback."""

    set_doc = "Set whether errors of beamgdb show a Python traceback."
    show_doc = "Show whether errors of beamgdb show a Python traceback."
    __doc__ = "When on, an error inside beamgdb prints where it happened. Off by default."

    def __init__(self) -> None:
        super().__init__("beam-debug", gdb.COMMAND_MAINTENANCE, gdb.PARAM_BOOLEAN, False)


class _Limit(_Setting):
    """How much of a term is shown."""

    def __init__(self, name: str, what: str, default: int, most: int) -> None:
        self.set_doc = f"Set {what} that a term shows at most."
        self.show_doc = f"Show {what} that a term shows at most."
        self.__doc__ = f"What is left out of a term shows as `...`. The default is {default}."
        super().__init__(name, gdb.COMMAND_DATA, gdb.PARAM_ZUINTEGER, default)
        self._most = most

    def check(self) -> None:
        self.value = min(self.limit, self._most)

    @property
    def limit(self) -> int:
        """The number in force."""
        return self.value if isinstance(self.value, int) else self._most

    def get_show_string(self, value: str) -> str:
        return f"At most {value}."


class _TermSyntax(_Setting):
    """How terms are written."""

    set_doc = "Set the syntax in which terms are written: erlang or elixir."
    show_doc = "Show the syntax in which terms are written."
    __doc__ = (
        "As the shells of these languages write them. Structs of Elixir show\n"
        "all of their fields. The default is erlang."
    )

    def __init__(self) -> None:
        super().__init__("beam-syntax", gdb.COMMAND_DATA, gdb.PARAM_ENUM, "erlang", ("erlang", "elixir"))

    def get_show_string(self, value: str) -> str:
        return f"Terms are written as in {value.capitalize()}."


class _ElixirNames(_Setting):
    """How functions of Elixir are named."""

    set_doc = "Set whether functions of Elixir are named as in Elixir."
    show_doc = "Show whether functions of Elixir are named as in Elixir."
    __doc__ = (
        "When on, GDB and beamgdb name functions of Elixir's modules as Elixir does:\n"
        "ShopWeb.Cart.add!/2. When off, all functions are named as in Erlang:\n"
        "'Elixir.ShopWeb.Cart':'add!'/2. On by default. beamgdb's commands take both,\n"
        "GDB's own `break` the names of now."
    )

    def __init__(self) -> None:
        super().__init__("beam-elixir-names", gdb.COMMAND_DATA, gdb.PARAM_BOOLEAN, True)

    def get_show_string(self, value: str) -> str:
        return f"Functions of Elixir are named as in {'Elixir' if self.value else 'Erlang'}."


class _LayoutFrom(_Setting):
    """A beam.smp like the program's."""

    set_doc = "Set a beam.smp with debug information whose build is like the program's."
    show_doc = "Show the beam.smp whose debug information tells where fields lie."
    __doc__ = (
        "Where fields lie in the program's structures is then taken from the debug\n"
        "information of this file, and not from what beamgdb has. Release,\n"
        "architecture, flavour, options and word size must be the program's; in\n"
        "what else they differ is told. A file with which the program's processes\n"
        "make no sense is refused. Without FILE, there is none.\n\n"
        "In place of FILE may stand the version of erts of a built-in table, as\n"
        "15.2.7, of the same release: in a build without one only what is proved on\n"
        "the target is used, and this takes the rest from there. It is refused\n"
        "where something that is proved speaks against it."
    )

    def __init__(self) -> None:
        super().__init__("beam-layout-from", gdb.COMMAND_FILES, gdb.PARAM_OPTIONAL_FILENAME, None)

    def check(self) -> None:
        path = self.path
        if path is not None and not path.is_file() and self.version is None:
            self.value = None
            raise gdb.GdbError(f"beam-layout-from: {bare(str(path))} is no file, and no version of a built-in table")

    @property
    def path(self) -> Path | None:
        """The file, None without one."""
        return Path(str(self.value)).expanduser() if self.value else None

    @property
    def version(self) -> str | None:
        """The version of a built-in table, None where that is not what is set."""
        if self.path is None or self.path.is_file():
            return None
        return str(self.value) if any(key.erts_version == self.value for key in known()) else None

    def get_show_string(self, value: str) -> str:
        what = "built-in table" if self.version is not None else "debug information"
        return f"Fields lie as the {what} of {value} says." if value else "No file is set."


SECTIONS = ("source", "stack", "registers", "code")
"""What `beam-context` can show."""


class _Context(_Setting):
    """Whether the place is shown after each stop."""

    set_doc = "Set whether source, Erlang stack and registers are shown after each stop."
    show_doc = "Show whether source, Erlang stack and registers are shown after each stop."
    __doc__ = (
        "When on, each stop that GDB tells of is followed by what `beam-context`\n"
        "prints. Off by default. To editors, by GDB/MI, nothing is told."
    )

    def __init__(self) -> None:
        super().__init__("beam-context", gdb.COMMAND_STACK, gdb.PARAM_BOOLEAN, False)

    def get_show_string(self, value: str) -> str:
        return f"The place is {'' if self.value else 'not '}shown after each stop."


class _Progress(_Setting):
    """Whether front ends are told how far a command has come."""

    set_doc = "Set whether front ends are told how far a long command has come."
    show_doc = "Show whether front ends are told how far a long command has come."
    __doc__ = (
        "When on, a command that takes longer than two seconds writes lines that\n"
        "begin with `beam-progress: ` to the log of GDB/MI. Off by default."
    )

    def __init__(self) -> None:
        super().__init__("beam-progress", gdb.COMMAND_SUPPORT, gdb.PARAM_BOOLEAN, False)

    def get_show_string(self, value: str) -> str:
        return f"Front ends are {'' if self.value else 'not '}told how far a long command has come."


class _ContextSections(_Setting):
    """Which parts that has."""

    set_doc = "Set the sections that `beam-context` and `set beam-context on` show."
    show_doc = "Show the sections that `beam-context` and `set beam-context on` show."
    __doc__ = (
        f"Some of {', '.join(SECTIONS)}, in the order in which they are\n"
        "wanted; `help beam-context` tells what is in each. The default is\n"
        f"{' '.join(SECTIONS[:3])}."
    )

    def __init__(self) -> None:
        self.sections: Sequence[str] = SECTIONS[:3]
        super().__init__("beam-context-sections", gdb.COMMAND_STACK, gdb.PARAM_STRING_NOESCAPE, " ".join(self.sections))

    def check(self) -> None:
        wanted = tuple(dict.fromkeys(str(self.value).replace(",", " ").split()))
        wrong = [one for one in wanted if one not in SECTIONS]
        if not wrong and wanted:
            self.sections = wanted
        self.value = " ".join(self.sections)
        if wrong or not wanted:
            said = f"{brief(wrong[0])} is no section" if wrong else "a section is wanted"
            raise gdb.GdbError(f"beam-context-sections: {said}: there are {', '.join(SECTIONS)}")

    def get_show_string(self, value: str) -> str:
        return f"The sections are {', '.join(self.sections)}."


class Parameters:
    """All of them. GDB has each as soon as it is made, and only once."""

    def __init__(self) -> None:
        self._debug = _Debug()
        self._syntax = _TermSyntax()
        self._names = _ElixirNames()
        self._layout_from = _LayoutFrom()
        self._depth = _Limit("beam-depth", "the levels of nesting", _DEFAULTS.depth, MAX_DEPTH)
        self._width = _Limit("beam-width", "the elements of each list, tuple or map", _DEFAULTS.width, 1_000_000)
        self._context = _Context()
        self._progress = _Progress()
        self._context_sections = _ContextSections()
        self._bytes = _Limit("beam-bytes", "the bytes of binaries and characters of strings", _DEFAULTS.bytes, 1 << 24)

    @property
    def debugging(self) -> bool:
        """Whether the user wants tracebacks."""
        return bool(self._debug.value)

    @property
    def progress(self) -> bool:
        """Whether front ends are told how far a long command has come."""
        return bool(self._progress.value)

    @property
    def context(self) -> bool:
        """Whether the user wants to see the place after each stop."""
        return bool(self._context.value)

    @property
    def context_sections(self) -> Sequence[str]:
        """What is shown of it."""
        return self._context_sections.sections

    @property
    def syntax(self) -> Syntax:
        """How terms and names of functions are written."""
        return Syntax(self._syntax.value == "elixir", bool(self._names.value))

    @property
    def layout_from(self) -> Path | None:
        """A file with debug information of a build like the program's."""
        return self._layout_from.path

    @property
    def layout_version(self) -> str | None:
        """The version of a built-in table, where that was set in place of a file."""
        return self._layout_from.version

    def forget_layout_from(self) -> None:
        """The file is of no use."""
        self._layout_from.value = None

    def follow_layout_from(self, changed: Callable[[], None]) -> None:
        """Have `changed` called when another file is set."""
        self._layout_from.changed = changed

    def follow_names(self, changed: Callable[[], None]) -> None:
        """Have `changed` called when functions are to be named otherwise."""
        self._names.changed = changed

    @property
    def limits(self) -> Limits:
        """How much of a term is shown."""
        width = self._width.limit
        return Limits(depth=self._depth.limit, width=width, bytes=self._bytes.limit, nodes=max(_DEFAULTS.nodes, width))
