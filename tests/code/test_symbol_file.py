"""The symbol file made from registrations, as pyelftools, readelf and llvm-dwarfdump see it."""

from __future__ import annotations

import shutil
import subprocess
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from elftools.dwarf.descriptions import describe_form_class
from elftools.elf.elffile import ELFFile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beamgdb.beamasm.registers import BEAMASM_REGISTERS, BeamAsmRegisters
from beamgdb.code import symbol_file
from beamgdb.code.module import CODE_INFO, NO_CODE, Module, Range
from jit.object.dwarf_expression import breg
from tests.code.module_strategies import modules

MACHINE = BEAMASM_REGISTERS["x86_64", "jit"]
ARM64, ARM32 = BEAMASM_REGISTERS["aarch64", "jit"], BEAMASM_REGISTERS["arm32", "jit"]
DW_OP_REG0 = 0x50
"""DWARF 5, 7.7.1: the first of the operations for a register, and for the address in a register plus an offset."""
RBX, R4, X19, X25 = 3, 4, 19, 25
"""Numbers of registers in DWARF: System V ABI for AMD64, figure 3.36; DWARF for the Arm Architecture, 4.1 of each."""
LIMITS = {MACHINE: 1 << 46, ARM64: 1 << 46, ARM32: 1 << 30}
"""Addresses below which code of a machine lies."""


def locate(module: str, file: str) -> tuple[str, str]:
    """Sources lie in a folder for each module."""
    return f"/src/{module}", file


@st.composite
def loaded(draw: st.DrawFn, machine: BeamAsmRegisters = MACHINE) -> list[Module]:
    """Some modules at different places, by address."""
    found: list[Module] = []
    for module in draw(st.lists(modules(max_base=LIMITS[machine]), min_size=1, max_size=4)):
        base = (found[-1].stop + 4095) // 4096 * 4096 if found else module.base
        found.append(_moved(module, base - module.base))
    return found


def _moved(module: Module, distance: int) -> Module:
    ranges = tuple(
        code._replace(
            start=code.start + distance,
            stop=code.stop + distance,
            lines=tuple((line[0] + distance, *line[1:]) for line in code.lines),
        )
        for code in module.ranges
    )
    return replace(module, base=module.base + distance, ranges=ranges)


def _elf(described: list[Module], machine: BeamAsmRegisters = MACHINE) -> Any:
    return ELFFile(BytesIO(symbol_file.write(described, machine, locate)))


def _functions(described: list[Module]) -> list[Range]:
    return [r for m in described for r in m.ranges if not r.name.endswith((*NO_CODE, CODE_INFO))]


def _subprograms(elf: Any, *, with_variables: bool = True) -> list[Any]:
    """Those of functions; or those that stand for modules, which have no variables."""
    units = elf.get_dwarf_info().iter_CUs()
    found = [die for unit in units for die in unit.iter_DIEs() if die.tag == "DW_TAG_subprogram"]
    has_code = [die for die in found if "DW_AT_low_pc" in die.attributes]
    return [die for die in has_code if ("DW_AT_abstract_origin" in die.attributes) == with_variables]


def _high_pc(die: Any) -> int:
    high = die.attributes["DW_AT_high_pc"]
    start: int = die.attributes["DW_AT_low_pc"].value
    return int(high.value + (start if describe_form_class(high.form) == "constant" else 0))


@given(loaded())
def test_every_range_is_a_symbol(described: list[Module]) -> None:
    table = _elf(described).get_section_by_name(".symtab")
    symbols = {(s.name, s["st_value"], s["st_size"], s["st_info"]["type"]) for s in table.iter_symbols() if s.name}
    functions = _functions(described)
    assert {s[:3] for s in symbols if s[3] == "STT_FUNC"} == {(r.name, r.start, r.stop - r.start) for r in functions}
    others = [r for m in described for r in m.ranges if r not in functions]
    assert {s[:3] for s in symbols if s[3] == "STT_OBJECT"} == {(r.name, r.start, r.stop - r.start) for r in others}


@given(loaded())
def test_every_module_has_its_section(described: list[Module]) -> None:
    text = [s for s in _elf(described).iter_sections() if s.name.startswith(".text")]
    assert [(s.name, s["sh_addr"], s["sh_size"], s["sh_type"]) for s in text] == [
        (f".text.{m.name}", m.base, m.size, "SHT_NOBITS") for m in described
    ]


@given(loaded())
def test_every_function_is_a_subprogram(described: list[Module]) -> None:
    found = {
        (die.attributes["DW_AT_name"].value.decode(), die.attributes["DW_AT_low_pc"].value, _high_pc(die))
        for die in _subprograms(_elf(described))
    }
    assert found == {(r.name, r.start, r.stop) for r in _functions(described)}


@given(loaded())
def test_a_modules_functions_are_labels_of_it(described: list[Module]) -> None:
    """So that `break m:f/a` finds them, in which GDB takes `m` for a function; its place is code that may be run."""
    found = {die.attributes["DW_AT_low_pc"].value: die for die in _subprograms(_elf(described), with_variables=False)}
    heads = [next((r for r in module.ranges if r.name.endswith(CODE_INFO)), None) for module in described]
    assert found.keys() == {head.start for head in heads if head}
    for module, head in zip(described, heads, strict=True):
        if head is None:
            continue
        die = found[head.start]
        assert (die.attributes["DW_AT_name"].value.decode(), _high_pc(die)) == (module.name, head.stop)
        labels = {
            (f"{module.name}:{one.attributes['DW_AT_name'].value.decode()}", one.attributes["DW_AT_low_pc"].value)
            for one in die.iter_children()
        }
        assert labels == {(r.name, r.start) for r in _functions([module]) if r.arity is not None}


