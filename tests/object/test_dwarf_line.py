"""Line tables, read back by pyelftools."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st

from jit.object.dwarf import Dwarf
from jit.object.dwarf_constants import DW_AT
from jit.object.dwarf_line import LineNumberTable, RowFlag
from jit.object.elf import ElfFile
from jit.object.target import Target

DIRECTORIES = ["/src", "/src/include"]
FILES = [("lists.erl", 0), ("erl_ünicode.hrl", 1), ("x.hrl", 1)]

Row = tuple[int, int, int, int, int]

targets = st.builds(Target, st.sampled_from([4, 8]), st.sampled_from(["little", "big"]))
gaps = st.one_of(st.integers(0, 45), st.integers(0, 70_000))
lines = st.one_of(st.integers(1, 40), st.integers(1, 1 << 28))
flags = st.integers(0, 7)
steps = st.tuples(gaps, st.integers(1, 3), lines, st.integers(0, 300), flags)
sequences = st.lists(st.tuples(st.integers(0, 1 << 30), st.lists(steps, min_size=1, max_size=30), gaps), max_size=4)


def placed(start: int, rows: list[Row], unit: int) -> list[Row]:
    """Rows whose first member is a gap, as rows at addresses."""
    out, address = [], start * unit
    for gap, *rest in rows:
        address += gap * unit
        out.append((address, *rest))
    return out  # type: ignore[return-value]


def decoded(table: LineNumberTable) -> tuple[list[list[Row]], list[int], list[tuple[bytes, int]]]:
    """Rows of the sequences, their end addresses and the files, as pyelftools has them."""
    dwarf = Dwarf(table.target)
    unrelated = LineNumberTable(table.target, ["/"], [("other", 0)])
    unrelated.add_sequence([(1, 1, 1)], 2)
    dwarf.add_line_table(unrelated)
    dwarf.add_unit({DW_AT.name: "lists.erl", DW_AT.stmt_list: dwarf.add_line_table(table)})
    elf = ElfFile(table.target)
    dwarf.add_to(elf)
    info = ELFFile(BytesIO(elf.to_bytes())).get_dwarf_info()
    program: Any = info.line_program_for_CU(next(info.iter_CUs()))
    rows: list[list[Row]] = [[]]
    ends = []
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        if state.end_sequence:
            ends.append(state.address)
            rows.append([])
            continue
        kept = RowFlag.IS_STMT * state.is_stmt | RowFlag.PROLOGUE_END * state.prologue_end
        kept |= RowFlag.EPILOGUE_BEGIN * state.epilogue_begin
        rows[-1].append((state.address, state.file, state.line, state.column, int(kept)))
    assert rows.pop() == []
    files = [(entry["DW_LNCT_path"], entry["DW_LNCT_directory_index"]) for entry in program["file_names"]]
    return rows, ends, files


@given(targets, sequences, st.sampled_from([1, 2, 4]))
def test_rows_come_back(target: Target, declared: list[tuple[int, list[Row], int]], unit: int) -> None:
    table = LineNumberTable(target, DIRECTORIES, FILES, minimum_instruction_length=unit)
    expected, ends = [], []
    for start, rows, last in declared:
        expected.append(placed(start // 8, rows, unit))
        ends.append(expected[-1][-1][0] + last * unit)
        table.add_sequence(expected[-1], ends[-1])
    got, got_ends, files = decoded(table)
    assert got == expected
    assert got_ends == ends
    assert files == [(name.encode(), directory) for name, directory in [FILES[0], *FILES]]


def test_every_small_advance_comes_back() -> None:
    """Special opcodes, those behind `DW_LNS_const_add_pc`, and what is too far for both (DWARF 5, 6.2.5)."""
    rows: list[Row] = [(0x10, 1, 100, 0, 1)]
    for gap in range(64):
        for forward in range(-5, 11):
            rows.append((rows[-1][0] + gap, 1, rows[-1][2] + forward, 0, 1))
    table = LineNumberTable(Target(8), DIRECTORIES, FILES)
    table.add_sequence(rows, rows[-1][0] + 1)
    got, ends, _ = decoded(table)
    assert got == [rows]
    assert ends == [rows[-1][0] + 1]


def test_short_rows_are_statements_without_column() -> None:
    table = LineNumberTable(Target(8), DIRECTORIES, FILES)
    table.add_sequence([(0x10, 1, 7), (0x14, 2, 8, 3), (0x18, 1, 9, 0, 0), (0x20, 1, 10)], 0x30)
    rows, _, _ = decoded(table)
    assert rows == [[(0x10, 1, 7, 0, 1), (0x14, 2, 8, 3, 1), (0x18, 1, 9, 0, 0), (0x20, 1, 10, 0, 1)]]


def test_near_rows_take_one_byte() -> None:
    def size(count: int) -> int:
        table = LineNumberTable(Target(8), DIRECTORIES, FILES)
        table.add_sequence([(0x10 + 12 * number, 1, 1 + 3 * number) for number in range(count)], 0x10 + 12 * count)
        dwarf = Dwarf(table.target)
        dwarf.add_line_table(table)
        return len(dwarf.sections()[".debug_line"])

    assert size(60) - size(20) == 40


def test_no_rows_no_sequence() -> None:
    table = LineNumberTable(Target(8), DIRECTORIES, FILES)
    table.add_sequence([], 0x10)
    assert decoded(table)[:2] == ([], [])


def test_refused_rows_leave_the_table_as_it_was() -> None:
    table = LineNumberTable(Target(8), DIRECTORIES, FILES, minimum_instruction_length=4)
    for rows, end in (
        ([(0x10, 1, 1), (0xC, 1, 2)], 0x20),
        ([(0x10, 1, 1), (0x12, 1, 2)], 0x20),
        ([(0x10, 1, 1)], 0xC),
    ):
        with pytest.raises(ValueError, match="line address"):
            table.add_sequence(rows, end)
    with pytest.raises(ValueError, match="below"):
        LineNumberTable(Target(8), DIRECTORIES, FILES).add_sequence([(0x10, 1, 1), (0xC, 1, 2)], 0x20)
    assert decoded(table)[:2] == ([], [])
    with pytest.raises(ValueError, match="directory 2"):
        LineNumberTable(Target(8), DIRECTORIES, [("a.erl", 2)])
    with pytest.raises(ValueError, match="primary source"):
        LineNumberTable(Target(8), DIRECTORIES, [])
