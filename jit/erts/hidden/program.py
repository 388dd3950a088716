"""An interpreter's program as its file has it: operations, BIFs, who calls whom, and what refers to what."""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

from jit.erts.hidden.flow import Flow
from jit.erts.hidden.instructions import Code, Step
from jit.image.image import Function, Image
from jit.image.operations import Operations, operations
from jit.otp import tags
from jit.otp.layouts.layout import Layout

#: The first atoms (erl_atom_table.c, which utils/make_tables writes).
_FIRST_ATOMS: Final = ("false", "true")
_LONGEST_NAME: Final = 256
#: Fewer BIFs in a row are no table of them.
_FEWEST_BIFS: Final = 100
_WORD: Final = 4
#: How far behind an instruction its literal may stand.
_LITERAL_REACH: Final = 4096


class NotFound(Exception):
    """Something is not found in a program, or not for sure. The message says what and why."""


class Program:
    """A program for 32-bit ARM with this layout. Addresses of functions in Thumb code have bit 0 set, as pointers have.

    Raises NotFound for what is no interpreter.
    """

    def __init__(self, image: Image, layout: Layout) -> None:
        self.image, self._layout = image, layout
        found = operations(image, layout)
        if isinstance(found, str):
            raise NotFound(f"operations: {found}")
        if found.main is None or not image.functions:
            raise NotFound("process_main: no table tells of functions")
        self._operations: Operations = found
        self.code = Code(image)

    @cached_property
    def handlers(self) -> Mapping[str, int]:
        """Where the handler of each operation begins, by the operation's name. It is no function: pointers to it have
        bit 0 clear."""
        first, places = self._operations.handlers, self.image.pointers
        named = enumerate(self._operations.names)
        return {name: places[first + _WORD * number] & ~1 | self._thumb for number, name in named}

    @cached_property
    def main(self) -> Flow:
        """The function of all handlers."""
        function = self.image.function_at(self._operations.main or 0)
        assert function is not None
        return Flow(self.code, function.start, function.stop)

    @cached_property
    def main_start(self) -> int:
        """Where it begins."""
        return (self._operations.main or 0) | self._thumb

    @cached_property
    def _thumb(self) -> int:
        """Bit 0 of pointers to functions."""
        bits = {address & 1 for address in self.bifs.values()}
        if len(bits) != 1:
            raise NotFound("bif_table: some BIFs are of Thumb code and some are not")
        return bits.pop()

    @cached_property
    def bif_table(self) -> int:
        """Where the table of BIFs is (erl_bif_table.c, which utils/make_tables writes)."""
        size, function = self._layout.size("BifEntry"), self._layout.offset("BifEntry", "f")
        rows = {at for place in self.image.pointers if self._bif(at := place - function)}
        found = [at for at in rows if at - size not in rows and at + size * _FEWEST_BIFS in rows]
        if len(found) != 1:
            raise NotFound(f"bif_table: {len(found) or 'no'} tables look like it")
        return found[0]

    @cached_property
    def bifs(self) -> Mapping[str, int]:
        """The C function of each BIF, by ``module:name/arity``."""
        size, function = self._layout.size("BifEntry"), self._layout.offset("BifEntry", "f")
        found, at = {}, self.bif_table
        while name := self._bif(at):
            found[name] = self.image.pointers[at + function]
            at += size
        return found

    def _bif(self, at: int) -> str:
        """The BIF that a row of the table is of; empty if it is none."""
        if at + self._layout.offset("BifEntry", "f") not in self.image.pointers:
            return ""
        words = self._initial(at, 3)
        if not words or words[2] > tags.MAX_FUN_ARITY:
            return ""
        module, name = (self._atoms.get(word) for word in words[:2])
        return f"{module}:{name}/{words[2]}" if module is not None and name is not None else ""

    @cached_property
    def _atoms(self) -> Mapping[int, str]:
        """The texts of atoms that the VM begins with, by their terms."""
        places = self.image.pointers
        starts = [
            place
            for place in places
            if all(self._text(places.get(place + _WORD * i)) == text for i, text in enumerate(_FIRST_ATOMS))
        ]
        if len(starts) != 1:
            raise NotFound(f"erl_atom_names: {len(starts) or 'no'} tables look like it")
        found: dict[int, str] = {}
        at = starts[0]
        while (to := places.get(at)) is not None:
            found[len(found) << tags.IMMED2_BITS | tags.ATOM] = self._text(to)
            at += _WORD
        return found

    def _text(self, address: int | None) -> str:
        """A text that is not written; empty if there is none."""
        if address is None:
            return ""
        for part in self.image.fixed:
            if part.start <= address < part.stop:
                at = address - part.start
                return part.content[at : at + _LONGEST_NAME].partition(b"\0")[0].decode("latin-1")
        return ""

    def _initial(self, address: int, count: int) -> tuple[int, ...]:
        """So many words that a variable has in the file; none if it has not."""
        for part in self.image.initial:
            if part.start <= address and address + _WORD * count <= part.stop:
                return struct.unpack_from(f"<{count}I", part.content, address - part.start)
        return ()

    # Functions

    @cached_property
    def _functions(self) -> Sequence[Function]:
        """All functions, sorted. The tables for unwinding have one row for several that cannot be unwound: others begin
        where a call goes, or a pointer in the program's data."""
        main = self.main
        called = {step.to for one in self.image.functions for _, step in self._steps(one) if step.calls}
        pointed = {to for to in self.image.pointers.values() if to & 1 == self._thumb}
        starts = {one.start for one in self.image.functions}
        starts |= {to & ~1 for to in called | pointed if to is not None and self.image.function_at(to & ~1) is not None}
        starts = {one for one in starts if not main.start < one < main.stop}
        stop = self.image.functions[-1].stop
        ordered = sorted(starts)
        return [Function(one, following) for one, following in zip(ordered, [*ordered[1:], stop])]

    def _steps(self, function: Function) -> Iterator[tuple[int, Step]]:
        """All instructions from its start to its end, whether they are reached or not."""
        at = function.start | self._thumb
        while at < function.stop:
            step = self.code.step(at)
            yield at, step
            at += step.size

    def _function(self, address: int) -> Function:
        at = bisect_left(self._functions, address & ~1, key=lambda one: one.start)
        if at == len(self._functions) or self._functions[at].start != address & ~1:
            raise NotFound(f"{address:#x}: no function begins there")
        return self._functions[at]

    def _containing(self, address: int) -> Function:
        at = bisect_right(self._functions, address & ~1, key=lambda one: one.start)
        return self._functions[max(at - 1, 0)]

    @cached_property
    def callees(self) -> Mapping[int, frozenset[int]]:
        """Whom each function calls, itself or by a jump at its end."""
        return {one.start | self._thumb: frozenset(self._calls(one)) for one in self._functions}

    def _calls(self, function: Function) -> Iterator[int]:
        for _, step in self._steps(function):
            if step.to is not None and (step.calls or not function.start <= step.to < function.stop):
                yield step.to

    @cached_property
    def callers(self) -> Mapping[int, frozenset[int]]:
        """Who calls each function."""
        found: dict[int, set[int]] = {}
        for caller, callees in self.callees.items():
            for callee in callees:
                found.setdefault(callee, set()).add(caller)
        return {callee: frozenset(callers) for callee, callers in found.items()}

    def variables_of(self, function: int) -> set[int]:
        """Variables whose addresses may be formed in a function."""
        return {at for at in self._referred(self._function(function)) if self.image.is_writable(at)}

    def _referred(self, function: Function) -> Iterator[int]:
        """What a function forms addresses of: by a distance to the program counter, or in the global offset table."""
        literals: dict[int, int] = {}
        for at, _ in self._steps(function):
            loaded, added = self.code.literal(at), self.code.adds_counter(at)
            if loaded is not None:
                register, word = loaded
                literals[register] = word
                to = self.image.pointers.get(self.image.table + word & 0xFFFFFFFF)
                if to is not None:
                    yield to
            elif added is not None and added[0] in literals:
                yield literals.pop(added[0]) + added[1] & 0xFFFFFFFF

    def that_say(self, text: str) -> set[int]:
        """Functions that refer to a text, of which there is one."""
        wanted = text.encode() + b"\0"
        places = [part.start + part.content.find(wanted) for part in self.image.fixed if wanted in part.content]
        if len(places) != 1:
            raise NotFound(f"the text {text!r} stands in {len(places) or 'no'} places")
        near = self._near(places[0])
        return {one.start | self._thumb for one in near if places[0] in self._referred(one)}

    def _near(self, place: int) -> set[Function]:
        """Functions that have a word which is the distance of a place from near by."""
        found = set()
        for part in self.image.code:
            words = struct.iter_unpack("<I", part.content[: len(part.content) & ~3])
            for here, (word,) in zip(range(part.start, part.stop, _WORD), words):
                if 0 <= here - (place - word & 0xFFFFFFFF) < _LITERAL_REACH:
                    found.add(self._containing(here))
        return found
