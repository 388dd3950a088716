"""Rows have a plain form in JSON, whatever shows them."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator
from dataclasses import asdict, fields, is_dataclass, replace

import pytest

from beamgdb.node import Node
from beamgdb.terms.source import Limits
from beamgdb.views import (
    allocators,
    breakpoints,
    info,
    layouts,
    registers,
    source_lines,
    stack,
    steps,
    term_parts,
    verify,
    where,
)
from beamgdb.views.breakpoints import BreakpointRow
from beamgdb.views.disassembly import listing
from beamgdb.views.location import parse
from beamgdb.views.process_details import Details
from beamgdb.views.registers import FloatRow
from beamgdb.views.stack import DamageRow, FrameRow, LeftOutRow, ProcessRow, VariableRow
from beamgdb.views.styler import COLUMNS, PLAIN, Styler
from beamgdb.views.terms import Syntax, Terms
from beamgdb.views.threads import ThreadRow
from beamgdb.vm import backtrace
from beamgdb.vm.backtrace import Level
from beamgdb.vm.model import Unavailable
from beamgdb.vm.processes import Process
from jit.otp.layouts.resolve import StructLayout
from jit.otp.tags import ARITY_SHIFT, BOXED, CONS, NIL
from tests.vm.image import LAYOUT, Image
from tests.vm.test_node import ENTRY, A, B, C, loaded, waiting

#: All kinds of rows.
ROWS = [
    *typing.get_args(stack.StackRow),
    *typing.get_args(listing.ListingRow),
    breakpoints.BreakpointRow,
    registers.RegisterRow,
    registers.FloatRow,
    where.WhereRow,
    steps.EndRow,
    steps.ReturnRow,
    info.Fact,
    layouts.LayoutRow,
    verify.WrongRow,
    verify.WalkedRow,
    allocators.HeldRow,
    term_parts.TermRow,
    source_lines.SourceLineRow,
]


def is_plain(kind: object) -> bool:
    """Whether values of a type are the same again when they come back from JSON, but for tuples, which are lists."""
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is tuple:
        return all(map(is_plain, (one for one in typing.get_args(kind) if one is not Ellipsis)))
    if isinstance(kind, type) and is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return all(is_plain(hints[one.name]) for one in fields(kind))
    return kind in (str, int, float, bool, types.NoneType)


@pytest.mark.parametrize("kind", ROWS)
def test_a_row_is_of_plain_values(kind: type) -> None:
    assert is_plain(kind)


class Unseen:
    """`Threads` of a VM of which no thread is known."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def levels(self, process: Process) -> Iterator[Level]:
        return backtrace.of_waiting(self._node, process)

    def thread(self, process: Process) -> ThreadRow | None:
        return None

    def moves(self, process: Process) -> bool:
        return False

    def in_erlang(self, process: Process) -> bool:
        return False

    def stack_top(self, process: Process) -> int | None:
        return None

    def by_schedulers(self) -> Iterator[Process]:
        return iter(())


def shown(limit: int = stack.FRAMES) -> list[stack.StackRow]:
    """The rows of a process with three frames, of which the first has two y registers."""
    vm = loaded()
    process = waiting(vm, [NIL, 31, B.base + 80, A.base + 72, 47, ENTRY.base + 64], [63])
    return list(stack.rows(vm.node, process, Unseen(vm.node), Terms(vm.node, Limits()), limit))


def test_a_stack_is_rows() -> None:
    process, first, second, third = shown()
    assert isinstance(process, ProcessRow)
    assert (process.thread, process.moves) == (None, False)
    assert first == FrameRow(
        number=0,
        pc=C.base + 80,
        function="c:f/0",
        offset=16,
        note="",
        file=None,
        line=None,
        variables=(VariableRow("x0", 63, "3"), VariableRow("y0", NIL, "[]"), VariableRow("y1", 31, "1")),
        damaged=0,
    )
    assert [row.function for row in (second, third) if isinstance(row, FrameRow)] == ["b:f/0", "a:f/0"]
    assert json.loads(json.dumps(asdict(first)))["variables"][2] == {"name": "y1", "word": 31, "text": "1"}


