"""AtomVM's types as far as native code uses them, and where native code has what it works on."""

from __future__ import annotations

from collections.abc import Sequence

from jit.atomvm.formats import X_REGISTERS, Layout
from jit.object.dwarf_constants import DW_AT, DW_ATE, DW_TAG
from jit.object.dwarf_info import Attributes, Die


class VmTypes:
    """Entries of the types: ``eterm`` is that of terms, ``dies`` are all in the order in which they are to be added.

    Context and JIT state are told of by the locations of the pointers to them."""

    def __init__(self, layout: Layout, context: bytes, state: bytes) -> None:
        self._layout = layout
        self.dies: list[Die] = []
        word = self._base("unsigned long", layout.word, DW_ATE.unsigned)
        self.eterm = self._add(DW_TAG.typedef, {DW_AT.name: "term", DW_AT.type: word})
        index = self._base("unsigned int", 4, DW_ATE.unsigned)
        count = self._base("int", 4, DW_ATE.signed)
        subrange = Die(DW_TAG.subrange_type, {DW_AT.type: index, DW_AT.count: X_REGISTERS})
        registers = self._add(DW_TAG.array_type, {DW_AT.type: self.eterm}, [subrange])
        stack, void = self._pointer(self.eterm), self._add(DW_TAG.pointer_type, {DW_AT.byte_size: layout.word})
        members = [("e", stack, layout.e), ("x", registers, layout.x), ("cp", self.eterm, layout.cp)]
        members += [("fr", void, layout.fr), ("bs", self.eterm, layout.bs)]
        self._context = self._pointer(self._structure("Context", members, layout.bs + layout.word))
        fields = [("module", void, layout.module), ("continuation", void, layout.continuation)]
        fields.append(("remaining_reductions", count, layout.reductions))
        self._state = self._pointer(self._structure("JITState", fields, layout.reductions + 4))
        self._variables = (("ctx", context, self._context), ("jit_state", state, self._state))

    def machine_variables(self) -> Sequence[Die]:
        """Variables of what is in the same place in all native code."""
        return [
            Die(DW_TAG.variable, {DW_AT.name: name, DW_AT.type: kind, DW_AT.location: location})
            for name, location, kind in self._variables
        ]

    def _add(self, tag: DW_TAG, attributes: Attributes, children: Sequence[Die] = ()) -> Die:
        self.dies.append(Die(tag, attributes, tuple(children)))
        return self.dies[-1]

    def _base(self, name: str, size: int, encoding: DW_ATE) -> Die:
        return self._add(DW_TAG.base_type, {DW_AT.name: name, DW_AT.byte_size: size, DW_AT.encoding: int(encoding)})

    def _pointer(self, target: Die) -> Die:
        return self._add(DW_TAG.pointer_type, {DW_AT.byte_size: self._layout.word, DW_AT.type: target})

    def _structure(self, name: str, members: Sequence[tuple[str, Die, int]], size: int) -> Die:
        children = [
            Die(DW_TAG.member, {DW_AT.name: member, DW_AT.type: kind, DW_AT.data_member_location: offset})
            for member, kind, offset in members
        ]
        return self._add(DW_TAG.structure_type, {DW_AT.name: name, DW_AT.byte_size: size}, children)
