"""Terms and modules of AtomVM as the debugger reads them, from bytes."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from beamgdb.atomvm.modules import ModuleFile
from beamgdb.atomvm.terms import Terms, pid_number
from beamgdb.memory import BytesMemory, CachedMemory
from beamgdb.terms.source import Limits
from beamgdb.terms.text import term_text
from beamgdb.terms.values import Atom
from jit.__main__ import main as jit
from jit.otp.layouts.layout import Layout
from jit.otp.layouts.resolve import Field, StructLayout

BASE = 0x10000
ATOMS = {0: "false", 1: "true", 9: "an_atom", 10: "node@host"}


class Names:
    """What else terms ask of a VM."""

    def atom(self, index: int) -> str | None:
        return ATOMS.get(index)

    def place(self, word: int) -> str | None:
        return f"place {word:#x}"

    def handler(self, word: int) -> str | None:
        return f"handler {word >> 24}"

    def fun(self, module: int, index: int) -> tuple[Atom, int, int, int] | None:
        return (Atom(9, "a_module"), index, 1234, 1) if module == 0x5000 else None


def terms(*words: int, size: int = 8, more: bytes = b"", floats: int = 8) -> Terms:
    """Terms of a VM whose memory has these words from BASE on, then other bytes."""
    data = struct.pack(f"<{len(words)}{'Q' if size == 8 else 'I'}", *words) + more
    fields = {"size": Field(3 * size, size), "resource_type": Field(4 * size, size), "data": Field(5 * size, 1)}
    structs = {"RefcBinary": StructLayout(5 * size, fields)}
    layout = Layout("a test", "", "", "", "atomvm", "", size, frozenset(), structs, {}, {})
    return Terms(CachedMemory(BytesMemory({BASE: data}, size)), layout, Names(), floats)


def text(word: int, *words: int, size: int = 8, more: bytes = b"", floats: int = 8) -> str:
    return term_text(terms(*words, size=size, more=more, floats=floats).decode(word, Limits()))


BOXED, LIST = BASE | 2, BASE | 1


def boxed(kind: int, count: int) -> int:
    """A header (term.h): the number of words that follow, above the kind."""
    return count << 6 | kind


def small(number: int) -> int:
    return number << 4 | 0xF


def atom(index: int) -> int:
    return index << 6 | 0xB


NIL = 0x3B
IMMEDIATE = [
    (small(42), "42"), (small(-1) & (1 << 64) - 1, "-1"), (0x13, "<0.1.0>"), (0x27, "#Port<0.2>"), (atom(9), "an_atom"),
    (atom(77), "<atom 77>"), (NIL, "[]"), (0x0300001B, "<catch handler 3>"), (0x04000010, "<cp place 0x4000010>"),
    (0, "<non-value>"), (0x2B, "<unknown 0x2b>"),
]  # fmt: skip


@pytest.mark.parametrize(("word", "wanted"), IMMEDIATE)
def test_words(word: int, wanted: str) -> None:
    assert text(word) == wanted


OBJECTS = [
    ((boxed(0, 2), small(1), atom(1)), "{1,true}"),
    ((boxed(0, 0),), "{}"),
    # A map has its keys in a tuple, before the values.
    ((boxed(0x2C, 2), BASE + 24 | 2, small(2), boxed(0, 1), atom(9)), "#{an_atom => 2}"),
    ((boxed(0x08, 1), 1 << 62), "4611686018427387904"),
    ((boxed(0x0C, 1), (1 << 64) - (1 << 62)), "-4611686018427387904"),
    ((boxed(0x08, 2), 0, 1), "18446744073709551616"),
    ((boxed(0x0C, 2), 0, 1), "-18446744073709551616"),
    ((boxed(0x18, 1), struct.unpack("<Q", struct.pack("<d", 1.5))[0]), "1.5"),
    ((boxed(0x10, 1), 5 << 32 | 7), "#Ref<0.5.7>"),
    ((boxed(0x14, 3), atom(9), atom(1), small(2)), "fun an_atom:true/2"),
    ((boxed(0x14, 3), 0x5000, small(4), NIL), "#Fun<a_module.4.1234>"),
    ((boxed(0x24, 2), 3, int.from_bytes(b"abc", "little")), '<<"abc">>'),
    # Outside: size, flags, pointer; what is constant has nothing before its bytes.
    ((boxed(0x20, 5), 4, 1, BASE + 48, 0, 0, int.from_bytes(b"wxyz", "little")), '<<"wxyz">>'),
    ((boxed(0x20, 5), 4, 0, BASE + 8, 0, 0, int.from_bytes(b"wxyz", "little")), '<<"wxyz">>'),
    ((boxed(0x28, 3), 2, 1, BASE + 32 | 2, boxed(0x24, 2), 4, int.from_bytes(b"wxyz", "little")), '<<"xy">>'),
    ((boxed(0x04, 3), BASE + 32 | 2, 8, 0, boxed(0x24, 2), 2, int.from_bytes(b"wx", "little")),
     '<match context at bit 8: <<"x">>>'),
    ((boxed(0x30, 2), 3 << 32 | 10, 2 << 32 | 1), "<10.1.2>"),
    ((boxed(0x34, 2), 3 << 32 | 10, 7 << 32), "#Port<10.7>"),
    ((boxed(0x38, 4), 3 << 32 | 10, 5 << 32 | 2, 6, 0), "#Ref<10.6.5>"),
    # A collection has moved it.
    ((0x2B, 0x77770002), "<moved 0x77770002>"),
    # Damage.
    ((boxed(0x2C, 9), small(1)), f"<unknown boxed {BASE:#x}: impossible size>"),
    ((boxed(0x2C, 9), 0x22), "<unreadable 0x20>"),
    ((boxed(0x1C, 1), 0), f"<unknown boxed {BASE:#x}: no kind of term>"),
    ((small(1),), f"<unknown boxed {BASE:#x}: no header word>"),
    ((boxed(0x24, 1), 1 << 40), f"<unknown boxed {BASE:#x}: impossible size>"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "wanted"), OBJECTS)
def test_objects(words: tuple[int, ...], wanted: str) -> None:
    assert text(BOXED, *words) == wanted


def test_lists() -> None:
    """The tail of a cell comes first."""
    assert text(LIST, BASE + 16 | 1, small(1), NIL, atom(9)) == "[1,an_atom]"
    assert text(LIST, BASE + 16 | 1, small(1), small(2), atom(9)) == "[1,an_atom|2]"
    assert text(LIST, NIL, small(ord("a"))) == '"a"'
    assert text(LIST, 0x2B, 0x77770001) == "<moved 0x77770001>"
    # A circle ends where the limit is.
    assert text(LIST, LIST, atom(1)).endswith("|...]")


def test_words_of_32_bits() -> None:
    assert text(small(-5) & 0xFFFFFFFF, size=4) == "-5"
    assert text(BOXED, boxed(0x08, 2), 0, 1, size=4) == "4294967296"
    assert text(BOXED, boxed(0x10, 2), 5, 7, size=4) == "#Ref<0.5.7>"
    assert text(BOXED, boxed(0x18, 2), 0, 0x3FF80000, size=4) == "1.5"
    assert text(BOXED, boxed(0x18, 1), 0x3FC00000, size=4, floats=4) == "1.5"
    assert text(BOXED, boxed(0x38, 4), 10, 3, 5, 6, size=4) == "#Ref<10.6.5>"


def test_parts() -> None:
    found = terms(BASE + 16 | 1, small(1), small(2), atom(9)).parts(LIST, 10)
    assert [(one.word, one.place) for one in found] == [(small(1), 1), (atom(9), 2), (small(2), None)]
    assert terms(small(1)).parts(BOXED, 10) == []
    assert pid_number(0x13) == 1


@pytest.mark.parametrize("target", ["x86_64", "arm32", "aarch64"])
def test_native_code_is_as_bytecode(program: Path, tmp_path: Path, target: str) -> None:
    """Functions, and lines within them, are told by tables at the end of native code as by the operations of the file
    that it was made of."""
    assert jit(["compile", "--runtime", "atomvm", "--target", target, str(program), "-o", str(tmp_path)]) == 0
    bytecode = ModuleFile(program.read_bytes(), target, native=False)
    native = ModuleFile((tmp_path / program.name).read_bytes(), target, native=True)
    assert native.name == bytecode.name == "program"
    assert {one.text for one in native.functions} == {one.text for one in bytecode.functions}

    def lines(file: ModuleFile) -> dict[str, set[int]]:
        found: dict[str, set[int]] = {}
        for offset, _, _ in file.lines:
            place = file.place(offset)
            if place is not None and place.line is not None:
                found.setdefault(place.function.text, set()).add(place.line)
        return found

    told = lines(bytecode)
    assert lines(native).keys() <= told.keys()
    for function, numbers in lines(native).items():
        assert numbers <= told[function], function
    for one in native.functions:
        place = native.place(one.entry)
        assert place is not None
        assert place.function == one


def test_frames_of_bytecode(program: Path) -> None:
    """A function that calls itself last but one has a frame there, and none at its entry."""
    file = ModuleFile(program.read_bytes(), "x86_64", native=False)
    fib = file.function("fib", 1)
    assert fib is not None
    assert file.has_frame(fib.entry) is False
    operations = next(one for one in file.operations if one[0].offset - 20 == fib.start)
    calls = [one.offset - 20 for one in operations if one.name == "call"]
    assert calls
    assert all(file.has_frame(at) for at in calls)
    assert file.has_frame(1 << 30) is None
