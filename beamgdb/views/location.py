"""Where a breakpoint is wanted, as a user writes it: `M:F/A`, `Module.fun/A` as in Elixir, or `FILE:LINE`, and `if
CONDITION`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Union

from beamgdb.code.loaded import LoadedCode
from beamgdb.code.module import Module
from beamgdb.late import dataclass
from beamgdb.terms import elixir_quoting
from beamgdb.terms.quoting import bare, runtime_atom, unquoted
from beamgdb.views.terms import Syntax
from beamgdb.views.typed import brief, natural
from jit.otp.code import LINE_BITS, MAX_ARG

_ATOM = r"'(?:[^'\\]|\\.)*'|[^\s:'/\"]+"
_FUNCTION = re.compile(rf"(?P<module>{_ATOM}):(?P<function>{_ATOM})/(?P<arity>[0-9]+)")
# (Names of folders may have blanks.)
_LINE = re.compile(r"(?P<file>(?:(?!\sif\s)[^:'\"])+\.\w+):(?P<line>[0-9]+)")
_NO_ARITY = re.compile(rf"(?P<module>{_ATOM}):(?P<function>{_ATOM})")
_ELIXIR = re.compile(
    r"(?P<elixir>:(?:\"(?:[^\"\\]|\\.)*\"|\w[\w@]*)|[A-Z]\w*(?:\.[A-Z]\w*)*)"
    r"\.(?P<function>\"(?:[^\"\\]|\\.)*\"|[^\sA-Z\"][^\s\"]*?)(?:/(?P<arity>[0-9]+))?(?=\s|$)"
)
_CONDITION = re.compile(r"\s+if\b\s*(?P<condition>.*)", re.DOTALL)

SUGGESTIONS = 5

_ERLANG = ".erl"

_ELIXIR_FILES = (".ex", ".exs")

_DEFINITION = re.compile(r"\s*def\w*\b")
"""How a clause, function or module begins there."""

MAX_LINE = (1 << LINE_BITS) - 1
"""What the loader keeps of a line's number."""


class BadLocation(Exception):
    """What was written is no location; the text says why, in one line."""


@dataclass(frozen=True)
class FunctionLocation:
    """A function. `name` is `module:function/arity`, quoted as symbols of Erlang functions are; `module` is quoted too,
    where it needs that."""

    module: str
    name: str

    def __str__(self) -> str:
        return self.name

    def addresses(self, code: LoadedCode) -> list[int]:
        """Where it begins, in each version of its module that is loaded: in native code if it has some."""
        return [entry for module in self.modules(code) for entry in code.entries(module, self.name)]

    def may_be_in(self, module: str) -> bool:
        """Whether it is in a module of this name, which is not quoted."""
        return bare(unquoted(self.module)) == module

    def modules(self, code: LoadedCode) -> Iterator[Module]:
        """Versions of the module that are loaded."""
        return (module for module in code if self.may_be_in(module.name))

    def missing(self, code: LoadedCode, syntax: Syntax) -> str | None:
        """Why there is no such function although its module is loaded, None if there is, or may be."""
        loaded = list(self.modules(code))
        if not loaded or self.addresses(code):
            return None
        names = sorted({one.name for module in loaded for one in module.ranges if one.arity is not None})
        near = [syntax.function(name) for name in get_close_matches(self.name, names, SUGGESTIONS)]
        question = f"; is it {', '.join(near)}?" if near else ""
        return f"the module {syntax.module(self.module)} has no function {syntax.function(self.name)}{question}"


