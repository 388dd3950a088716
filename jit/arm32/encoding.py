"""How one encoding of an instruction is declared, encoded and recognised."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from jit.arm32.cpus import Feature
from jit.codegen.processor import OperandError

#: Bits of each field, under the manual's names. The bits of (0) and (1) in the manual's diagrams are written plain.
FIELD_WIDTHS = {
    **dict.fromkeys(("D", "E", "H", "M", "N", "P", "S", "U", "W", "sh", "x"), 1),
    **dict.fromkeys(("type", "rotate", "mask"), 2),
    **dict.fromkeys(("cond", "Ra", "Rd", "RdHi", "RdLo", "Rm", "Rn", "Rs", "Rt", "Rt2", "Vd", "Vm", "Vn"), 4),
    **dict.fromkeys(("imm4", "imm4H", "imm4L", "option"), 4),
    **dict.fromkeys(("imm5", "lsb", "msb", "sat_imm", "widthm1"), 5),
    "imm8": 8,
    "imm12": 12,
    "register_list": 16,
    "imm24": 24,
}

_REGISTER_FIELD = re.compile("R[a-z]")
_NEVER_CONDITION = 15
_PC = 15


class Encoding:
    """One encoding diagram of the manual.

    *syntax* is what GNU as writes, operands in braces (see ``text``); *diagram* is the word from bit 31 down: bits and
    names of fields; *source* the heading in the manual. Register fields cannot be 15, the program counter, except those
    named in *pc*. *never* maps further conditions on the fields, in Python, under which the result is unpredictable
    or another instruction, to the message that says so. *feature* is what a processor must have for it.

    ``encode(field=value, ...)`` gives the instruction's word, or raises OperandError.
    """

    __slots__ = ("syntax", "mnemonic", "source", "feature", "fields", "bits", "mask", "encode", "_guarded", "_never")

    def __init__(
        self,
        syntax: str,
        diagram: str,
        source: str,
        *,
        pc: str = "",
        never: Mapping[str, str] | None = None,
        feature: Feature | None = None,
    ) -> None:
        self.syntax = syntax
        self.mnemonic = re.split(r"[{ .]", syntax, maxsplit=1)[0]
        self.source = source
        self.feature = feature
        self.fields, self.bits, self.mask = _parse(diagram)
        self._guarded = [name for name in self.fields if _REGISTER_FIELD.match(name) and name not in pc.split()]
        self._never = dict(never or {})
        # VFPv3-D16 has half of the doubles that the encodings could name.
        self._never.update({bit: "d16 to d31 do not exist" for bit in "DNM" if f"{{D{bit.lower()}}}" in syntax})
        self.encode = self._compile()

    def _compile(self) -> Callable[..., int]:
        """A function made from the declaration: several times as fast as a loop over the fields."""
        refused = [f"{name} == {_PC}" for name in self._guarded]
        refused += [f"{name} >> {width}" for name, (_, width) in self.fields.items() if _is_number(name)]
        refused += [f"({condition})" for condition in self._never]
        lines = [f"def encode({'*, ' if self.fields else ''}{', '.join(self.fields)}):"]
        if refused:
            lines += [f"    if {' or '.join(refused)}:", "        raise refusal(locals())"]
        shifted = [f"{name} << {shift}" for name, (shift, _) in self.fields.items()]
        lines.append(f"    return {' | '.join([hex(self.bits), *shifted])}")
        scope: dict[str, Callable[..., int]] = {}
        exec("\n".join(lines), {"refusal": self._refusal}, scope)
        return scope["encode"]

    def _refusal(self, values: Mapping[str, int]) -> OperandError:
        for name in self._guarded:
            if values[name] == _PC:
                return OperandError(f"{self.mnemonic}: {name} cannot be pc")
        for name, (_, width) in self.fields.items():
            if _is_number(name) and values[name] >> width:
                return OperandError(f"{self.mnemonic}: {name} is {values[name]}, not in 0..{(1 << width) - 1}")
        broken = [message for condition, message in self._never.items() if eval(condition, {}, dict(values))]
        return OperandError(f"{self.mnemonic}: {broken[0]}")

    def decode(self, word: int) -> dict[str, int] | None:
        """The fields of *word*; None when it is not this encoding, or one that ``encode`` would refuse to make."""
        if word & self.mask != self.bits:
            return None
        values = {name: word >> shift & ((1 << width) - 1) for name, (shift, width) in self.fields.items()}
        if values.get("cond") == _NEVER_CONDITION:
            return None
        try:
            self.encode(**values)
        except OperandError:
            return None
        return values

    def __repr__(self) -> str:
        return f"<{self.source}: {self.syntax}>"


def _is_number(name: str) -> bool:
    """Whether values of the field come from numbers that callers give, rather than from typed operands."""
    return name.startswith("imm") or name in ("lsb", "msb", "widthm1", "sat_imm", "rotate", "option", "register_list")


def _parse(diagram: str) -> tuple[dict[str, tuple[int, int]], int, int]:
    """Fields, as name -> (shift, width), and the fixed bits and their mask."""
    fields: dict[str, tuple[int, int]] = {}
    shift, bits, mask = 32, 0, 0
    for token in diagram.split():
        width = FIELD_WIDTHS.get(token) or len(token)
        shift -= width
        if token in FIELD_WIDTHS:
            fields[token] = (shift, width)
        else:
            bits |= int(token, 2) << shift
            mask |= (1 << width) - 1 << shift
    if shift:
        raise ValueError(f"the diagram {diagram!r} has {32 - shift} bits")
    return fields, bits, mask
