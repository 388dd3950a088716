"""The command `beam-disas`."""

from __future__ import annotations

import argparse
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import gdb

from beamgdb.beamasm.registrations import Module, Range
from beamgdb.gdbext import beam_files, current_frame, session, term_printing
from beamgdb.gdbext.breakpoints.location import BadLocation, Function, parse
from beamgdb.gdbext.commands.command import Command
from beamgdb.gdbext.style import function, heading, source
from beamgdb.interpreter.operations import Unsupported
from beamgdb.memory import Unreadable
from beamgdb.native import machine as native
from beamgdb.native.objects import ENTRY
from beamgdb.terms.tags import ATOM, IMMED1_MASK, IMMED2_MASK, NIL, SMALL
from beamgdb.vm.code import Place
from beamgdb.vm.node import Node, Unavailable

if TYPE_CHECKING:
    # Not before they are needed: these load a disassembler, and what reads .beam files.
    from beamgdb.disassembly.beam_file import Code
    from beamgdb.disassembly.machine_code import Instruction

_COMMENT = 60
"""The column of comments."""

_BEAM = re.compile(r"\s*-beam\s+(?P<file>\"[^\"]*\"|\S+)")
_SYMBOL = re.compile(r"(?P<name>\S+)(?: \+ (?P<offset>\d+))? in section ")
_NAME = re.compile(r"(?P<module>'(?:[^'\\]|\\.)*'|[^:']+):(?P<name>'(?:[^'\\]|\\.)*'|.+)/(?P<arity>\d+)")

Group = tuple[str, int, list[str]]
"""Operations of one line of the source, in their order: its file, its number, and their texts."""


class BeamDisas(Command):
    """Show the code of an Erlang function: BEAM operations, source lines and machine code interleaved.

    FUNCTION is MODULE:FUNCTION/ARITY; the arity may be left out where there is only one. Without it, the function of
    the selected frame is shown, with => where that is.

    Native code and code of the JIT are shown with the operations that they were compiled from, if the module's .beam
    file is found; -beam names it. For native code without it, the interpreter's own instructions stand for them. Of
    interpreted code the loaded instructions are shown; with -bytecode also for a function that has native code."""

    name = "beam-disas"
    category = gdb.COMMAND_DATA
    completer = None

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-bytecode", action="store_true")
        parser.add_argument("-beam", metavar="FILE", default="")
        parser.add_argument("function", metavar="FUNCTION", nargs="?")

    def split(self, text: str) -> list[str]:
        """A function's quotes are its own."""
        words: list[str] = []
        while match := re.match(r"\s*-bytecode(?=\s|$)", text) or _BEAM.match(text):
            named = match.groupdict().get("file")
            words += ["-beam", named.strip('"')] if named else ["-bytecode"]
            text = text[match.end() :]
        return [*words, text.strip()] if text.strip() else words

    def complete(self, text: str, word: str) -> list[str]:
        current = session.find()
        start = text.split(" ")[-1]
        ranges = [one for module in current.node.code for one in current.node.code.functions(module)] if current else []
        return [one.name[len(start) - len(word) :] for one in ranges if one.name.startswith(start)]

    def run(self, arguments: argparse.Namespace) -> None:
        node = session.require().node
        for place, pc in _wanted(node, arguments.function, arguments.bytecode):
            path = Path(arguments.beam).expanduser() if arguments.beam else None
            for line in _Listing(node, place, pc, path).lines():
                gdb.write(line + "\n")


