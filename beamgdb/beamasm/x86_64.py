"""What x86-64 instructions do, as far as BeamAsm uses them, and its use of the registers.

erts/emulator/beam/jit/x86/beam_asm.hpp, OTP 25 to 27 (Unix): rsp is the Erlang stack pointer while Erlang code runs;
rbp keeps it while C code runs, or is the frame pointer with `+JPperf true`; rbx points at the x registers, r13 at the
Process. An instruction not described here is taken to change its first operand.

What range to pass for an Erlang function: BeamAsm registers `m:f/a-CodeInfoPrologue`, which is data and the eight bytes
of the breakpoint prologue that either jumps over itself or calls the breakpoint fragment, and then `m:f/a`. Pass the
latter. The prologue leaves frame and registers as they are, so its entry state is that of the function itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import capstone

from beamgdb.beamasm import facts as known
from beamgdb.beamasm import flow
from beamgdb.beamasm.facts import WORD, Change, Facts
from beamgdb.beamasm.flow import BELOW_CFA, TABLE_LIMIT, CodeBytes, Control, Entry, Slot, Step, Stretch
from beamgdb.machine_code.x86_64 import (
    ADDRESSES,
    LOW_HALVES,
    WIDE,
    MemoryOperand,
    call_target,
    jump_at,
    memory_operand,
    whole_register,
)

__all__ = ["KEEPING_FRAGMENTS", "MACHINE", "PROLOGUE", "RAISING_FRAGMENTS", "call_target", "entry_of"]

_UNCHANGING: Final = frozenset(
    "cmp test nop bt comisd ucomisd vcomisd vucomisd ptest vptest ud2 hlt int3 prefetcht0 prefetchw mfence lfence pause"
    " endbr64 vzeroupper clc stc cmc".split()
)
"""Instructions that change neither registers nor memory."""

_IMPLICIT: Final = {
    "mul": ("rax", "rdx"), "div": ("rax", "rdx"), "idiv": ("rax", "rdx"), "cqo": ("rdx",), "cdq": ("rdx",),
    "cdqe": ("rax",), "cwde": ("rax",), "rdtsc": ("rax", "rdx"), "rdtscp": ("rax", "rdx", "rcx"),
    "cpuid": ("rax", "rbx", "rcx", "rdx"), "cmpxchg": ("rax",),
}  # fmt: skip
"""Registers that instructions change beside their first operand."""

_VECTOR_WORDS: Final = {"x": 2, "y": 4, "z": 8}
_VECTOR_MOVES: Final = frozenset("movups movupd movaps movapd movdqu movdqa lddqu".split())
PROLOGUE: Final = 8
"""Bytes of a function's prologue that are no part of its flow: they change nothing, nor does what they may call."""

RAISING_FRAGMENTS: Final = frozenset(
    "raise_exception raise_exception_null_exp raise_shared bs_create_bin_error_shared handle_element_error"
    " handle_hd_error handle_map_get_badkey handle_map_get_badmap handle_map_size_error handle_node_error"
    " i_func_info_shared".split()
)
"""Shared fragments, as BeamAsm registers them after `global::`, that are called and do not return."""
_LENGTH_LIVE: Final = "rsi"
"""Register with the number of live x registers in a call of `i_length_*_shared`, which may yield and come back."""
KEEPING_FRAGMENTS: Final = MappingProxyType(
    dict.fromkeys(
        "arith_compare_shared arith_eq_shared bif_element_shared bs_size_check_shared check_float_error fconv_shared"
        " get_sint64_shared i_band_body_shared i_band_guard_shared i_bif_body_shared i_bif_guard_shared"
        " i_bnot_body_shared i_bnot_guard_shared i_bor_body_shared i_bor_guard_shared i_bsl_body_shared"
        " i_bsl_guard_shared i_bsr_body_shared i_bsr_guard_shared i_bxor_body_shared i_bxor_guard_shared"
        " i_get_map_element_hash_shared i_get_map_element_shared increment_body_shared int_div_rem_body_shared"
        " int_div_rem_guard_shared internal_hash_helper is_eq_exact_list_shared is_eq_exact_shallow_boxed_shared"
        " is_ge_lt_shared is_in_range_shared minus_body_shared minus_guard_shared mul_add_body_shared"
        " mul_add_guard_shared mul_body_shared mul_guard_shared plus_body_shared plus_guard_shared"
        " times_body_shared times_guard_shared unary_minus_body_shared unary_minus_guard_shared".split(),
        flow.ALL_X,
    )
    | {"garbage_collect": "rcx", "i_length_body_shared": _LENGTH_LIVE, "i_length_guard_shared": _LENGTH_LIVE}
)
"""Shared fragments that come back with x registers as they were; a garbage collection updates the live ones, and what
is beyond them is left to rot; `length/1` keeps its state there. Fragments that call BIFs, funs or NIFs are not among
them."""
_FRAMED: Final = frozenset("call_bif_shared call_nif_shared call_nif_yield_helper i_load_nif_shared".split())
"""Shared fragments that functions jump to after entering their frame, which matters with frame pointers: the frame is
that of the function."""
_TABLE_REACH: Final = 4
"""Instructions between taking the address of a jump table and the jump (`emit_i_jump_on_val` has none)."""
_BIF_REACH: Final = 4
"""Instructions between loading the address of a BIF and the call of `call_light_bif_shared`, with padding."""
_CACHE_LIMIT: Final = 100_000
"""Distinct instructions remembered."""

