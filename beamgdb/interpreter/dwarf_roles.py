"""Where `process_main` keeps the state of Erlang code, from debug information.

That tells less than the handlers in optimised code, where GCC loses track of some of these variables. But it helps
where handlers do not tell, as in code that is not optimised, which keeps variables in memory. References: DWARF 5, 2.6
(location descriptions), 3.3.5 (the frame base), 6.4 (call frame information), 7.7 (encodings).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from elftools.dwarf.callframe import FDE
from elftools.dwarf.die import DIE
from elftools.dwarf.dwarf_expr import DWARFExprOp, DWARFExprParser
from elftools.dwarf.dwarfinfo import DWARFInfo
from elftools.dwarf.locationlists import BaseAddressEntry, LocationEntry, LocationExpr, LocationParser
from elftools.elf.elffile import ELFFile

from beamgdb.interpreter.symbolic.values import slot
from jit.otp.layouts import dwarf

FUNCTION = b"process_main"

SOURCE = b"beam_emu.c"

VARIABLES = {
    b"I": "instruction",
    b"E": "stack",
    b"HTOP": "heap_top",
    b"FCALLS": "reductions",
    b"reg": "x_registers",
    b"c_p": "process",
}
"""Roles by the names of the variables (emu/beam_emu.c)."""

REGISTERS = {
    "x86_64": ("rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", *(f"r{number}" for number in range(8, 16))),
    "arm32": (*(f"r{number}" for number in range(13)), "sp", "lr"),
    "aarch64": (*(f"x{number}" for number in range(31)), "sp"),
}
"""GDB's names by the numbers of DWARF (System V ABI for AMD64, figure 3.36; DWARF for the Arm Architecture, 4.1;
DWARF for the Arm 64-bit Architecture, 4.1)."""

STACK_POINTERS = ("rsp", "sp")


def read(path: Path, arch: str, handlers: Collection[int]) -> dict[str, str]:
    """Places by role, of the roles that have one and the same wherever a handler begins. Empty without debug
    information. `handlers`: their distances from the start of `process_main`.

    A place is a register or slot as in `Roles`, or a slot at a distance from another register than the stack pointer,
    as in `rbp-56`.
    """
    registers = REGISTERS.get(arch)
    if registers is None or not handlers:
        return {}
    try:
        with path.open("rb") as stream:
            info = dwarf.info_of(ELFFile(stream))
            function = _function(info) if info is not None else None
            return _Function(info, function, registers).places(handlers) if info and function is not None else {}
    except (OSError, *dwarf.PARSER_ERRORS):
        return {}


def _function(info: DWARFInfo) -> DIE | None:
    for unit in info.iter_CUs():
        top = unit.get_top_DIE()
        if _name(top).endswith(SOURCE):
            found = (die for die in top.iter_children() if die.tag == "DW_TAG_subprogram" and _name(die) == FUNCTION)
            return next((die for die in found if "DW_AT_low_pc" in die.attributes), None)
    return None


def _name(die: DIE) -> bytes:
    attribute = die.attributes.get("DW_AT_name")
    return bytes(attribute.value) if attribute is not None else b""


class _Function:
    """`process_main` in debug information."""

    def __init__(self, info: DWARFInfo, die: DIE, registers: tuple[str, ...]) -> None:
        self._info = info
        self._die = die
        self._registers = registers
        self._start = int(die.attributes["DW_AT_low_pc"].value)
        self._expressions = DWARFExprParser(die.cu.structs)
        self._frame = next(self._frames(), None)

    def places(self, handlers: Collection[int]) -> dict[str, str]:
        found = {}
        for variable in self._die.iter_children():
            role = VARIABLES.get(_name(variable)) if variable.tag == "DW_TAG_variable" else None
            if role is not None:
                places = {self._place(variable, self._start + offset) for offset in handlers}
                if len(places) == 1 and (place := places.pop()) is not None:
                    found[role] = place
        return found

    def _place(self, variable: DIE, pc: int) -> str | None:
        expression = self._expression(variable, pc)
        operations = self._expressions.parse_expr(expression) if expression else []
        return self._described(operations[0], pc) if len(operations) == 1 else None

    def _expression(self, variable: DIE, pc: int) -> list[int] | None:
        """The location description that holds at an address."""
        attribute = variable.attributes.get("DW_AT_location")
        if attribute is None:
            return None
        parser = LocationParser(self._info.location_lists())
        location = parser.parse_from_attribute(attribute, self._die.cu["version"], die=variable)
        if isinstance(location, LocationExpr):
            return list(location.loc_expr)
        base = int(self._die.cu.get_top_DIE().attributes["DW_AT_low_pc"].value)
        for entry in location:
            if isinstance(entry, BaseAddressEntry):
                base = entry.base_address
            elif isinstance(entry, LocationEntry):
                begin = entry.begin_offset + (0 if entry.is_absolute else base)
                end = entry.end_offset + (0 if entry.is_absolute else base)
                if begin <= pc < end:
                    return list(entry.loc_expr)
        return None

    def _described(self, operation: DWARFExprOp, pc: int) -> str | None:
        name = operation.op_name
        if name == "DW_OP_regx":
            return self._register(operation.args[0])
        if name.startswith("DW_OP_reg"):
            return self._register(int(name.removeprefix("DW_OP_reg")))
        if name == "DW_OP_fbreg":
            return self._in_frame(operation.args[0], pc)
        if name.startswith("DW_OP_breg"):
            return self._at(int(name.removeprefix("DW_OP_breg")), operation.args[0])
        return None

    def _register(self, number: int) -> str | None:
        return self._registers[number] if number < len(self._registers) else None

    def _at(self, register: int, offset: int) -> str | None:
        name = self._register(register)
        if name is None:
            return None
        return slot(offset) if name in STACK_POINTERS else f"{name}{offset:+d}"

    def _in_frame(self, offset: int, pc: int) -> str | None:
        """A slot at a distance from the frame base, if that is the CFA."""
        base = self._die.attributes.get("DW_AT_frame_base")
        if base is None or not isinstance(base.value, list) or self._frame is None:
            return None
        names = [operation.op_name for operation in self._expressions.parse_expr(base.value)]
        rows = [row for row in self._frame.get_decoded().table if row["pc"] <= pc]
        rule = rows[-1]["cfa"] if rows else None
        if names != ["DW_OP_call_frame_cfa"] or rule is None or rule.reg is None:
            return None
        return self._at(rule.reg, rule.offset + offset)

    def _frames(self) -> Iterator[FDE]:
        """Call frame information of the function."""
        info = self._info
        for there, entries in (
            (info.has_EH_CFI(), info.EH_CFI_entries),
            (info.has_CFI(), info.CFI_entries),
        ):
            for entry in entries() if there else ():
                if isinstance(entry, FDE) and entry["initial_location"] == self._start:
                    yield entry