def _wanted(node: Node, text: str | None, bytecode: bool) -> Iterator[tuple[Place, int | None]]:
    """The code that is meant, with the address where the selected frame is. Raises `Unavailable`."""
    try:
        frame = current_frame.selected().erlang
    except Unavailable:
        if text is None:
            raise
        frame = None
    if text is None:
        assert frame is not None
        yield (_bytecode(node, frame.place) if bytecode else frame.place), frame.pc
        return
    try:
        location, _ = parse(text, node.code)
    except BadLocation as error:
        raise gdb.GdbError(f"beam-disas: {error} (see `help beam-disas`)") from None
    if not isinstance(location, Function):
        raise gdb.GdbError("beam-disas: a function is wanted, MODULE:FUNCTION/ARITY (see `help beam-disas`)")
    entries = location.addresses(node.code)
    if not entries:
        raise Unavailable(location.missing(node.code) or f"the module {location.module} is not loaded")
    for place in filter(None, map(node.code.find, entries)):
        yield (_bytecode(node, place) if bytecode else place), frame.pc if frame is not None else None


def _bytecode(node: Node, place: Place) -> Place:
    """The interpreted code of a function that may have native code."""
    for module in node.code:
        for code in node.code.functions(module) if module.name == place.module.name else ():
            if code.name == place.code.name and node.code.goes_on(code.start) == place.code.start:
                return Place(module, code)
    return place


