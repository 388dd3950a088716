"""The VM's types as far as native code uses them, and what CPU registers hold while it runs.

The structures have the names that they have in C, without the typedefs: whoever looks for a typedef such as ``Process``
looks for the whole structure. Members are those whose offsets the layout tells, and no others.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from jit.codegen import machine
from jit.codegen.machine import WORD
from jit.erts.layout import Field, Layout
from jit.object import dwarf_expression as expression
from jit.object.dwarf_constants import DW_AT, DW_ATE, DW_TAG
from jit.object.dwarf_info import Die

_TERMS: Final = frozenset(("Process.common.id", "Process.fvalue"))
_POINTERS_TO_TERMS: Final = frozenset(("Process.htop", "Process.stop"))
_POINTERS: Final = frozenset(("Process.i", "Process.current", "Process.mbuf"))
_SIGNED: Final = frozenset(("Process.fcalls", "Process.catches"))
_FLOAT: Final = 8


class VmTypes:
    """Entries of the types. ``eterm`` is that of terms; ``dies`` are all, in the order in which they are to be added."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._integers: dict[tuple[int, DW_ATE], Die] = {}
        self.dies: list[Die] = []
        word = self._base("unsigned long", WORD, DW_ATE.unsigned)
        self.eterm = self._add(DW_TAG.typedef, {DW_AT.name: "Eterm", DW_AT.type: word})
        self._terms = self._pointer(self.eterm)
        self._void = self._add(DW_TAG.pointer_type, {DW_AT.byte_size: WORD})
        self._process = self._pointer(self._structure("process", "Process"))
        self._registers = self._pointer(self._structure("ErtsSchedulerRegisters_", "ErtsSchedulerRegisters"))

    def machine_variables(self) -> list[Die]:
        """Variables of what CPU registers hold in all native code."""
        rows = (
            ("c_p", machine.PROCESS, self._process),
            ("registers", machine.REGISTERS, self._registers),
            ("E", machine.E, self._terms),
            ("HTOP", machine.HTOP, self._terms),
            ("FCALLS", machine.FCALLS, self._integer(WORD, DW_ATE.signed)),
        )
        return [
            Die(
                DW_TAG.variable,
                {DW_AT.name: name, DW_AT.type: kind, DW_AT.location: expression.reg(register.number)},
            )
            for name, register, kind in rows
        ]

    def _add(self, tag: DW_TAG, attributes: dict[DW_AT, int | str | Die], children: Iterable[Die] = ()) -> Die:
        die = Die(tag, attributes, tuple(children))
        self.dies.append(die)
        return die

    def _base(self, name: str, size: int, encoding: DW_ATE) -> Die:
        return self._add(
            DW_TAG.base_type, {DW_AT.name: name, DW_AT.byte_size: size, DW_AT.encoding: int(encoding)}
        )

    def _pointer(self, target: Die) -> Die:
        return self._add(DW_TAG.pointer_type, {DW_AT.byte_size: WORD, DW_AT.type: target})

    def _integer(self, size: int, encoding: DW_ATE = DW_ATE.unsigned) -> Die:
        key = size, encoding
        if key not in self._integers:
            prefix = "Uint" if encoding == DW_ATE.unsigned else "Sint"
            self._integers[key] = self._base(f"{prefix}{8 * size}", size, encoding)
        return self._integers[key]

    def _structure(self, tag: str, type_: str) -> Die:
        """A structure of the fields that the layout has of a type; what stands before a dot is a member of its own."""
        fields = [
            (name.removeprefix(f"{type_}."), field)
            for name, field in self._layout.fields.items()
            if name.startswith(f"{type_}.")
        ]
        members = [self._member(type_, name, field) for name, field in fields if "." not in name]
        for outer in dict.fromkeys(name.partition(".")[0] for name, _ in fields if "." in name):
            members.append(self._inner(type_, outer, [row for row in fields if row[0].startswith(f"{outer}.")]))
        members.sort(key=lambda die: die.attributes[DW_AT.data_member_location])  # type: ignore[arg-type, return-value]
        size = max(field.offset + field.size for _, field in fields)
        return self._add(DW_TAG.structure_type, {DW_AT.name: tag, DW_AT.byte_size: size}, members)

    def _inner(self, type_: str, outer: str, fields: list[tuple[str, Field]]) -> Die:
        """A member that is a structure, as far as it is known: it begins where the first known field does."""
        begin = min(field.offset for _, field in fields)
        end = max(field.offset + field.size for _, field in fields)
        members = [
            self._member(type_, name, Field(field.offset - begin, field.size), name.partition(".")[2])
            for name, field in fields
        ]
        structure = self._add(DW_TAG.structure_type, {DW_AT.byte_size: end - begin}, members)
        return Die(
            DW_TAG.member, {DW_AT.name: outer, DW_AT.type: structure, DW_AT.data_member_location: begin}
        )

    def _member(self, type_: str, name: str, field: Field, short: str = "") -> Die:
        kind = self._type_of(f"{type_}.{name}", field)
        return Die(
            DW_TAG.member, {DW_AT.name: short or name, DW_AT.type: kind, DW_AT.data_member_location: field.offset}
        )

    def _type_of(self, name: str, field: Field) -> Die:
        if name == "ErtsSchedulerRegisters.x_reg_array":
            return self._registers_union(self.eterm, field.size // WORD)
        if name == "ErtsSchedulerRegisters.f_reg_array":
            return self._registers_union(self._base("double", _FLOAT, DW_ATE.float), field.size // _FLOAT)
        if name in _TERMS:
            return self.eterm
        if name in _POINTERS_TO_TERMS:
            return self._terms
        if name in _POINTERS:
            return self._void
        return self._integer(field.size, DW_ATE.signed if name in _SIGNED else DW_ATE.unsigned)

    def _registers_union(self, element: Die, count: int) -> Die:
        """As in C: an array ``d`` in a union, which is as large as cache lines are."""
        index = self._integer(WORD)
        subrange = Die(DW_TAG.subrange_type, {DW_AT.type: index, DW_AT.count: count})
        array = self._add(DW_TAG.array_type, {DW_AT.type: element}, [subrange])
        size = count * (WORD if element is self.eterm else _FLOAT)
        member = Die(DW_TAG.member, {DW_AT.name: "d", DW_AT.type: array, DW_AT.data_member_location: 0})
        return self._add(DW_TAG.union_type, {DW_AT.byte_size: size}, [member])
