"""A processor and a runtime that have nothing in common with the compiler's own, for few operations.

X registers are in an array at rdi, the one argument of a native function, which is a C function on x86-64. Two of them
may be in rbx and rbp, which are pushed at the entry.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from jit.beam.module import Module
from jit.beam.operands import BeamLabel, Import, Integer, Operand, X, Y
from jit.beam.operations import Function, Operation
from jit.codegen.cache import Cache, Keeps
from jit.codegen.describe import describe, symbol
from jit.codegen.disassembly import Disassembly
from jit.codegen.emission import Analysis, FunctionEmission, Unsupported
from jit.codegen.native import Fragment, Native, NativeFunction
from jit.codegen.processor import Event, Jumped, Label, Processor, RegisterLoaded, RegisterSaved, StackMoved
from jit.codegen.runtime import Emitter
from jit.codegen.unwinding import Frame, Stretch
from jit.object import dwarf_expression as expression
from jit.object.dwarf_constants import DW_AT, DW_ATE, DW_TAG
from jit.object.dwarf_info import Die
from jit.object.elf import ElfFile
from jit.object.elf_constants import EM, ET, SHF, SHT, STT
from jit.object.target import Target

WORD: Final = 8


@dataclass(frozen=True)
class Register:
    """``code`` is what instructions hold; the number in DWARF is another one (System V ABI, AMD64, 3.6.2)."""

    number: int
    code: int
    name: str


RAX, RCX, RBX, RBP = Register(0, 0, "rax"), Register(2, 1, "rcx"), Register(3, 3, "rbx"), Register(6, 5, "rbp")
RDI, RSP, RETURN_ADDRESS = 5, 7, 16
X86_64 = Processor("x86_64", Target(WORD, machine=EM.X86_64), 1, RSP, RETURN_ADDRESS)


@dataclass
class Code:
    """Finished code."""

    data: bytes
    events: list[Event]


@dataclass
class X86Assembler:
    """Instructions of one to eleven bytes."""

    data: bytearray = field(default_factory=bytearray)
    events: list[Event] = field(default_factory=list)
    branches: int = 0

    @property
    def offset(self) -> int:
        return len(self.data)

    def emit(self, code: bytes, *events: Callable[[int, int], Event]) -> None:
        begin = self.offset
        self.data += code
        self.events += [event(begin, self.offset) for event in events]

    def bind(self, label: Label) -> None:
        label.offset = self.offset
        for place, origin, fill in label.waiting:
            self.data[place : place + 4] = fill(0, self.offset - origin).to_bytes(4, "little", signed=True)

    def move(self, into: Register, source: Register) -> None:
        if into != source:
            self.emit(bytes((0x48, 0x89, 0xC0 | source.code << 3 | into.code)))

    def jump(self, target: Label) -> None:
        self.branches += 1
        self.emit(b"\xe9\0\0\0\0", lambda begin, end: Jumped(begin, end, target, always=True))
        if target.offset is None:
            target.waiting.append((self.offset - 4, self.offset, lambda _word, distance: distance))
        else:
            self.data[-4:] = (target.offset - self.offset).to_bytes(4, "little", signed=True)

    def load(self, into: Register, number: int) -> None:
        self.emit(bytes((0x48, 0x8B, 0x87 | into.code << 3)) + (WORD * number).to_bytes(4, "little"))

    def store(self, source: Register, number: int) -> None:
        self.emit(bytes((0x48, 0x89, 0x87 | source.code << 3)) + (WORD * number).to_bytes(4, "little"))

    def constant(self, into: Register, word: int) -> None:
        self.emit(bytes((0x48, 0xB8 | into.code)) + word.to_bytes(8, "little"))

    def push(self, register: Register) -> None:
        code = bytes((0x50 | register.code,))
        self.emit(code, lambda b, e: StackMoved(b, e, WORD), lambda b, e: RegisterSaved(b, e, register.number, 0))

    def pop(self, register: Register) -> None:
        code = bytes((0x58 | register.code,))
        self.emit(code, lambda b, e: RegisterLoaded(b, e, register.number, 0), lambda b, e: StackMoved(b, e, -WORD))

    def ret(self) -> None:
        self.emit(b"\xc3", lambda begin, end: Jumped(begin, end, None, always=True))


@dataclass(kw_only=True)
class Emission(FunctionEmission[Register]):
    """A function."""

    shared: Shared

    @property
    def a(self) -> X86Assembler:
        return self.shared.assembler

    def fetch(self, into: Register, register: Operand) -> None:
        self.a.load(into, _number(register))

    def put(self, source: Register, register: Operand) -> None:
        self.a.store(source, _number(register))

    def constant(self, into: Register, operand: Operand) -> None:
        if not isinstance(operand, Integer):
            raise Unsupported(f"operand {operand}")
        self.a.constant(into, operand.value << 4 | 15)

    def call_shared(self, name: str) -> None:
        raise Unsupported(name)

    def is_apart(self, name: str) -> bool:
        return False


def _number(register: Operand) -> int:
    if not isinstance(register, X):
        raise Unsupported(f"operand {register}")
    return register.number


def nothing(_e: Emission, *_operands: object) -> None:
    """No code."""


def label(e: Emission, number: int) -> None:
    e.a.bind(e.label(number))


def func_info(e: Emission, *_operands: object) -> None:
    """Nobody comes here in these tests."""
    e.a.emit(b"\x0f\x0b")


def move(e: Emission, source: Operand, destination: Operand) -> None:
    e.store(e.value(source, e.target(destination, RAX)), destination)


def swap(e: Emission, one: Operand, other: Operand) -> None:
    e.load(one, RAX)
    e.load(other, RCX)
    e.store(RAX, other)
    e.store(RCX, one)


def call_only(e: Emission, _arity: int, callee: BeamLabel) -> None:
    if callee.number not in e.shared.entries:
        raise Unsupported("a call of what is interpreted")
    _leave(e)
    e.a.jump(e.shared.entries[callee.number])


def return_(e: Emission) -> None:
    _leave(e)
    e.a.ret()


def _leave(e: Emission) -> None:
    e.a.pop(RBP)
    e.a.pop(RBX)


class Shared:
    """A module under construction."""

    def __init__(self, module: Module, functions: Sequence[Function]) -> None:
        self.module, self.assembler = module, X86Assembler()
        self.entries = {function.entry: Label() for function in functions}

    def emission(self, analysis: Analysis, keeps: Sequence[Keeps]) -> Emission:
        cache = Cache((RBX, RBP), analysis.operations, analysis.effects, analysis.live, keeps)
        return Emission(analysis=analysis, cache=cache, shared=self)

    def enter(self, e: Emission) -> int:
        e.a.bind(self.entries[e.function.entry])
        e.a.push(RBX)
        e.a.push(RBP)
        return e.a.offset

    def finish(
        self,
        functions: list[NativeFunction[Emission]],
        interpreted: dict[tuple[str, int], str],
        broken: frozenset[tuple[str, int]],
    ) -> Native[Emission]:
        begin = self.assembler.offset
        self.assembler.ret()
        last = Fragment("module", begin, self.assembler.offset, ("/nowhere.py", 1), stands_for_module=True)
        code = Code(bytes(self.assembler.data), self.assembler.events)
        return Native(
            module=self.module,
            code=code,
            functions=functions,
            fragments=[last],
            interpreted=interpreted,
            broken=broken,
        )


class Types:
    """Of variables."""

    eterm = Die(DW_TAG.base_type, {DW_AT.name: "term", DW_AT.byte_size: WORD, DW_AT.encoding: int(DW_ATE.unsigned)})
    dies = (eterm,)

    def machine_variables(self) -> list[Die]:
        return [Die(DW_TAG.variable, {DW_AT.name: "x", DW_AT.type: self.eterm, DW_AT.location: expression.reg(RDI)})]


class AnotherRuntime:
    """Functions that move and call each other."""

    processor = X86_64
    emitters: Mapping[str, Emitter] = {
        "line": nothing,
        "label": label,
        "func_info": func_info,
        "move": move,
        "swap": swap,
        "call_only": call_only,
        "return": return_,
    }
    keeps: Mapping[str, Keeps] = {"line": Keeps.ALL, "move": Keeps.ALL, "swap": Keeps.ALL}
    frames: Sequence[Frame] = (Frame(WORD, {RETURN_ADDRESS: -WORD}),)

    def refuses(self, module: Module) -> str:
        return "it is refused" if Import("erlang", "halt", 0) in module.imports else ""

    def never_returns(self, _operation: Operation) -> bool:
        return False

    def begin(self, module: Module, functions: Sequence[Function], *, stress: bool = False) -> Shared:
        return Shared(module, functions)

    def stretches(self, native: Native[Emission]) -> Iterator[Stretch]:
        for one in native.functions:
            yield Stretch(one.start, one.end, self.frames[0])

    def place(self, register: X | Y) -> bytes:
        return expression.breg(RDI, WORD * register.number)

    def types(self) -> Types:
        return Types()

    def disassemble(self, native: Native[Emission]) -> Disassembly:
        raise NotImplementedError

    def elf_file(self, native: Native[Emission]) -> bytes:
        elf = ElfFile(X86_64.file, ET.EXEC)
        text = elf.add_section(".text", SHT.PROGBITS, SHF.ALLOC | SHF.EXECINSTR, data=native.code.data, align=16)
        for one in native.functions:
            name = symbol(native.module.name, one.function.name, one.function.arity)
            elf.add_symbol(name, one.start, one.end - one.start, section=text, type=STT.FUNC)
        describe(native, self).add_to(elf)
        return elf.to_bytes()

    def beam_file(self, native: Native[Emission]) -> bytes:
        raise NotImplementedError


def run(native: Native[Emission], name: str, *arguments: int) -> list[int]:
    """The x registers after a call of a native function, as integers."""
    memory = mmap.mmap(-1, len(native.code.data), prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(native.code.data)
    (function,) = (one for one in native.functions if (one.function.name, one.function.arity) == (name, len(arguments)))
    x = (ctypes.c_uint64 * 16)(*(number << 4 | 15 for number in arguments))
    entry = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + function.start
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(entry)(ctypes.addressof(x))
    return [word >> 4 for word in x]