_CLOBBER_RAX: Final[tuple[Change, ...]] = ((known.clobber, ("rax",)),)


class X86_64:
    """x86-64 as BeamAsm uses it on Unix, where the stack pointer tells whether C code is called."""

    stack_pointer = "rsp"
    saved_stack_pointer = "rbp"
    x_array = "rbx"
    process = "r13"
    host_registers = frozenset((*WIDE, *(f"r{n}" for n in range(8, 16))))
    native_stack_pointer = ""
    x_registers: Mapping[str, int] = MappingProxyType({})
    callee_saved: frozenset[str] = frozenset()
    parameters: tuple[str, ...] = ()
    entry_depth = WORD
    returns: Slot | None = BELOW_CFA

    enter_frame_size = 4
    """Bytes of `push rbp; mov rbp, rsp` (`emit_enter_frame`)."""

    def __init__(self) -> None:
        self._disassembler = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        self._meaning: dict[tuple[str, str, int], tuple[Change, ...]] = {}

    def entry(self, entry: Entry) -> Facts:
        pointers: Facts = {"rsp": (known.STACK, -WORD), "rbp": (known.CALLER_FRAME_POINTER, 0)}
        if entry is Entry.FRAMED:
            frame = (known.STACK, -2 * WORD)
            pointers = {"rsp": frame, "rbp": frame, frame: (known.CALLER_FRAME_POINTER, 0)}
        return pointers

    def at_entry(self, offset: int) -> bool:
        return offset in (0, self.enter_frame_size)

    def decode(self, code: CodeBytes, start: int) -> Stretch:
        """Instructions from offset `start` to the end of `code`, or to the first that is none."""
        if len(self._meaning) > _CACHE_LIMIT:
            self._meaning.clear()
        reader = _X86Reader(self, code)
        for at, size, mnemonic, operands in self._disassembler.disasm_lite(code.code[start:], start):
            reader.instruction(at, at + size, mnemonic, operands)
        return Stretch(reader.steps, reader.landings, reader.tries, reader.opaque)

    def operations(self, mnemonic: str, operands: str, stop_offset: int) -> tuple[Change, ...]:
        """What an instruction does that neither transfers control nor depends on where it lies."""
        key = (mnemonic, operands, stop_offset)
        meaning = self._meaning.get(key)
        if meaning is None:
            split = operands.split(", ") if operands else []
            meaning = self._meaning[key] = tuple(_operations(mnemonic, split, stop_offset))
        return meaning


