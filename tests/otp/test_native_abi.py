"""What a debugger recognises native code by is what the assembler makes, and what emitters emit."""

from __future__ import annotations

import struct
from functools import cache
from typing import Any

import pytest

from beamgdb.native import registers
from beamgdb.native.registers import leads_away
from jit.arm32.assembler import Assembler
from jit.arm32.conditions import CONDITIONS
from jit.arm32.operands import at, post
from jit.arm32.registers import CORE, LR, PC, R1, R12, SP
from jit.beam.module import read_module
from jit.codegen.compile import compile_module
from jit.codegen.processor import Label
from jit.erts.arm32 import conventions
from jit.erts.arm32.conventions import NATIVE_ENTRY, PROCESS, E
from jit.erts.arm32.native import MixedNative
from jit.erts.arm32.runtime import StockErts
from jit.erts.layout import RELEASES, load
from jit.otp import native_abi
from jit.otp.native_abi import WORD, Instructions
from tests.codegen.native_node import library

CALLEE = CORE[native_abi.CALLEE]
OFFSETS = range(0, 4096, 4)


def made(name: str, *operands: Any) -> int:
    """The instruction that the assembler makes."""
    a = Assembler()
    getattr(a, name)(*operands)
    return int(struct.unpack_from("<I", a.finish().data)[0])


def whole(one: Instructions) -> set[int]:
    """All instructions that are meant, of which the offset or the register stored varies."""
    assert one.mask in (0xFFFF_FFFF, 0xFFFF_F000, 0xFFFF_0FFF)
    return {one.word | bits for bits in range(0x1_0000) if bits & one.mask == 0}


def test_they_are_as_the_assembler_makes_them() -> None:
    assert made("ldr", PC, at(CALLEE, NATIVE_ENTRY)) == native_abi.RETURNS.word
    assert made("bx", R12) == native_abi.GOES_IN.word
    assert {made("str", one, at(E)) for one in CORE[:15]} < whole(native_abi.PUSHES)
    assert {made("str", E, at(PROCESS, offset)) for offset in OFFSETS} < whole(native_abi.SHOWS_STACK)
    assert {made("str", LR, at(SP, offset)) for offset in OFFSETS} < whole(native_abi.KEEPS_LINK)
    for condition in CONDITIONS:
        for left in (made("bx", LR, condition), made("ldr", PC, at(SP, 12), condition)):
            assert [one.has(left) for one in native_abi.LEAVES].count(True) == 1
            assert leads_away(left)


def test_what_leads_away() -> None:
    def branch(name: str) -> int:
        a, label = Assembler(), Label()
        a.bind(label)
        getattr(a, name)(label)
        return int(struct.unpack_from("<I", a.finish().data)[0])

    away = (made("bx", R1), made("blx", R12), made("ldr", PC, at(R1, R12)), made("ldr", PC, post(SP, WORD)))
    assert all(map(leads_away, (branch("b"), branch("bl"), *away)))
    stays = (made("ldr", LR, at(SP)), made("str", LR, at(SP)), made("ldrb", R1, at(R12)), made("mov", R1, R12))
    assert not any(map(leads_away, stays))


def test_what_a_native_caller_carries_is_not_what_is_known_of_it() -> None:
    known = {registers.PROCESS, registers.STACK, registers.REGISTERS, "sp", "pc", "cpsr"}
    assert known.isdisjoint((*registers.CARRIED, registers.CARRIED_PC))
    assert set(registers.CARRIED.values()) <= set(registers.SAVED)


def test_others_are_not_taken_for_them() -> None:
    meant = [one for one in vars(native_abi).values() if isinstance(one, Instructions)]
    for other in (
        made("str", R1, at(E, WORD)),
        made("ldr", R1, at(E)),
        made("str", LR, at(R12)),
        made("ldr", PC, at(CALLEE, NATIVE_ENTRY + WORD)),
        made("bx", R1),
    ):
        assert not any(one.has(other) for one in (*meant, *native_abi.LEAVES))


@cache
def native(otp: int) -> MixedNative:
    path = library(otp, "stdlib") / "proplists.beam"
    return compile_module(read_module(path), StockErts(otp))


def words(otp: int, begin: int, end: int) -> list[int]:
    return [word for (word,) in struct.iter_unpack("<I", native(otp).code.data[begin:end])]


def fragment(otp: int, symbol: str) -> list[int]:
    places = {one.name: (one.begin, one.end) for one in native(otp).fragments}
    return words(otp, *places[symbol])


@pytest.mark.parametrize("otp", RELEASES)
def test_fragments_have_them(otp: int) -> None:
    enter = fragment(otp, native_abi.ENTER)
    assert [native_abi.GOES_IN.has(word) for word in enter].count(True) == 1
    assert enter[0] == made("push", *(CORE[number] for number in native_abi.SAVED), LR)
    collect = fragment(otp, native_abi.FRAGMENT + "collect_garbage")
    assert native_abi.KEEPS_LINK.has(collect[0])
    assert [native_abi.SHOWS_STACK.has(word) for word in collect].count(True) == 1
    assert [any(one.has(word) for one in native_abi.LEAVES) for word in collect].count(True) == 1
    stop = next(word & native_abi.OFFSET for word in collect if native_abi.SHOWS_STACK.has(word))
    assert stop == load(otp)["Process.stop"]
    called = made("ldr", PC, at(CALLEE, WORD * native_abi.PLACE))
    assert fragment(otp, native_abi.CALL_CODE)[5] & 0x0FFF_FFFF == called & 0x0FFF_FFFF


@pytest.mark.parametrize("otp", RELEASES)
def test_functions_have_them(otp: int) -> None:
    """A return address for each call, and a way to it for each return."""
    pushed = returned = 0
    for one in native(otp).functions:
        code = words(otp, one.start, one.end)
        operations = [operation.name for operation in one.emission.operations]
        pushes = [native_abi.PUSHES.has(word) for word in code].count(True)
        returns = [native_abi.RETURNS.has(word) for word in code].count(True)
        assert pushes >= operations.count("call")
        assert (returns > 0) == ("return" in operations)
        pushed, returned = pushed + operations.count("call"), returned + returns
    assert pushed > 20
    assert returned > 10


@pytest.mark.parametrize("otp", RELEASES)
def test_words_are_behind_calls_of_fragments_that_do_not_come_back(otp: int) -> None:
    code = words(otp, 0, len(native(otp).code.data))
    places = {one.begin: one.name for one in native(otp).fragments}
    relocated = {relocation.offset for relocation in native(otp).code.relocations}
    counts = dict.fromkeys(native_abi.WORDS_BEHIND, 0)
    for index, word in enumerate(code):
        if word >> 24 != 0xEB:
            continue
        distance = (word & 0xFF_FFFF ^ 0x80_0000) - 0x80_0000
        name = places.get(WORD * (index + 2 + distance), "")
        if name in counts:
            counts[name] += 1
            assert WORD * (index + 1) in relocated, "the first is the address of bytecode"
    assert all(counts.values())


def test_the_frame_of_the_way_in() -> None:
    assert (*(CORE[number] for number in native_abi.SAVED), LR) == conventions.SAVED
    assert conventions.FRAME_SIZE % 8 == 0