@given(loaded())
def test_a_subprogram_declares_the_file_of_its_head(described: list[Module]) -> None:
    """And no line, before which GDB 16 would put no breakpoint into it."""
    heads = {r.start: r.lines[0][1] for r in _functions(described) if r.lines}
    elf = _elf(described)
    info = elf.get_dwarf_info()
    for die in _subprograms(elf):
        start = die.attributes["DW_AT_low_pc"].value
        assert "DW_AT_decl_line" not in die.attributes
        if start not in heads:
            assert "DW_AT_decl_file" not in die.attributes
            continue
        entry = info.line_program_for_CU(die.cu)["file_entry"][die.attributes["DW_AT_decl_file"].value - _first(die)]
        assert entry.name.decode() == heads[start]


def _first(die: Any) -> int:
    """Files count from 1 until DWARF 4."""
    return 0 if die.cu["version"] >= 5 else 1


@given(loaded())
def test_every_address_has_the_line_that_beamasm_gave(described: list[Module]) -> None:
    info = _elf(described).get_dwarf_info()
    found: dict[int, tuple[str, str, int]] = {}
    ends: set[int] = set()
    for unit in info.iter_CUs():
        program = info.line_program_for_CU(unit)
        first = 0 if program["version"] >= 5 else 1
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            if state.end_sequence:
                ends.add(state.address)
                continue
            file = program["file_entry"][state.file - first]
            folder = program["include_directory"][file.dir_index - first]
            found[state.address] = (folder.decode(), file.name.decode(), state.line)
    assert found == {
        address: (f"/src/{module.name}", file, number)
        for module in described
        for code in module.ranges
        for address, file, number in code.lines
    }
    assert ends == {code.stop for module in described for code in module.ranges if code.lines}


@given(loaded())
def test_x_registers_are_variables_in_the_schedulers_array(described: list[Module]) -> None:
    for number, location in _x_locations(described, MACHINE):
        assert bytes(location).endswith(breg(RBX, 8 * number))


@given(loaded(ARM64))
def test_x_registers_of_arm64_are_in_registers_of_the_cpu(described: list[Module]) -> None:
    for number, location in _x_locations(described, ARM64):
        if number < 4:
            assert location == [DW_OP_REG0 + X25 + number]
        elif number > 5:
            assert breg(X19, 64 + 8 * number) in bytes(location)


@given(loaded(ARM32))
def test_x_registers_of_arm32_are_64_bytes_into_the_schedulers_registers(described: list[Module]) -> None:
    elf = _elf(described, ARM32)
    assert (elf.elfclass, elf["e_machine"], elf.little_endian) == (32, "EM_ARM", True)
    for number, location in _x_locations(described, ARM32):
        assert bytes(location) == breg(R4, 64 + 4 * number)


def _x_locations(described: list[Module], machine: BeamAsmRegisters) -> Iterator[tuple[int, list[int]]]:
    """Number and location of the x registers of all functions, which are words with the right names."""
    arities = {r.start: r.arity or 0 for r in _functions(described)}
    for die in _subprograms(_elf(described, machine)):
        assert not list(die.iter_children())
        variables = list(die.get_DIE_from_attribute("DW_AT_abstract_origin").iter_children())
        own = range(0 if machine.y_dwarf is None else symbol_file.Y_VARIABLES)
        count = max(symbol_file.X_VARIABLES, arities[die.attributes["DW_AT_low_pc"].value])
        names = [b"y%d" % n for n in own] + [b"x%d" % n for n in range(count)]
        assert [v.attributes["DW_AT_name"].value for v in variables] == names
        for number, variable in enumerate(variables, -len(own)):
            kind = variable.get_DIE_from_attribute("DW_AT_type")
            assert (kind.tag, kind.attributes["DW_AT_name"].value) == ("DW_TAG_typedef", b"Eterm")
            word = kind.get_DIE_from_attribute("DW_AT_type")
            assert word.attributes["DW_AT_byte_size"].value == machine.target.address_size
            if number >= 0:
                yield number, variable.attributes["DW_AT_location"].value


@given(loaded(), st.data())
def test_aranges_lead_to_the_unit_of_an_address(described: list[Module], data: st.DataObject) -> None:
    info = _elf(described).get_dwarf_info()
    starts = [module.base for module in described]
    code = data.draw(st.sampled_from(_functions(described) or [Range(starts[0], starts[0] + 1, "", ())]))
    offset = info.get_aranges().cu_offset_at_addr(code.start)
    assert offset == [unit.cu_offset for unit in info.iter_CUs()][bisect_right(starts, code.start) - 1]


@pytest.mark.parametrize("machine", [MACHINE, ARM64, ARM32], ids=["x86_64", "aarch64", "arm32"])
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_other_programs_find_no_fault(machine: BeamAsmRegisters, data: st.DataObject, tmp_path: Path) -> None:
    """readelf takes a line table at the end of the section for damaged if it has no rows: so the last one has some."""
    described = data.draw(loaded(machine).filter(lambda found: any(code.lines for code in found[-1].ranges)))
    path = tmp_path / "object"
    path.write_bytes(symbol_file.write(described, machine, locate))
    readelf = subprocess.run(["readelf", "-aW", "--debug-dump=info,decodedline,abbrev,aranges", path],
                             capture_output=True, check=True)  # fmt: skip
    assert readelf.stderr == b""
    if shutil.which("llvm-dwarfdump") is None:
        pytest.skip("no llvm-dwarfdump")
    verify = subprocess.run(["llvm-dwarfdump", "--verify", path], capture_output=True, text=True)
    assert verify.returncode == 0, verify.stdout
    assert "No errors." in verify.stdout