class _Listing:
    """The listing of one function."""

    def __init__(self, node: Node, place: Place, pc: int | None, path: Path | None) -> None:
        self._node = node
        self._place = place
        self._pc = pc
        self._path = path
        self._native = node.native.object_at(place.code.start)

    def lines(self) -> Iterator[str]:
        """All of it. Raises `Unavailable`."""
        if self._node.is_interpreter and self._native is None:
            yield from self._interpreted()
        else:
            yield from self._machine_code()

    # -- interpreted code ----------------------------------------------------------------------------------------------

    def _interpreted(self) -> Iterator[str]:
        code = self._place.code
        yield f"{heading(function(code.name))}, interpreted, {code.stop - code.start} bytes of bytecode"
        before = None
        for address, text in self._bytecode(code):
            where = self._node.code.where(address)
            if where is not None and where != before:
                yield f" {source(where.file, where.line)}"
                before = where
            # The pc of a frame of interpreted code is behind the instruction in progress.
            yield self._row(address, text, self._pc is not None and address == self._bytecode_pc)

    def _bytecode(self, code: Range) -> Iterator[tuple[int, str]]:
        from beamgdb.disassembly.bytecode_text import Naming, of_function

        naming = Naming(lambda word: term_printing.text(self._node, word), _c_name)
        try:
            yield from of_function(self._node, code, naming)
        except (Unsupported, Unreadable) as error:
            raise Unavailable(f"the code of {code.name} cannot be shown: {error}") from None

    @cached_property
    def _bytecode_pc(self) -> int | None:
        """The last instruction before the frame's pc."""
        starts = [address for address, _ in self._bytecode(self._place.code)]
        at = bisect_right(starts, (self._pc or 0) - 1) - 1
        inside = self._pc is not None and self._place.code.start < self._pc <= self._place.code.stop
        return starts[at] if at >= 0 and inside else None

    # -- machine code --------------------------------------------------------------------------------------------------

    def _machine_code(self) -> Iterator[str]:
        code, start = self._place.code, self._start()
        kind = "native code" if self._native is not None else "JIT code"
        exact, found = self._pieces(start)
        groups = [] if exact else self._groups(found)
        named = f"; operations of {found[0]}" if found else ""
        fallback = "; the interpreter's instructions" if groups and not found else ""
        yield f"{heading(function(code.name))}, {kind}, {code.stop - start} bytes{named}{fallback}"
        lines = {at: (file, line) for at, file, line in code.lines if line}
        instructions = list(self._instructions(start, code.stop))
        data = self._data(instructions)
        for one in instructions:
            if one.address in lines:
                yield f" {source(*lines[one.address])}"
                yield from _taken(groups, *lines[one.address])
            yield from exact.get(one.address, ())
            comment = self._comment(one)
            if one.address in data:
                yield self._row(one.address, f".word {self._loaded(one.address)}", is_current=False)
            else:
                yield self._row(one.address, _with_comment(one.text, comment), one.address == self._pc)

    def _data(self, instructions: list[Instruction]) -> set[int]:
        """Addresses of words among native code that are no instructions: what those load, and what belongs to calls."""
        if self._native is None:
            return set()
        found = {one.loads for one in instructions if one.loads is not None}
        for one in instructions:
            target = one.target if one.address not in found else None
            place = self._node.code.native_at(target) if target is not None else None
            words = native.WORDS_BEHIND.get(place.code.name, 0) if place is not None else 0
            found |= {one.address + native.WORD * (1 + number) for number in range(words)}
        return found

    def _start(self) -> int:
        """Where the code begins, with what only native callers run."""
        code = self._place.code
        before = (one for one in self._place.module.ranges if one.stop == code.start)
        entry = next((one for one in before if one.name == code.name + ENTRY), None)
        return entry.start if entry is not None else code.start

    def _instructions(self, start: int, stop: int) -> Iterator[Instruction]:
        try:
            from beamgdb.disassembly import machine_code
        except ImportError:
            raise Unavailable("there is no disassembler: pip install capstone") from None
        try:
            raw = self._node.memory.read(start, stop - start)
        except Unreadable as error:
            raise Unavailable(str(error)) from None
        for one in machine_code.instructions(self._node.identity.arch or "", raw, start):
            if self._native is None and not any(raw[one.address - start :]):
                # Room up to the next function.
                return
            yield one

    def _pieces(self, start: int) -> tuple[dict[int, list[str]], tuple[Path, Code] | None]:
        """Operations by the address of their code, where native code tells that; and the file that they are from."""
        from beamgdb.disassembly import beam_file

        table = self._native.section(".beam.operations") if self._native is not None else None
        entry, pieces = beam_file.pieces(table, start - self._place.module.base) if table else (0, [])
        found = self._file(entry, max((piece.index for piece in pieces), default=-1))
        if found is None or not pieces:
            return {}, found
        exact: dict[int, list[str]] = {}
        last = -1
        for piece in pieces:
            # Operations without code of their own, such as labels, come with the one that follows.
            indices = range(last + 1, piece.index + 1) if piece.index > last else [piece.index]
            steps = [found[1].steps[index] for index in indices if index >= 0]
            again = "  (continued)" if piece.index < last else ""
            texts = [_operation(step.text, step.is_label) + again for step in steps if step is not None]
            exact.setdefault(self._place.module.base + piece.offset, []).extend(texts)
            last = max(last, piece.index)
        return exact, found

    def _file(self, entry: int, most: int) -> tuple[Path, Code] | None:
        """The .beam file of the module and the function's operations, if it is found and fits. Raises `Unavailable`
        for a file that the user has named and that does not."""
        from beamgdb.disassembly.beam_file import NoOperations, of_function

        name = _NAME.fullmatch(self._place.code.name)
        if name is None:
            return None
        paths: Sequence[Path] = [self._path] if self._path else beam_files.candidates(self._node, self._module())
        for path in paths:
            try:
                code = of_function(path, self._place.module.name, _unquoted(name["name"]), int(name["arity"]))
                if not entry or (entry == code.entry and most < len(code.steps)):
                    return path, code
                raise NoOperations(f"{path} is not the file that this code was made of")
            except NoOperations as error:
                if self._path:
                    raise Unavailable(str(error)) from None
        return None

    def _module(self) -> Module:
        """The module as the VM has loaded it."""
        return _bytecode(self._node, self._place).module

    def _groups(self, found: tuple[Path, Code] | None) -> list[Group]:
        """Operations by lines of the source: of the .beam file, else what the interpreter has loaded."""
        groups: list[Group] = []
        if found is not None:
            for step in found[1].steps:
                if step is not None and not step.is_label:
                    _add(groups, step.file or "", step.line, step.text)
        elif self._native is not None:
            for address, text in self._bytecode(_bytecode(self._node, self._place).code):
                where = self._node.code.where(address)
                _add(groups, where.file if where else "", where.line if where else 0, text)
        return groups

    def _row(self, address: int, text: str, is_current: bool) -> str:
        mark = "=>" if is_current else "  "
        return f"{mark}    {address:#x} <{address - self._place.code.start:+}>  {text}".rstrip()

    # -- comments ------------------------------------------------------------------------------------------------------

    def _comment(self, one: Instruction) -> str:
        if one.target is not None:
            return self._near(one.target)
        if one.loads is not None:
            return self._loaded(one.loads)
        if one.constant is not None:
            # To compare with the tag is more usual than with the small integer 0, which is the same word.
            return self._constant(one.constant) if one.constant != SMALL else ""
        return self._register(*one.field) if one.field is not None and self._native is not None else ""

    def _loaded(self, address: int) -> str:
        try:
            word = self._node.memory.word(address)
        except Unreadable:
            return ""
        goes_on = self._node.code.goes_on(word)
        if goes_on != word:
            return f"{word:#x} goes on at {self._near(goes_on)}"
        return f"{word:#x} {self._address(word) or self._export(word) or self._term(word)}".strip()

    def _export(self, address: int) -> str:
        """Whose export entry lies there, empty for none."""
        from beamgdb.disassembly.bytecode_text import export_name

        return export_name(self._node, address) or ""

    def _near(self, address: int) -> str:
        inside = self._start() <= address < self._place.code.stop
        offset = address - self._place.code.start
        return f"<{offset:+}>" if inside else self._address(address) or f"{address:#x}"

    def _term(self, word: int) -> str:
        text = term_printing.text(self._node, word)
        return "" if text.startswith("<") and not text.startswith("<<") else text

    def _constant(self, value: int) -> str:
        """An immediate term."""
        is_term = value & IMMED1_MASK == SMALL or value & IMMED2_MASK == ATOM or value == NIL
        text = self._term(value) if is_term else ""
        return f"{value} = {text}" if text else ""

    def _address(self, address: int) -> str | None:
        """Whose code or data lies there."""
        return self._node.describe(address) or _c_name(address)

    def _register(self, base: str, distance: int) -> str:
        """The BEAM register behind a machine register of native code."""
        word = self._node.memory.word_size
        if base == native.REGISTERS:
            distance -= self._node.layout.offset("ErtsSchedulerRegisters", "x_reg_array.d")
            return f"x{distance // word}" if distance >= 0 and distance % word == 0 else ""
        if base == native.STACK and distance % word == 0:
            return f"y{distance // word - 1}" if distance > 0 else "return address"
        return ""


