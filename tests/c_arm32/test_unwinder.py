"""Frames of C code for 32-bit ARM, found without debug information, against what the compiler says of them."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from beamgdb.machine_code.arm32 import GDB_NAMES, Transfer, decode
from beamgdb.unwinding.c_arm32.functions import Functions, functions_of
from beamgdb.unwinding.c_arm32.unwinder import CFrame, CUnwinder
from tests.c_arm32.call_frames import CallFrames, Place

SOURCE = Path(__file__).with_name("c_functions.c")
BIAS = 0x40000000
STACK = 0x7F000000
STACK_SIZE = 1 << 14
SAVED = [f"r{number}" for number in range(4, 12)] + [f"d{number}" for number in range(8, 16)]
STATIC = ("hidden", "after_frame", "thread")
ENDLESS = ("interpreter", "thread")
BUILDS = [
    (mode, *options)
    for mode in ("-mthumb", "-marm")
    for options in (("-O0",), ("-O1",), ("-O2",), ("-Os",), ("-O3", "-fno-shrink-wrap"))
]


@dataclass(frozen=True)
class Program:
    """A compiled and linked file, what the compiler says of it, and the calls in it."""

    frames: CallFrames
    functions: Functions
    unwinder: CUnwinder
    returns: dict[int, list[int]]
    """Return addresses (odd for Thumb code) of calls, by address called; 0: by a register."""


@cache
def built(directory: Path, options: tuple[str, ...]) -> Program:
    name = "".join(options)
    file, stripped = directory / f"{name}.so", directory / f"{name}.stripped"
    compiler = ("arm-linux-gnueabihf-gcc", "-march=armv7-a", "-mfpu=vfpv3-d16", "-mfloat-abi=hard", "-w", "-g")
    flags = ("-fPIC", "-fno-asynchronous-unwind-tables", "-shared", "-nostdlib", "-Wl,-z,lazy")
    subprocess.run([*compiler, *options, *flags, "-o", file, SOURCE], check=True)
    subprocess.run(["arm-linux-gnueabihf-strip", "-o", stripped, file], check=True)
    frames = CallFrames(file)
    with stripped.open("rb") as stream:
        functions = functions_of(stream)
    unwinder = CUnwinder(functions, BIAS, lambda at, size: frames.read(at - BIAS, size))
    return Program(frames, functions, unwinder, calls(frames))


def calls(frames: CallFrames) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {0: []}
    for place in frames.places:
        raw = frames.read(place.pc, place.size)
        assert raw is not None
        instruction = decode(raw, place.pc, place.thumb)
        if instruction.control is Transfer.CALL:
            target = place.pc + instruction.target if instruction.target is not None else 0
            found.setdefault(target, []).append((place.pc + place.size + BIAS) | place.thumb)
    return found


class Stopped:
    """Registers and stack of a thread that is at a place, or in a call made there."""

    def __init__(self, program: Program, place: Place, calling: bool) -> None:
        chance = random.Random(place.pc)
        self.everything = [address for addresses in program.returns.values() for address in addresses]
        self.registers = {name: chance.getrandbits(32) for name in (f"r{number}" for number in range(13))}
        self.registers |= {name: chance.getrandbits(64) for name in SAVED[8:]}
        self.registers |= {"sp": STACK, "pc": place.pc + BIAS + (place.size if calling else 0)}
        self.registers["cpsr"] = 0x10 | place.thumb << 5
        self.registers["lr"] = chance.choice(self.everything)
        if place.frame[0] != "sp":
            self.registers[place.frame[0]] = STACK + 8 * chance.randrange(8)
        self.cfa = self.registers[place.frame[0]] + place.frame[1]
        # The worst of stacks: all words look like return addresses.
        self.stack = [chance.choice(self.everything) for _ in range(STACK_SIZE // 4)]
        self.returns_to = chance.choice(program.returns.get(place.start) or self.everything)
        if "lr" in place.saved:
            self.stack[(self.cfa + place.saved["lr"] - STACK) // 4] = self.returns_to
        else:
            self.registers["lr"] = self.returns_to
        self.code = program.frames
        self.unused = unused(program.frames, place)

    def read(self, address: int, size: int) -> bytes | None:
        if STACK <= address < STACK + STACK_SIZE:
            words = self.stack[(address - STACK) // 4 :][: size // 4]
            return b"".join(word.to_bytes(4, "little") for word in words)
        return self.code.read(address - BIAS, size)

    def saved(self, place: Place, name: str) -> int:
        """What the caller has in a register."""
        if name not in place.saved or name in self.unused:
            return self.registers[name]
        raw = self.read(self.cfa + place.saved[name], 4 if name[0] == "r" else 8)
        assert raw is not None
        return int.from_bytes(raw, "little")


def unused(frames: CallFrames, place: Place) -> set[str]:
    """Registers that no instruction of the function changes, but by popping them: a copy of one may be overwritten."""
    found = set(SAVED)
    for other in frames.places:
        raw = frames.read(other.pc, other.size) if other.start == place.start else None
        effects = decode(raw, other.pc, other.thumb).effects if raw is not None else ()
        changed = {GDB_NAMES.get(effect.to, effect.to) for effect in effects if effect.kind != "store"}
        if "sp" not in changed:
            found -= changed
    return found


def stops(program: Program) -> Iterator[tuple[Place, bool]]:
    """Each place, and each place that makes a call once more."""
    for place in program.frames.places:
        if place.frame[0] != "sp" and place.function in ENDLESS:
            continue  # There the frame has a fixed size, but the compiler does not say which.
        yield place, False
        raw = program.frames.read(place.pc, place.size)
        if raw is not None and decode(raw, place.pc, place.thumb).control is Transfer.CALL:
            yield place, True


def unwound(program: Program, place: Place, calling: bool) -> tuple[Stopped, CFrame | None]:
    thread = Stopped(program, place, calling)
    return thread, program.unwinder.unwind(thread.registers.get, thread.read, innermost=not calling)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("arm32")


@pytest.mark.parametrize("options", BUILDS, ids=" ".join)
def test_every_instruction(directory: Path, options: tuple[str, ...]) -> None:
    """The caller's pc, stack pointer and saved registers are right everywhere, and known nearly everywhere."""
    program = built(directory, options)
    unknown, total = [], 0
    for place, calling in stops(program):
        total += 1
        where = f"{place.function}+{place.pc - place.start}"
        thread, found = unwound(program, place, calling)
        if found is None:
            unknown.append(where)
            continue
        assert (hex(found.cfa), hex(found.registers["sp"])) == (hex(thread.cfa),) * 2, where
        assert hex(found.registers["pc"]) == hex(thread.returns_to & ~1), where
        assert found.registers["cpsr"] >> 5 & 1 == thread.returns_to & 1, where
        for name in SAVED:
            if name in found.registers:
                assert found.registers[name] == thread.saved(place, name), (where, name)
    assert len(unknown) <= 0.01 * total, unknown


