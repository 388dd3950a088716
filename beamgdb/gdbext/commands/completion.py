"""Completion of what commands take. Whatever goes wrong here only means that nothing is offered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

import gdb

from beamgdb.code.loaded import LoadedCode
from beamgdb.code.module import NO_CODE
from beamgdb.gdbext import older_gdb, session, term_printing
from beamgdb.gdbext.atomvm import completion as atomvm
from beamgdb.gdbext.atomvm import session as atomvm_session
from beamgdb.gdbext.extension import extension
from beamgdb.memory import Unreadable
from beamgdb.terms import elixir_quoting
from beamgdb.terms.quoting import unquoted
from beamgdb.vm import registered_names
from beamgdb.vm.model import Unavailable
from beamgdb.vm.process_list import Noted, ProcessList

MOST = 2_000
"""Words that are offered at most. GDB shows 200 (`max-completions`)."""

PIDS = 20_000
"""Processes whose pids may be offered: the first ones, of a node with a million."""

_OPEN = re.compile(r"(?:'(?:[^'\\]|\\.)*'|[^'])*'(?:[^'\\]|\\.)*\\?")
"""An argument that ends in a quoted atom which is not closed."""

_CLOSED = re.compile(r"(?:[^'\\]|\\.)*")
"""What of a quoted atom is still to come, up to the quote."""

_LIKE_A_PID = re.compile("[<0-9#]")

_LAST = re.compile(r"(?:'(?:[^'\\]|\\.)*'?|\"(?:[^\"\\]|\\.)*\"?|<[^>\s]*>?|[^\s'\"<])*$")
"""The last argument of a command line, in which quoted atoms may have blanks."""


def split(text: str) -> tuple[str, str]:
    """What a command line begins with, and its last argument, which is to be completed."""
    found = _LAST.search(text)
    start = found.start() if found is not None else len(text)
    return text[:start], text[start:]


def fitting(start: str, word: str, names: Iterable[str]) -> list[str]:
    """Those names that an argument may become. Of that GDB replaces the `word` at the end only: it takes a colon, and
    much else, for the end of one. A quote that is open GDB may close itself: then what follows is offered later."""
    found: dict[str, None] = {}
    is_closed_by_gdb = older_gdb.closes_quotes() and _OPEN.fullmatch(start) is not None
    try:
        for name in names:
            if name.startswith(start):
                rest = name[len(start) :]
                if is_closed_by_gdb and (more := _CLOSED.match(rest)):
                    rest = more[0]
                found[name[len(start) - len(word) : len(start)] + rest] = None
                if len(found) == MOST:
                    break
    except (Unreadable, Unavailable, KeyError, gdb.error):
        pass
    return list(found)


def functions(start: str, *, with_lines: bool) -> Iterator[str]:
    """Names of Erlang functions, and of lines that have code, as FILE:LINE, that may begin so."""
    is_line = with_lines and bool(start) and not start.startswith("'")
    if atomvm_session.is_atomvm():
        yield from _spelt(atomvm.functions(), start)
        if is_line:
            yield from atomvm.lines(start)
        return
    code = _code()
    for module in code:
        yield from _spelt((one.name for one in code.functions(module) if not one.name.endswith(NO_CODE)), start)
    if is_line:
        yield from lines(code, start)


def _spelt(names: Iterable[str], start: str) -> Iterator[str]:
    """Names of functions in the spellings that a user may have begun with: those of Elixir have several."""
    shown = extension().parameters.syntax.function
    for name in names:
        if not start:
            yield shown(name)
        elif name.startswith(start):
            yield name
        elif start[0] == ":" or name.startswith("'Elixir"):
            yield from elixir_quoting.spellings(name)


def lines(code: LoadedCode, start: str) -> Iterator[str]:
    """Lines with code of the files whose names may begin so."""
    name = start.partition(":")[0]
    seen: set[tuple[str, int]] = set()
    for module in code:
        for one in code.lined(module):
            for _, file, number in one.lines:
                short = PurePosixPath(file).name
                if number and short.startswith(name) and (short, number) not in seen:
                    seen.add((short, number))
                    yield f"{short}:{number}"


def beam_files(start: str) -> Iterator[str]:
    """.beam files, and folders, whose paths begin so."""
    folder, slash, _ = start.rpartition("/")
    try:
        found = sorted(Path(folder + slash or ".").iterdir())
    except OSError:
        return
    for path in found:
        if path.is_dir() or path.suffix == ".beam":
            yield f"{folder}{slash}{path.name}{'/' if path.is_dir() else ''}"


def processes(start: str) -> Iterator[str]:
    """Registered names of processes, and pids, that may begin so."""
    if atomvm_session.is_atomvm():
        yield from atomvm.pids() if _LIKE_A_PID.match(start) else atomvm.names_of_processes()
        if not start:
            yield from islice(atomvm.pids(), PIDS)
        return
    current = session.find()
    if current is None:
        return
    node = current.node
    if not _LIKE_A_PID.match(start):
        yield from atoms((node.term(name) for _, name in registered_names.named(node)), start)
    if not start or _LIKE_A_PID.match(start):
        found, head = ProcessList(node), "#PID" if start.startswith("#") else ""
        yield from (head + found.pid(one) for one in islice(found, PIDS) if isinstance(one, Noted))


def atoms(names: Iterable[str], start: str) -> Iterator[str]:
    """Atoms, as Erlang writes them, in the spellings that a user may have begun with."""
    for name in names:
        if not start:
            yield term_printing.module(name)
        else:
            yield from dict.fromkeys((name, elixir_quoting.atom(unquoted(name))))


def _code() -> LoadedCode:
    current = session.find()
    return current.node.code if current is not None else LoadedCode()