class _X86Reader:
    """One pass over the instructions of a stretch of code."""

    def __init__(self, machine: X86_64, code: CodeBytes) -> None:
        self.machine = machine
        self.code = code
        self.steps: list[Step] = []
        self.landings: list[int] = []
        self.tries: list[int] = []
        self.opaque = False
        self.taken: dict[str, tuple[int, int]] = {}
        """Register -> (number of instruction, address outside of the code that it was set to)."""
        self.jumps: dict[int, int | None] = {}
        """Address called -> where the jump that is there leads."""
        self.bif = (-_BIF_REACH - 1, 0)
        """Number of the last instruction that loaded a long constant into rax (`call_light_bif`), constant."""
        self.compared = (0, "", 0)
        """Number of the last comparison with a number, register, number."""
        self.condition = ""
        """The condition of the last instruction, if it was a conditional jump."""

    def instruction(self, at: int, end: int, mnemonic: str, operands: str) -> None:
        control, resumption, kept = Control.NEXT, None, ""
        targets: tuple[int, ...] = ()
        operations: tuple[Change, ...] = ()
        condition, self.condition = self.condition, ""
        if mnemonic[0] == "j":
            control, targets = self._jump(mnemonic, operands, condition)
        elif mnemonic == "cmp":
            self._compare(operands)
        elif mnemonic == "movabs" and operands.startswith("rax, 0x"):
            self.bif = len(self.steps), int(operands[5:], 0)
            operations = _CLOBBER_RAX
        elif mnemonic == "call":
            called = self._called(end, operands)
            control = Control.RAISE if self._raises(called) else Control.CALL
            kept = self._keeps(called)
            if kept == _LENGTH_LIVE and self.steps and self.steps[-1].resumption is not None:
                self.steps[-1] = self.steps[-1]._replace(kept=kept)
        elif mnemonic == "ret":
            control = Control.RETURN
        elif mnemonic in ("ud2", "hlt"):
            control = Control.JUMP
        elif mnemonic == "lea" and "rip" in operands:
            operations, resumption = self._take_address(end, operands)
        else:
            operations = self.machine.operations(mnemonic, operands, self.code.stop_offset)
            if mnemonic in ("dec", "inc") and operands.startswith("qword ptr [r13 + "):
                (self.landings if mnemonic == "dec" else self.tries).append(at)
        self.steps.append(Step(at, end, operations, control, targets, resumption, kept))

    def _compare(self, operands: str) -> None:
        register, _, number = operands.partition(", ")
        if number[0].isdigit():
            self.compared = len(self.steps), register, int(number, 0)

    def _jump(self, mnemonic: str, operands: str, last: str) -> tuple[Control, tuple[int, ...]]:
        """`last`: condition of the jump just before, if it was one. Between `je` and `jne` BeamAsm never puts a label
        (`emit_linear_search`), so that such a pair has no way on."""
        always = mnemonic == "jmp" or {mnemonic, last} == {"je", "jne"}
        control = Control.JUMP if always else Control.BRANCH
        self.condition = mnemonic
        if operands[0] in "0123456789":
            target = int(operands, 0)
            return control, (target,) if self.code.inside(target) else ()
        return control, self._jump_table(operands)

    def _called(self, end: int, operands: str) -> int | None:
        """The address that a call calls: plainly, or through the module's table of addresses. None where it varies."""
        if operands[0].isdigit():
            return (self.code.address + int(operands, 0)) & ADDRESSES
        memory = memory_operand(operands)
        plain = memory is not None and memory[1] == "rip" and not memory[2]
        return self.code.word(self.code.address + end + memory[3]) if memory and plain else None

    def _raises(self, called: int | None) -> bool:
        """The call is of a BIF or fragment that never returns."""
        if called is None:
            return False
        number, function = self.bif
        if len(self.steps) - number <= _BIF_REACH and function in self.code.raising:
            return True
        return called in self.code.raising or self._beyond(called) in self.code.raising

    def _keeps(self, called: int | None) -> str:
        """The x registers that a called fragment leaves as they are, as `Step.kept`."""
        if called is None or not self.code.keeping:
            return ""
        return self.code.keeping.get(called) or self.code.keeping.get(self._beyond(called) or 0, "")

    def _beyond(self, called: int) -> int | None:
        """Where the module's own jump to a fragment leads (`resolve_fragment`, OTP 27), if a call goes to one."""
        if called not in self.jumps:
            self.jumps[called] = jump_at(called, self.code.at)
        return self.jumps[called]

    def _jump_table(self, operands: str) -> tuple[int, ...]:
        """Targets of `jmp [table + 8 * index]`, where `table` was just set by a position-relative `lea`."""
        memory = memory_operand(operands)
        if memory is None or memory[1] is None or not memory[2]:
            return ()
        number, table = self.taken.get(memory[1], (-_TABLE_REACH, 0))
        if len(self.steps) - number >= _TABLE_REACH:
            return ()
        compared, register, size = self.compared
        bounded = register in memory[2] and len(self.steps) - compared <= _TABLE_REACH
        targets = self.code.table_targets(table + memory[3], size if bounded else TABLE_LIMIT)
        self.opaque |= not targets
        return targets

    def _take_address(self, end: int, operands: str) -> tuple[tuple[Change, ...], int | None]:
        register, _, _ = operands.partition(", ")
        memory = memory_operand(operands)
        target = end + memory[3] if memory else -1
        inside = self.code.inside(target)
        if not inside:
            self.taken[register] = (len(self.steps), self.code.address + target)
        return ((known.clobber, (register,)),), target if inside else None


