"""The VM's types as far as native code uses them, and what CPU registers hold while it runs.

The structures have the names that they have in C, without the typedefs: whoever looks for a typedef such as ``Process``
looks for the whole structure. Members are those whose offsets the layout tells, and no others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from jit.erts.arm32 import conventions
from jit.erts.arm32.conventions import WORD
from jit.erts.layout import NativeLayout
from jit.object import dwarf_expression as expression
from jit.object.dwarf_constants import DW_AT, DW_ATE, DW_TAG
from jit.object.dwarf_info import Die
from jit.otp.layouts.resolve import Field

# What members are, if not unsigned integers; erl_process.h.
_TERMS: Final = frozenset("common.id fvalue seq_trace_token".split())
_POINTERS_TO_TERMS: Final = frozenset("htop stop high_water".split())
_POINTERS: Final = frozenset(
    "i current mbuf scheduler_data sig_qs.first sig_qs.last sig_qs.save sig_qs.cont sig_qs.recv_mrk_blk "
    "sig_inq.first sig_inq_buffers".split()
)
_SIGNED: Final = frozenset("fcalls catches sig_qs.mq_len".split())
_FLOAT: Final = 8


@dataclass(frozen=True)
class _Row:
    """A field of the layout, by its name there, and by its path in the structure that is being made."""

    name: str
    path: str
    field: Field

    def inside(self, outer: str) -> _Row:
        return _Row(self.name, self.path.removeprefix(f"{outer}."), self.field)


class VmTypes:
    """Entries of the types: ``eterm`` is that of terms, ``dies`` are all in the order in which they are to be added."""

    def __init__(self, layout: NativeLayout) -> None:
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
            ("c_p", conventions.PROCESS, self._process),
            ("registers", conventions.REGISTERS, self._registers),
            ("E", conventions.E, self._terms),
            ("HTOP", conventions.HTOP, self._terms),
            ("FCALLS", conventions.FCALLS, self._integer(WORD, DW_ATE.signed)),
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
        return self._add(DW_TAG.base_type, {DW_AT.name: name, DW_AT.byte_size: size, DW_AT.encoding: int(encoding)})

    def _pointer(self, target: Die) -> Die:
        return self._add(DW_TAG.pointer_type, {DW_AT.byte_size: WORD, DW_AT.type: target})

    def _integer(self, size: int, encoding: DW_ATE = DW_ATE.unsigned) -> Die:
        key = size, encoding
        if key not in self._integers:
            prefix = "Uint" if encoding == DW_ATE.unsigned else "Sint"
            self._integers[key] = self._base(f"{prefix}{8 * size}", size, encoding)
        return self._integers[key]

    def _structure(self, tag: str, type_: str) -> Die:
        """A structure of the fields that the layout has of a type."""
        prefix = f"{type_}."
        rows = [_Row(name, name.removeprefix(prefix), field) for name, field in self._layout.fields.items()]
        own = [row for row in rows if row.name.startswith(prefix)]
        return self._of_rows(own, begin=0, tag=tag)

    def _of_rows(self, rows: Sequence[_Row], begin: int, tag: str = "") -> Die:
        """A structure at an offset in the outermost one; what stands before a dot is a member of its own."""
        members: dict[int, Die] = {}
        for outer in dict.fromkeys(row.path.partition(".")[0] for row in rows):
            inner = [row.inside(outer) for row in rows if row.path.startswith(f"{outer}.")]
            if inner:
                offset = min(row.field.offset for row in inner)
                kind = self._of_rows(inner, offset)
            else:
                (row,) = (row for row in rows if row.path == outer)
                offset, kind = row.field.offset, self._type_of(row.name, row.field)
            members[offset] = _member(outer, kind, offset - begin)
        size = max(row.field.offset + row.field.width for row in rows) - begin
        attributes: dict[DW_AT, int | str | Die] = {DW_AT.byte_size: size}
        if tag:
            attributes[DW_AT.name] = tag
        return self._add(DW_TAG.structure_type, attributes, [members[offset] for offset in sorted(members)])

    def _type_of(self, name: str, field: Field) -> Die:
        if name == "ErtsSchedulerRegisters.x_reg_array":
            return self._registers_union(self.eterm, field.width // WORD)
        if name == "ErtsSchedulerRegisters.f_reg_array":
            return self._registers_union(self._base("double", _FLOAT, DW_ATE.float), field.width // _FLOAT)
        path = name.partition(".")[2]
        if path in _TERMS:
            return self.eterm
        if path in _POINTERS_TO_TERMS:
            return self._terms
        if path in _POINTERS:
            return self._void
        return self._integer(field.width, DW_ATE.signed if path in _SIGNED else DW_ATE.unsigned)

    def _registers_union(self, element: Die, count: int) -> Die:
        """As in C: an array ``d`` in a union, which is as large as cache lines are."""
        index = self._integer(WORD)
        subrange = Die(DW_TAG.subrange_type, {DW_AT.type: index, DW_AT.lower_bound: 0, DW_AT.count: count})
        array = self._add(DW_TAG.array_type, {DW_AT.type: element}, [subrange])
        size = count * (WORD if element is self.eterm else _FLOAT)
        return self._add(DW_TAG.union_type, {DW_AT.byte_size: size}, [_member("d", array, 0)])


def _member(name: str, kind: Die, offset: int) -> Die:
    return Die(DW_TAG.member, {DW_AT.name: name, DW_AT.type: kind, DW_AT.data_member_location: offset})