@dataclass(frozen=True)
class LineLocation:
    """A line of a source file, given by its name or the end of its path; or by a whole path, of which code may know
    but the end, for a compiler notes the path that it was given."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def addresses(self, code: LoadedCode) -> list[int]:
        """Where it begins, once for each function that has code of this line, or of the one that `with_code` tells."""
        return self._with_code(code)[1]

    def with_code(self, code: LoadedCode) -> LineLocation:
        """This line if it has code, else the next one that has. Not in another module, which may have the same file or
        one of that name, or say so: in the module that the file is named after, else in the function that is around the
        line. Between two clauses of that Elixir may have others, of another module too: the line must be of the same
        clause, and a source tell so. This one again if there is none."""
        return LineLocation(self.file, self._with_code(code)[0])

    def as_known(self, code: LoadedCode) -> LineLocation:
        """The same by a path as code has it, of which this one may be the whole."""
        return LineLocation(max(self._ends(code), key=len, default=self.file), self.line)

    def _ends(self, code: LoadedCode) -> frozenset[str]:
        """What code calls the file, where that is but the end of the path: the longest one; none where it is not."""
        path = PurePosixPath(self.file)
        if not path.is_absolute():
            return frozenset()
        files = {file for module in code for one in code.lined(module) for _, file, _ in one.lines}
        if any(_is_end(self.file, file) for file in files):
            return frozenset()
        ends = {file: _down(file) for file in files if _is_end(_down(file), self.file)}
        most = max(map(len, ends.values()), default=0)
        return frozenset(file for file, end in ends.items() if len(end) == most)

    def _with_code(self, code: LoadedCode) -> tuple[int, list[int]]:
        found: dict[int, list[int]] = {}
        ends = self._ends(code)
        for module in code:
            is_own = self._is_named_after(module.name)
            for one in code.lined(module):
                lines = [(number, at) for at, file, number in one.lines if self._is_in(file, ends)]
                is_around = bool(lines) and self._is_in(one.lines[0][1], ends) and 0 < one.lines[0][2] <= self.line
                first: dict[int, int] = {}
                for number, at in lines:
                    if number == self.line or (number > self.line and (is_own or is_around)):
                        first.setdefault(number, at)
                nearest = min(first, default=self.line)
                if nearest > self.line and not is_own and not self._is_same_clause(nearest, module, code):
                    continue
                for number, at in first.items():
                    found.setdefault(number, []).append(at)
        number = min(found, default=self.line)
        return number, found.get(number, [])

    def _is_same_clause(self, number: int, module: Module, code: LoadedCode) -> bool:
        """Whether nothing begins after this line, up to a later one of a function that is around it."""
        if PurePosixPath(self.file).suffix not in _ELIXIR_FILES:
            return True
        text = code.text(module.name, self.file)
        if text is None or len(text) < number:
            return False
        return not any(map(_DEFINITION.match, text[self.line : number]))

    def may_be_in(self, module: str) -> bool:
        """Whether it may be in a module of this name. Erlang's modules are named as their files, but include any
        others, and a file of Elixir has any number of modules."""
        return not self.file.endswith(_ERLANG) or self._is_named_after(module)

    def _is_named_after(self, module: str) -> bool:
        """Whether all lines of the file are of a module of this name."""
        file = PurePosixPath(self.file)
        return file.suffix == _ERLANG and file.stem == module

    def moved(self, code: LoadedCode, syntax: Syntax) -> str | None:
        """What is to be said where another line is taken, as one of whichever function; None where it is this one."""
        number, addresses = self._with_code(code)
        if number == self.line:
            return None
        names = {place.code.name: None for place in map(code.find, addresses) if place is not None}
        functions = ", ".join(map(syntax.function, names))
        # Several lines may begin at one place, of which the last one is shown.
        where = code.where(addresses[0])
        return f"no code notes line {self.line}: the next is line {where.line if where else number}, in {functions}"

    def next_line(self, code: LoadedCode) -> tuple[int, str] | None:
        """The next line with code in a file of this name, whatever module that is of, and its function; None without
        one, and of a file that is named after its module."""
        ends = self._ends(code)
        found = () if self.file.endswith(_ERLANG) else (
            (number, one.name)
            for module in code for one in code.lined(module) for _, file, number in one.lines
            if number > self.line and self._is_in(file, ends)
        )  # fmt: skip
        return min(found, default=None)

    def _is_in(self, file: str, ends: frozenset[str]) -> bool:
        return file in ends or _is_end(self.file, file)

    def missing(self, code: LoadedCode, _: Syntax) -> str | None:
        """Why there is no code of this line although the module of its file is known, None if there is, or may be."""
        modules, ends = (module for module in code if self._is_named_after(module.name)), self._ends(code)
        known = any(self._is_in(file, ends) for module in modules for one in module.ranges for _, file, _ in one.lines)
        if not known or self.addresses(code):
            return None
        return f"there is no code of line {self.line} or after it in {self.file}"


BreakpointLocation = Union[FunctionLocation, LineLocation]


def parse(text: str, code: LoadedCode) -> tuple[BreakpointLocation, str]:
    """The location and condition, empty without one. `code` tells the arity of a function written without. What is
    written as in Elixir means the function of that name, whatever the syntax of what is shown.

    Raises `BadLocation`.
    """
    text = text.strip()
    for pattern in (_LINE, _FUNCTION, _NO_ARITY, _ELIXIR):
        match = pattern.match(text)
        if match is None:
            continue
        rest = text[match.end() :]
        condition = _CONDITION.fullmatch(rest)
        if rest.strip() and condition is None:
            continue
        if condition is not None and not condition["condition"].strip():
            raise BadLocation("a condition is missing after `if`")
        return _location(match, code), condition["condition"].strip() if condition else ""
    raise BadLocation(f"{brief(text)} is no MODULE:FUNCTION/ARITY or FILE:LINE" if text else "no location is given")


def _location(match: re.Match[str], code: LoadedCode) -> BreakpointLocation:
    parts = match.groupdict()
    if "line" in parts:
        return LineLocation(parts["file"], _number(parts["line"], "line", 1, MAX_LINE))
    if "elixir" in parts:
        module, function = elixir_quoting.symbol(parts["elixir"], parts["function"])
    else:
        module, function = (_symbol_atom(parts[part]) for part in ("module", "function"))
    if parts.get("arity"):
        return FunctionLocation(module, f"{module}:{function}/{_number(parts['arity'], 'arity', 0, MAX_ARG)}")
    head = f"{module}:{function}/"
    names = {one.name for loaded in FunctionLocation(module, head).modules(code) for one in loaded.ranges}
    known = sorted(name for name in names if name.startswith(head) and name[len(head) :].isdecimal())
    if len(known) == 1:
        return FunctionLocation(module, known[0])
    # It is answered in the syntax of the question.
    shown = [next(elixir_quoting.spellings(name), name) if "elixir" in parts else name for name in (f"{head}0", *known)]
    function = shown[0][:-2]
    raise BadLocation(f"{function} is there as {', '.join(shown[1:])}" if known else f"which arity has {function}?")


def _number(digits: str, what: str, least: int, most: int) -> int:
    """A number between two; raises `BadLocation`."""
    number = natural(digits)
    if number is None or not least <= number <= most:
        raise BadLocation(f"there is no {what} {brief(digits)}: they go from {least} to {most}")
    return number


@lru_cache(maxsize=4096)
def _is_end(end: str, path: str) -> bool:
    """Whether a path ends with another one. Kept, for it is asked of all lines of all modules at each resumption."""
    parts = PurePosixPath(end).parts
    return PurePosixPath(path).parts[-len(parts) :] == parts


def _down(path: str) -> str:
    """A relative path, but for what leads up from a folder that nobody knows; an absolute one leads nowhere."""
    parts = PurePosixPath(path).parts
    return "" if PurePosixPath(path).is_absolute() else str(PurePosixPath(*(part for part in parts if part != "..")))


def _symbol_atom(text: str) -> str:
    """An atom as names of symbols have it, from how a user wrote it."""
    return runtime_atom(unquoted(text))