def _operations(mnemonic: str, operands: list[str], stop_offset: int) -> list[Change]:
    """What an instruction does. Operands are as capstone writes them, destination first."""
    if mnemonic in _UNCHANGING or (not operands and mnemonic not in _IMPLICIT and mnemonic != "leave"):
        return []
    result = _described(mnemonic, operands, stop_offset)
    if result is None:
        result = _unknown(mnemonic, operands)
    if _writes_stack_pointer(result):
        result.append((known.settle, ("rsp",)))
    return result


def _writes_stack_pointer(operations: Sequence[Change]) -> bool:
    return any(arguments[:1] == ("rsp",) and operation not in (known.store, known.spoil, known.spoil_indexed)
               for operation, arguments in operations)  # fmt: skip


def _described(mnemonic: str, operands: list[str], stop_offset: int) -> list[Change] | None:
    """Operations of an instruction whose effect matters; None for those that only spoil what they write."""
    if mnemonic in ("stosq", "rep stosq"):
        return _fill(mnemonic)
    if mnemonic == "leave":
        return [(known.copy, ("rsp", "rbp")), (known.load, ("rbp", "rsp", 0)), (known.offset, ("rsp", "rsp", WORD))]
    if not operands:
        return None
    to, source = operands[0], operands[-1]
    if mnemonic in ("mov", "movabs"):
        return _move(to, source, stop_offset)
    if mnemonic == "lea":
        return _address(to, source)
    if mnemonic == "push":
        return [(known.offset, ("rsp", "rsp", -WORD)), *_write("rsp", 0, source)]
    if mnemonic == "and" and to == "rsp":
        return [(known.index, (to, to))]
    if to in X86_64.host_registers:
        if mnemonic == "pop":
            return [(known.load, (to, "rsp", 0)), (known.offset, ("rsp", "rsp", WORD))]
        if mnemonic in ("add", "sub"):
            return _advance(mnemonic, to, source)
        if mnemonic in ("inc", "dec"):
            return [(known.offset, (to, to, 1 if mnemonic == "inc" else -1))]
        if mnemonic == "xchg" and source in X86_64.host_registers:
            return [(known.swap, (to, source))]
    return _conditional(mnemonic, operands) or _vector(mnemonic.removeprefix("v"), operands)


def _move(to: str, source: str, stop_offset: int) -> list[Change] | None:
    memory = memory_operand(to)
    if memory is not None:
        return _store(memory, source)
    if to in LOW_HALVES and source[0].isdigit():
        return [(known.constant, (LOW_HALVES[to], int(source, 0)))]
    if to not in X86_64.host_registers:
        return None
    if source in X86_64.host_registers:
        saving = [(known.save_stack_pointer, ((known.PROCESS, stop_offset),))] if (to, source) == ("rbp", "rsp") else []
        return [(known.copy, (to, source)), *saving]
    memory = memory_operand(source)
    if memory is not None and memory[1] and not memory[2]:
        return [(known.load, (to, memory[1], memory[3]))]
    return None


def _address(to: str, source: str) -> list[Change] | None:
    memory = memory_operand(source)
    if memory is None or memory[1] is None or to not in X86_64.host_registers:
        return None
    if memory[2]:
        return [(known.index, (to, memory[1], *memory[2]))]
    return [(known.offset, (to, memory[1], memory[3]))]


def _advance(mnemonic: str, to: str, amount: str) -> list[Change]:
    number = int(amount, 0) if amount.lstrip("-")[0].isdigit() else None
    if number is None:
        return [(known.index, (to, to, whole_register(amount)))]
    return [(known.offset, (to, to, number if mnemonic == "add" else -number))]


def _fill(mnemonic: str) -> list[Change]:
    if mnemonic == "stosq":
        return [(known.store, ("rdi", 0, "rax")), (known.offset, ("rdi", "rdi", WORD))]
    return [(known.fill, ("rdi", "rcx"))]


def _conditional(mnemonic: str, operands: list[str]) -> list[Change] | None:
    if not mnemonic.startswith("cmov") or len(operands) != 2 or operands[0] not in X86_64.host_registers:
        return None
    return [(known.either, (operands[0], operands[1]))]


