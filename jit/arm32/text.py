"""Machine code as text, in the syntax of GNU as."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import chain
from types import ModuleType

from jit.arm32 import (
    bits,
    branches,
    data_processing,
    float_arithmetic,
    float_moves,
    load_store,
    load_store_multiple,
    multiply,
    synchronization,
    system,
)
from jit.arm32.buffer import FinishedCode
from jit.arm32.conditions import CONDITIONS
from jit.arm32.encoding import Encoding
from jit.arm32.immediates import expand_float, expand_modified, modified
from jit.arm32.operands import SHIFT_NAMES
from jit.arm32.registers import CORE_NAMES
from jit.arm32.synchronization import BARRIER_OPTIONS

_FAMILIES = (
    data_processing, multiply, bits, load_store, load_store_multiple, synchronization, branches, system,
    float_arithmetic, float_moves,
)  # fmt: skip

#: Names of addresses, for branch targets.
Names = Mapping[int, str]


def text(word: int, address: int = 0, names: Names | None = None) -> str:
    """The instruction *word* at *address*, or ``.inst`` and the word when the assembler could not have made it."""
    for encoding in _candidates(word & _INDEX_MASK):
        values = encoding.decode(word)
        if values is not None:
            return encoding.syntax.format_map(_Operands(values, address, {} if names is None else names))
    return f".inst {word:#010x}"


def listing(code: FinishedCode, address: int = 0) -> Iterator[tuple[int, int, str]]:
    """Each word of *code* loaded at *address*: its offset, the word, and its text."""
    names = {address + offset: name for name, offset in code.symbols.items()}
    changes = dict(code.mapping)
    in_data = False
    for index, (word,) in enumerate(struct.iter_unpack("<I", code.data)):
        offset = 4 * index
        in_data = changes.get(offset, "$d" if in_data else "$a") == "$d"
        yield offset, word, f".word {word:#010x}" if in_data else text(word, address + offset, names)


def encodings() -> Iterator[Encoding]:
    """All that are declared."""
    return chain.from_iterable(map(_declared, _FAMILIES))


def _declared(family: ModuleType) -> Iterator[Encoding]:
    for value in vars(family).values():
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Encoding):
                yield item


#: These bits tell most encodings apart.
_INDEX_MASK = 0x0FF0_00F0


@cache
def _candidates(index: int) -> list[Encoding]:
    """The encodings of words that are *index* under the mask; those that fix most bits, the most special, first."""
    fitting = [encoding for encoding in encodings() if not (index ^ encoding.bits) & encoding.mask & _INDEX_MASK]
    return sorted(fitting, key=lambda encoding: -encoding.mask.bit_count())


class _Operands(dict[str, str]):
    """What stands for the braces of a syntax: made from fields only when asked for."""

    def __init__(self, values: Mapping[str, int], address: int, names: Names) -> None:
        super().__init__()
        self.values_of = {**values, "address": address}
        self.names = names

    def __missing__(self, key: str) -> str:
        if key == "branch_target":
            target = _branch_target(self.values_of)
            return self.names.get(target, f"{target:#x}")
        return _RENDER[key](self.values_of)


Fields = Mapping[str, int]


def _branch_target(f: Fields) -> int:
    offset = (f["imm24"] ^ 0x80_0000) - 0x80_0000
    return f["address"] + 8 + 4 * offset + 2 * f.get("H", 0) & 0xFFFF_FFFF


def _core(name: str) -> Callable[[Fields], str]:
    return lambda f: CORE_NAMES[f[name]]


def _decimal(name: str) -> Callable[[Fields], str]:
    return lambda f: str(f[name])


def _constant(f: Fields) -> str:
    value = expand_modified(f["imm12"])
    return f"#{value}" if modified(value) == f["imm12"] else _byte_and_rotation(f)


def _byte_and_rotation(f: Fields) -> str:
    """A constant in another encoding than the one that assemblers choose."""
    return f"#{f['imm12'] & 0xFF}, {f['imm12'] >> 8 << 1}"


def _pc_offset(f: Fields) -> str:
    """As any constant; but GNU as takes large ones for negative offsets and then refuses them."""
    return _constant(f) if expand_modified(f["imm12"]) < 1 << 31 else _byte_and_rotation(f)


def _shift(f: Fields) -> str:
    if not f["imm5"]:
        return ("", ", lsr #32", ", asr #32", ", rrx")[f["type"]]
    return f", {SHIFT_NAMES[f['type']]} #{f['imm5']}"


def _address(f: Fields, offset: str) -> str:
    """[Rn, offset], [Rn, offset]! or [Rn], offset."""
    base = CORE_NAMES[f["Rn"]]
    if not f.get("P", 1):
        return f"[{base}], {offset}"
    if f.get("W"):
        return f"[{base}, {offset}]!"
    return f"[{base}, {offset}]" if offset != "#0" else f"[{base}]"


def _number(f: Fields, magnitude: int) -> str:
    return f"#{magnitude}" if f["U"] else f"#-{magnitude}"


def _index(f: Fields) -> str:
    return ("" if f["U"] else "-") + CORE_NAMES[f["Rm"]]


def _register_list(f: Fields) -> str:
    return "{" + ", ".join(name for bit, name in enumerate(CORE_NAMES) if f["register_list"] >> bit & 1) + "}"


def _saturate_shift(f: Fields) -> str:
    if not f["imm5"]:
        return ", asr #32" if f["sh"] else ""
    return f", {'asr' if f['sh'] else 'lsl'} #{f['imm5']}"


def _single(f: Fields, v: str, bit: str) -> int:
    return f[v] << 1 | f[bit]


def _double(f: Fields, v: str, bit: str) -> int:
    return f[bit] << 4 | f[v]


def _list(letter: str, first: int, count: int) -> str:
    return "{" + ", ".join(f"{letter}{number}" for number in range(first, first + count)) + "}"


def _mask(f: Fields) -> str:
    return "apsr_" + ("nzcvq" if f["mask"] & 2 else "") + ("g" if f["mask"] & 1 else "")


_BARRIERS = {number: name for name, number in BARRIER_OPTIONS.items()}

_RENDER: dict[str, Callable[[Fields], str]] = {
    "cond": lambda f: CONDITIONS[f["cond"]].name if f["cond"] != 14 else "",
    "S": lambda f: "s" if f["S"] else "",
    **{name: _core(name) for name in ("Rd", "RdHi", "RdLo", "Rn", "Rm", "Rs", "Ra", "Rt", "Rt2")},
    **{name: _decimal(name) for name in ("imm5", "imm24", "lsb", "sat_imm", "x")},
    "Rt_next": lambda f: CORE_NAMES[f["Rt"] + 1],
    "Rt_or_flags": lambda f: "apsr_nzcv" if f["Rt"] == 15 else CORE_NAMES[f["Rt"]],
    "const": _constant,
    "pc_offset": _pc_offset,
    "imm16": lambda f: f"#{f['imm4'] << 12 | f['imm12']}",
    "shift": _shift,
    "type": lambda f: SHIFT_NAMES[f["type"]],
    "right": lambda f: f"#{f['imm5'] or 32}",
    "width": lambda f: f"#{f['widthm1'] + 1}",
    "width_to_msb": lambda f: f"#{f['msb'] - f['lsb'] + 1}",
    "rotation": lambda f: f", ror #{8 * f['rotate']}" if f["rotate"] else "",
    "saturate_signed": lambda f: f"#{f['sat_imm'] + 1}",
    "saturate_shift": _saturate_shift,
    "address12": lambda f: _address(f, _number(f, f["imm12"])),
    "address8": lambda f: _address(f, _number(f, f["imm4H"] << 4 | f["imm4L"])),
    "address_words": lambda f: _address(f, _number(f, f["imm8"] << 2)),
    "address_shifted": lambda f: _address(f, _index(f) + _shift(f)),
    "address_register": lambda f: _address(f, _index(f)),
    "writeback": lambda f: "!" if f["W"] else "",
    "register_list": _register_list,
    "option": lambda f: _BARRIERS[f["option"]],
    "trap": lambda f: f"#{f['imm12'] << 4 | f['imm4']}",
    "mask": _mask,
    "float": lambda f: f"#{expand_float(f['imm4H'] << 4 | f['imm4L'])!r}",
    "Sd": lambda f: f"s{_single(f, 'Vd', 'D')}",
    "Sn": lambda f: f"s{_single(f, 'Vn', 'N')}",
    "Sm": lambda f: f"s{_single(f, 'Vm', 'M')}",
    "Dd": lambda f: f"d{_double(f, 'Vd', 'D')}",
    "Dn": lambda f: f"d{_double(f, 'Vn', 'N')}",
    "Dm": lambda f: f"d{_double(f, 'Vm', 'M')}",
    "singles": lambda f: _list("s", _single(f, "Vd", "D"), f["imm8"]),
    "doubles": lambda f: _list("d", _double(f, "Vd", "D"), f["imm8"] // 2),
}  # fmt: skip