def _operation(text: str, is_label: bool) -> str:
    return f"  {text}:" if is_label else f"    {text}"


def _taken(groups: list[Group], file: str, line: int) -> Iterator[str]:
    """The next operations of a line, which are removed."""
    name = Path(file).name
    at = next((at for at, group in enumerate(groups) if (Path(group[0]).name, group[1]) == (name, line)), None)
    if at is not None:
        yield from (_operation(text, is_label=False) for text in groups.pop(at)[2])


def _add(groups: list[Group], file: str, line: int, text: str) -> None:
    if not groups or groups[-1][:2] != (file, line):
        groups.append((file, line, []))
    groups[-1][2].append(text)


def _with_comment(text: str, comment: str) -> str:
    return f"{text:{_COMMENT - 28}} ; {comment}" if comment else text


def _unquoted(atom: str) -> str:
    return re.sub(r"\\(.)", r"\1", atom[1:-1]) if atom.startswith("'") else atom


def _c_name(address: int) -> str | None:
    """The symbol of C code or data at an address, None where there is none."""
    try:
        told = gdb.execute(f"info symbol {address & ~1:#x}", to_string=True)
    except gdb.error:
        return None
    match = _SYMBOL.match(told)
    if match is None:
        return None
    return match["name"] + (f"+{match['offset']}" if match["offset"] else "")


def install() -> None:
    """Define the command."""
    BeamDisas()