def test_the_text_of_a_stack() -> None:
    first = shown()[1]
    assert list(stack.lines(first, PLAIN)) == [
        f"#0  {C.base + 80:#x} in c:f/0+16",
        "      x0 = 3",
        "      y0 = []",
        "      y1 = 1",
    ]


def test_colours_are_those_of_who_shows_it() -> None:
    class Marked(Styler):
        def coloured(self, text: str, code: str) -> str:
            return f"*{text}*"

    assert next(stack.lines(shown()[1], Marked())) == f"#0  {C.base + 80:#x} in *c:f/0*+16"


def test_frames_beyond_the_limit_are_counted() -> None:
    assert shown(limit=1)[2:] == [LeftOutRow(frames=2, are_more=False, lines=0, limit=1)]
    assert shown(limit=0)[1:] == [LeftOutRow(frames=3, are_more=False, lines=0, limit=0)]


def test_frames_with_too_much_text_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = shown()[1]
    first, *others = stack.lines(whole, PLAIN)
    monkeypatch.setattr(stack, "FRAMES", len(first) + len(others[0]))
    monkeypatch.setattr(stack, "ROOM_PER_FRAME", 1)
    _, cut, left = shown(limit=1)
    assert isinstance(whole, FrameRow)
    assert cut == replace(whole, variables=whole.variables[:1])
    assert left == LeftOutRow(frames=2, are_more=False, lines=2, limit=None)


def test_a_stack_that_ends_too_soon_says_so() -> None:
    vm = loaded()
    process = waiting(vm, [NIL])
    *_, last = stack.rows(vm.node, process, Unseen(vm.node), Terms(vm.node, Limits()))
    assert isinstance(last, DamageRow)
    assert next(stack.lines(last, PLAIN)).startswith("(the stack is damaged here or missing: no return address from ")


