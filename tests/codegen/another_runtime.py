"""A runtime that has nothing in common with the compiler's own, for few operations.

X registers are in an array at rdi, the one argument of a native function, which is a C function on x86-64. Two of them
may be in rbx and rbp, which are pushed at the entry.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jit.beam.module import Module
from jit.beam.operands import BeamLabel, Import, Integer, Operand, X, Y
from jit.beam.operations import Function, Operation
from jit.codegen.cache import Cache, Keeps
from jit.codegen.describe import describe, symbol
from jit.codegen.disassembly import Disassembly
from jit.codegen.emission import Analysis, FunctionEmission, Unsupported
from jit.codegen.native import Fragment, Native, NativeFunction
from jit.codegen.processor import Label
from jit.codegen.runtime import Emitter
from jit.codegen.unwinding import Frame, Stretch
from jit.object import dwarf_expression as expression
from jit.object.dwarf_constants import DW_AT, DW_ATE, DW_TAG
from jit.object.dwarf_info import Die
from jit.object.elf import ElfFile
from jit.object.elf_constants import ET, SHF, SHT, STT
from jit.x86_64.assembler import Assembler
from jit.x86_64.operands import RAX, RBP, RBX, RCX, RDI, RETURN_ADDRESS, Memory, Register, at
from jit.x86_64.processor import X86_64

WORD: Final = 8


@dataclass(kw_only=True)
class Emission(FunctionEmission[Register]):
    """A function."""

    shared: Shared

    @property
    def a(self) -> Assembler:
        return self.shared.assembler

    def fetch(self, into: Register, register: Operand) -> None:
        self.a.mov(into, _place(register))

    def put(self, source: Register, register: Operand) -> None:
        self.a.store(_place(register), source)

    def constant(self, into: Register, operand: Operand) -> None:
        if not isinstance(operand, Integer):
            raise Unsupported(f"operand {operand}")
        self.a.constant(into, operand.value << 4 | 15)

    def call_shared(self, name: str) -> None:
        raise Unsupported(name)

    def is_apart(self, name: str) -> bool:
        return False


def _place(register: Operand) -> Memory:
    if not isinstance(register, X):
        raise Unsupported(f"operand {register}")
    return at(RDI, WORD * register.number)


def nothing(_e: Emission, *_operands: object) -> None:
    """No code."""


def label(e: Emission, number: int) -> None:
    e.a.bind(e.label(number))


def func_info(e: Emission, *_operands: object) -> None:
    """Nobody comes here in these tests."""
    e.a.ud2()


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
    e.a.pop(RBP, RBX)


class Shared:
    """A module under construction."""

    def __init__(self, module: Module, functions: Sequence[Function]) -> None:
        self.module, self.assembler = module, Assembler()
        self.entries = {function.entry: Label() for function in functions}

    def emission(self, analysis: Analysis, keeps: Sequence[Keeps]) -> Emission:
        cache = Cache((RBX, RBP), analysis.operations, analysis.effects, analysis.live, keeps)
        return Emission(analysis=analysis, cache=cache, shared=self)

    def enter(self, e: Emission) -> int:
        e.a.bind(self.entries[e.function.entry])
        e.a.push(RBX, RBP)
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
        return Native(
            module=self.module,
            code=self.assembler.finish(),
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
        return [
            Die(DW_TAG.variable, {DW_AT.name: "x", DW_AT.type: self.eterm, DW_AT.location: expression.reg(RDI.number)})
        ]


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
        return expression.breg(RDI.number, WORD * register.number)

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
