"""Call frame information, read back by pyelftools and compared with a model of the rules."""

from __future__ import annotations

import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from elftools.dwarf.callframe import CIE, FDE
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st

from jit.object import dwarf_expression as expression
from jit.object.dwarf import Dwarf
from jit.object.dwarf_constants import DW_AT
from jit.object.dwarf_frame import CfaProgram
from jit.object.elf import ElfFile
from jit.object.elf_constants import EM
from jit.object.target import Target

CODE_ALIGNMENT = 2
DATA_ALIGNMENT = -4
START = 0x1000

targets = st.builds(Target, st.sampled_from([4, 8]), st.sampled_from(["little", "big"]))
registers = st.sampled_from([0, 7, 14, 63, 64, 200])
saved = st.integers(-40, 40).map(lambda units: units * DATA_ALIGNMENT)
rules = st.one_of(
    st.tuples(st.just("offset"), registers, saved),
    st.tuples(st.just("val_offset"), registers, saved),
    st.tuples(st.just("register"), registers, registers),
    st.tuples(st.just("undefined"), registers),
    st.tuples(st.just("same_value"), registers),
    st.tuples(st.just("expression"), registers, st.just(expression.breg(3, 8))),
    st.tuples(st.just("val_expression"), registers, st.just(expression.breg(4, -8))),
    st.tuples(st.just("def_cfa"), registers, st.integers(0, 100).map(lambda units: units * 4)),
    st.tuples(st.just("def_cfa_register"), registers),
    st.tuples(st.just("def_cfa_offset"), st.integers(0, 100).map(lambda units: units * 4)),
    st.tuples(st.just("restore"), st.sampled_from([6, 70])),
)
advances = st.sampled_from([2, 126, 128, 510, 512, 131_070, 131_072, 1_000_000])
programs = st.lists(st.tuples(advances, st.lists(rules, max_size=4)), max_size=6)

Rules = dict[Any, Any]


def model(state: Rules, initial: Rules, rule: tuple[Any, ...]) -> None:
    """Apply a rule to a row: register or "cfa" -> what pyelftools would say."""
    name, operands = rule[0], rule[1:]
    if name == "def_cfa":
        state["cfa"] = operands
    elif name == "def_cfa_register":
        state["cfa"] = (operands[0], state["cfa"][1])
    elif name == "def_cfa_offset":
        state["cfa"] = (state["cfa"][0], operands[0])
    elif name == "restore":
        state.pop(operands[0], None)
        if operands[0] in initial:
            state[operands[0]] = initial[operands[0]]
    else:
        state[operands[0]] = (name.upper(), *operands[1:])


def seen(row: Rules) -> Rules:
    """A row of pyelftools' table in the model's terms."""
    out: Rules = {"cfa": (row["cfa"].reg, row["cfa"].offset)}
    for register, rule in row.items():
        if isinstance(register, int):
            argument = bytes(rule.arg) if isinstance(rule.arg, list) else rule.arg
            out[register] = (rule.type,) if argument is None else (rule.type, argument)
    return out


def entries(dwarf: Dwarf) -> list[Any]:
    dwarf.add_unit({DW_AT.name: "u"})
    elf = ElfFile(dwarf.target)
    dwarf.add_to(elf)
    return list(ELFFile(BytesIO(elf.to_bytes())).get_dwarf_info().CFI_entries())


@given(targets, programs)
def test_rows_come_back(target: Target, declared: list[tuple[int, list[tuple[Any, ...]]]]) -> None:
    dwarf = Dwarf(target)
    start = CfaProgram(target, CODE_ALIGNMENT, DATA_ALIGNMENT).def_cfa(7, 8).offset(6, -4).offset(70, -8)
    cie = dwarf.frames.add_cie(14, code_alignment=CODE_ALIGNMENT, data_alignment=DATA_ALIGNMENT, initial=start)
    initial: Rules = {"cfa": (7, 8), 6: ("OFFSET", -4), 70: ("OFFSET", -8)}
    program = cie.program()
    state, pc, expected = dict(initial), START, []
    for advance, changes in declared:
        program.advance(advance)
        expected.append((pc, dict(state)))
        pc += advance
        for rule in changes:
            getattr(program, rule[0])(*rule[1:])
            model(state, initial, rule)
    expected.append((pc, dict(state)))
    dwarf.frames.add_fdes(cie, [(START, pc + 2 - START), (0, 4)], program)
    cie_read, fde, second = entries(dwarf)
    assert isinstance(cie_read, CIE)
    assert isinstance(fde, FDE)
    assert (fde["initial_location"], fde["address_range"]) == (START, pc + 2 - START)
    assert (second["initial_location"], second["address_range"]) == (0, 4)
    assert cie_read["return_address_register"] == 14
    assert [(row["pc"], seen(row)) for row in fde.get_decoded().table] == expected
    assert all(entry.offset % target.address_size == 0 for entry in (cie_read, fde, second))


def test_state_is_remembered() -> None:
    dwarf = Dwarf(Target(8))
    cie = dwarf.frames.add_cie(16, data_alignment=-8, initial=CfaProgram(dwarf.target, 1, -8).def_cfa(7, 8))
    program = cie.program().remember_state().advance(4).def_cfa_offset(64).advance(4).restore_state().advance(4)
    dwarf.frames.add_fdes(cie, [(START, 64)], program.def_cfa_register(6))
    table = entries(dwarf)[1].get_decoded().table
    got = [(row["pc"] - START, row["cfa"].reg, row["cfa"].offset) for row in table]
    assert got == [(0, 7, 8), (4, 7, 64), (8, 7, 8), (12, 6, 8)]


def test_frame_address_below_a_register_or_computed(tmp_path: Path) -> None:
    # pyelftools neither scales the signed forms nor follows DW_CFA_def_cfa_expression, readelf does.
    dwarf = Dwarf(Target(8, machine=EM.X86_64))
    cie = dwarf.frames.add_cie(16, data_alignment=-8)
    program = cie.program().def_cfa(7, -16).advance(4).def_cfa_offset(-512)
    program.advance(4).def_cfa_expression(expression.breg(13, 0x50) + expression.deref())
    dwarf.frames.add_fdes(cie, [(START, 64)], program)
    elf = ElfFile(dwarf.target)
    dwarf.add_to(elf)
    path = tmp_path / "object"
    path.write_bytes(elf.to_bytes())
    rows = subprocess.run(["readelf", "-wF", path], capture_output=True, text=True, check=True).stdout.split("\n")
    columns = [row.split()[:2] for row in rows if row.startswith("0000000000001")]
    assert columns == [["0000000000001000", "rsp-16"], ["0000000000001004", "rsp-512"], ["0000000000001008", "exp"]]
    text = subprocess.run(["readelf", "-wf", path], capture_output=True, text=True, check=True).stdout
    assert "DW_CFA_def_cfa_expression (DW_OP_breg13 (r13): 80; DW_OP_deref)" in text


def test_what_the_alignments_cannot_say_is_refused() -> None:
    dwarf = Dwarf(Target(4))
    cie = dwarf.frames.add_cie(14, code_alignment=4, data_alignment=-4)
    with pytest.raises(ValueError, match="alignment factor 4"):
        cie.program().advance(2)
    with pytest.raises(ValueError, match="alignment factor -4"):
        cie.program().offset(5, -6)
    with pytest.raises(ValueError, match="go back"):
        cie.program().advance(-4)