def test_what_is_alike_is_written_as_it_was() -> None:
    """The text of a stack is that of its rows, also where another one gave all but what its pointers lead to."""
    vm = loaded()
    stacks = stack.Stacks(vm.node, Unseen(vm.node), Terms(vm.node, Limits()))
    several = []
    for number in range(4):
        cell = vm.image.words((number // 2) << 4 | 15, NIL) | CONS
        several += [
            waiting(vm, [cell, 31, B.base + 80, A.base + 72, cell, ENTRY.base + 64]),
            waiting(vm, [31, cell, B.base + 80, A.base + 72, 47 + 16 * number, ENTRY.base + 64]),
            waiting(vm, [cell, 31]),  # which ends too soon
            waiting(vm, [cell, 31, B.base + 80, A.base + 72, cell, ENTRY.base + 64], [63]),
        ]
    texts = ["\n".join(line for row in stacks.of(one) for line in stack.lines(row, PLAIN)) for one in several]
    assert [stacks.text(one, PLAIN) for one in several] == texts
    table = {
        "r.o.tab": vm.image.words(*(one.address for one in several)), "r.o.max": len(several),
        "r.o.invalid_element": 0xBAD0, "vola.tile.count": len(several),
    }  # fmt: skip
    vm.image.struct("ErtsPTab", table, vm.image.symbols["erts_proc"])
    vm.node.memory.forget()
    every = stack.Stacks(vm.node, Unseen(vm.node), Terms(vm.node, Limits()))
    assert list(every.everything(PLAIN)) == texts


def test_where_erlang_runs() -> None:
    row = where.WhereRow("<0.5.0>", "shop", 3, in_erlang=True)
    assert where.text(row) == "Thread 3 runs Erlang, <0.5.0> shop: `thread 3`"
    assert where.text(replace(row, name="s" * COLUMNS)) == "Thread 3 runs Erlang, <0.5.0>: `thread 3`"
    assert where.text(replace(row, in_erlang=False)) == "Thread 3 works for <0.5.0> shop, in C: `thread 3`"
    assert "one works for a process: `beam-bt <0.5.0>`" in where.text(replace(row, thread=None))
    assert where.text(None).startswith("No thread runs Erlang now.")


def test_breakpoints() -> None:
    code = loaded().node.code
    location, _ = parse("c:f/0", code)
    there = breakpoints.places(location, code, Syntax())
    assert [(place.function, place.file) for place in there] == [("c:f/0", None)]
    rows = [
        BreakpointRow(2, False, True, 7, "c:f/0", there, "<0.5.0>", "x0 == 31", 1),
        BreakpointRow(10, True, False, 0, "d:f/0", (), "", "", 0),
    ]
    assert list(breakpoints.lines(rows, PLAIN)) == [
        "Num Disp Enb Hits Where",
        "2   keep y   7    c:f/0, process <0.5.0>, if x0 == 31, ignore next 1",
        "10  del  n   0    pending: d:f/0",
    ]
    assert list(breakpoints.lines([], PLAIN)) == ["No Erlang breakpoints."]


def test_registers() -> None:
    def held(number: int) -> int:
        if number:
            raise Unavailable("it is gone")
        return 31

    rows = list(registers.rows("x", range(2), held, Terms(loaded().node, Limits())))
    assert [registers.line(row) for row in rows] == ["x0   1", "x1   <not available>"]
    assert registers.line(rows[0], raw=8) == "x0   0x000000000000001f 1"
    assert registers.line(FloatRow("f0", 1.5)) == "f0   1.5"


def test_where_fields_came_from() -> None:
    table = loaded().node.layout
    here = list(layouts.rows(table))
    assert layouts.LayoutRow("Range", table.origin, ("end", "start", "sizeof")) in here
    assert {row.source for row in here} == {table.origin}
    fields = {"start": table.field("Range", "start")}
    proved = replace(
        table, structs={"Range": StructLayout(None, fields)}, evidence={"Range": {"start": "proved by 9 modules"}}
    )
    rows = [row for row in layouts.rows(proved) if row.struct == "Range"]
    assert rows == [
        layouts.LayoutRow("Range", "proved by 9 modules", ("start",)), layouts.LayoutRow("Range", None, ("end",)),
    ]  # fmt: skip
    assert [line for row in rows for line in layouts.lines(row, PLAIN)] == [
        "Range: proved by 9 modules", "    start", "Range: unknown", "    end",
    ]  # fmt: skip
    with pytest.raises(KeyError, match="Range: unknown in"):
        proved.size("Range")


@pytest.mark.parametrize("build", ["opt", "debug"])
def test_what_a_handler_finds_is_no_value_in_any_build(build: str) -> None:
    known = loaded().node
    node = Node(known.memory, known.symbol, replace(known.identity, build=build), None)
    terms = Terms(node, Limits())
    assert steps.returned(terms, node.tags.non_value, at_return=True).value is None
    assert steps.returned(terms, NIL, at_return=True).value == "[]"


def with_dictionary(pairs: int) -> tuple[Details, Process, Image]:
    """A process with so many pairs in its dictionary, whose values are tuples that lie apart; of each kind of thing one
    is told."""
    image = Image()
    (key,) = image.atoms("key").values()
    words = []
    for number in range(pairs):
        value = image.words(1 << ARITY_SHIFT, number << 4 | 15) | BOXED
        words += [2 << ARITY_SHIFT, key, value]
    start = image.words(*words)
    slots = [start + 24 * number | BOXED for number in range(pairs)]
    data = LAYOUT.offset("ProcDict", "data")
    table = image.block(data + 8 * pairs)
    image.struct("ProcDict", {"usedSlots": pairs, "arraySize": pairs}, table)
    image.poke(table + data, *slots)
    node = image.node()
    process = Process(image.struct("Process", {"dictionary": table}), node.tags)
    return Details(node, Unseen(node), Terms(node, Limits()), 1), process, image


def test_of_what_is_not_shown_no_text_is_made() -> None:
    """A dictionary may have a million pairs, and each be large."""
    details, process, image = with_dictionary(pairs=100)
    shown = details.of(process).dictionary
    assert (shown.shown, shown.others) == (("key = {0}",), 99)
    assert image.memory.reads < 100