def _store(memory: MemoryOperand, source: str) -> list[Change]:
    size, base, indexes, displacement = memory
    if indexes or base is None:
        return [(known.spoil_indexed, (*([base] if base else []), *indexes))]
    if size == WORD:
        return _write(base, displacement, source)
    return [(known.spoil, (base, displacement, size))]


def _write(base: str, displacement: int, source: str) -> list[Change]:
    """A word to memory, from a register or from something unknown."""
    if source in X86_64.host_registers:
        return [(known.store, (base, displacement, source))]
    return [(known.spoil, (base, displacement, WORD))]


def _lanes(operand: str) -> list[str]:
    """The words of a vector register, lowest first, as locations; empty if `operand` is none."""
    if len(operand) < 4 or operand[1:3] != "mm" or operand[0] not in _VECTOR_WORDS:
        return []
    return [f"mm{operand[3:]}.{lane}" for lane in range(_VECTOR_WORDS[operand[0]])]


def _all_lanes(operand: str) -> list[str]:
    """All words of the widest register that `operand` is part of."""
    return _lanes("z" + operand[1:]) if _lanes(operand) else []


def _vector(mnemonic: str, operands: list[str]) -> list[Change] | None:
    """Moves of words through vector registers."""
    to = _lanes(operands[0]) if operands else []
    sources = operands[1:]
    if len(sources) == 1:
        (source,) = sources
        if mnemonic in _VECTOR_MOVES:
            return _vector_move(operands[0], to, source)
        if mnemonic == "movq" and to and source in X86_64.host_registers:
            return [(known.copy, (to[0], source)), (known.clobber, tuple(to[1:]))]
        if mnemonic == "punpcklqdq" and to and _lanes(source):
            return [(known.copy, (to[1], _lanes(source)[0]))]
    elif mnemonic == "permilpd" and sources[1:] == ["1"] and len(to) == 2:
        return _vector_move(operands[0], to[::-1], sources[0])
    elif mnemonic == "pinsrq" and sources[2:] == ["1"] and to and _lanes(sources[0]):
        return [(known.copy, (to[0], _lanes(sources[0])[0])), (known.copy, (to[1], sources[1]))]
    return None


def _vector_move(destination: str, to: list[str], source: str) -> list[Change] | None:
    memory = memory_operand(source)
    if to and memory is not None:
        if memory[1] is None or memory[2]:
            return None
        loads = [(known.load, (lane, memory[1], memory[3] + i * WORD)) for i, lane in enumerate(to)]
        return [*loads, (known.clobber, tuple(_all_lanes(destination)[len(to) :]))]
    memory = memory_operand(destination)
    if memory is not None and memory[1] is not None and not memory[2]:
        return [(known.store, (memory[1], memory[3] + i * WORD, lane)) for i, lane in enumerate(_lanes(source))]
    return None


def _unknown(mnemonic: str, operands: list[str]) -> list[Change]:
    """An instruction of which we only know what it may overwrite."""
    result: list[Change] = [(known.clobber, _IMPLICIT[mnemonic])] if mnemonic in _IMPLICIT else []
    if mnemonic == "imul" and len(operands) == 1:
        result.append((known.clobber, ("rax", "rdx")))
    exchange = mnemonic.split()[-1] in ("xchg", "xadd", "mulx")
    changed = operands[: 2 if exchange else 1] if mnemonic not in ("mul", "div", "idiv", "push") else []
    for operand in changed:
        memory = memory_operand(operand)
        if memory is not None:
            size, base, indexes, displacement = memory
            plain = base is not None and not indexes
            registers = (*([base] if base else []), *indexes)
            result.append((known.spoil, (base, displacement, size)) if plain else (known.spoil_indexed, registers))
        else:
            result.append((known.clobber, tuple(_all_lanes(operand)) or (whole_register(operand),)))
    if (
        mnemonic.startswith("rep")
        or any("[rdi]" in operand or "[rsi]" in operand for operand in operands[-1:])
        and (mnemonic[:4] in ("movs", "stos", "lods"))
    ):
        result += [(known.spoil_indexed, ("rdi",)), (known.clobber, ("rdi", "rsi", "rcx", "rax"))]
    return result


def entry_of(fragment: str, has_frame_pointers: bool) -> Entry | None:
    """How control comes to a shared fragment (its name without `global::`)."""
    return Entry.FRAMED if has_frame_pointers and fragment in _FRAMED else Entry.CALLED


MACHINE: Final = X86_64()