@pytest.mark.parametrize("options", BUILDS, ids=" ".join)
def test_starts_of_static_functions(directory: Path, options: tuple[str, ...]) -> None:
    """They are known from calls and from where their addresses are taken, and nothing else is taken for one."""
    program = built(directory, options)
    static = {place.start | place.thumb for place in program.frames.places if place.function in STATIC}
    assert static
    assert static <= set(program.functions.starts)
    all_starts = {place.start | place.thumb for place in program.frames.places}
    text = (min(all_starts), max(all_starts))
    assert {start for start in program.functions.starts if text[0] <= start <= text[1]} <= all_starts


def test_other_code_is_left_to_others(directory: Path) -> None:
    program = built(directory, BUILDS[0])
    registers = {"pc": STACK, "sp": STACK, "cpsr": 0x10, "lr": 0}
    assert program.unwinder.unwind(registers.get, lambda *_: None, innermost=True) is None


def test_a_destroyed_stack(directory: Path) -> None:
    """Where what should be the return address is none, nothing is claimed."""
    program = built(directory, BUILDS[2])
    for place, calling in stops(program):
        if "lr" in place.saved:
            thread = Stopped(program, place, calling)
            thread.stack = [0xDEADBEEF] * len(thread.stack)
            thread.registers["lr"] = 0xDEADBEEF
            assert program.unwinder.unwind(thread.registers.get, thread.read, innermost=not calling) is None
