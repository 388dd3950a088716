"""Maps: keys are looked for here in small maps, everything else is done by the VM's own functions.

These functions take keys and values as the loader has encoded and ordered them in a loaded instruction. So they get the
operands of the instruction that stands for the operation in the bytecode beside the native code. It begins at a label,
so that the loader joins it with nothing that comes before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, MI, NE
from jit.arm32.operands import at, pre
from jit.arm32.registers import LR, PC, R0, R1, R2, R3, R12, SP, Register
from jit.arm32.relocations import External
from jit.beam.operands import Integer, Literal, Operand, X, register_of
from jit.beam.terms import NIL, Atom, Map
from jit.codegen.cache import Keeps
from jit.codegen.emission import Unsupported
from jit.codegen.processor import Label
from jit.erts.arm32 import conventions, symbols
from jit.erts.arm32.conventions import PROCESS, REGISTERS, WORD, X_ARRAY
from jit.erts.arm32.crossing import if_collection_is_due
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import emits
from jit.erts.arm32.fragments import collect_keeping, fragment, swap_in, swap_out
from jit.erts.layout import NativeLayout
from jit.otp import tags, vm_flags
from jit.otp.things import FlatMap

#: In a flatmap: its size, the tuple of its keys, then the values.
_SIZE, _KEYS, _VALUES = WORD * FlatMap.SIZE, WORD * FlatMap.KEYS, WORD * FlatMap.VALUES

#: X registers that an instruction reaches.
_X_REACHED: Final = 1000

# Where loaded instructions have their operands (emu/ops.tab, as beam_makeops packs them on 32 bits): two registers, or
# the destination and the number of live registers, share a word.
_HASH = 4 * WORD  # i_get_map_element_hash f xy c I xy (c W in OTP 27)
_NEW_SMALL_KEYS = 2 * WORD  # i_new_small_map_lit d t q *: the tuple of keys
_NEW_PAIRS = 3 * WORD  # the same, and new_map d t I *: values, or keys and values
_ASSOC_PAIRS = 4 * WORD  # update_map_assoc xyc d t I *
_EXACT_PAIRS = 5 * WORD  # update_map_exact xy j d t I *


@emits("get_map_elements", keeps=Keeps.ALL)
def get_map_elements(e: Emission, fail: Operand, source: Operand, pairs: tuple[Operand, ...]) -> None:
    """Values are stored as they are found: when a key is missing, their registers are of no use."""
    failure = e.failure(fail)
    hashed = len(pairs) == 2 and _is_constant(pairs[0]) and register_of(source) is not None
    for key, destination in _map_last(source, list(zip(pairs[::2], pairs[1::2]))):
        _look_up(e, source, key, hashed)
        e.a.b(failure, EQ)
        e.store(R0, destination)


def _map_last(source: Operand, pairs: list[tuple[Operand, Operand]]) -> list[tuple[Operand, Operand]]:
    """The order in which no register is overwritten that is read later."""
    if len(pairs) > 1 and any(register_of(key) is not None for key, _ in pairs):
        raise Unsupported("get_map_elements with several keys that are not constant")
    register = register_of(source)
    return sorted(pairs, key=lambda pair: register is not None and register_of(pair[1]) == register)


@emits("has_map_fields", keeps=Keeps.ALL)
def has_map_fields(e: Emission, fail: Operand, source: Operand, keys: tuple[Operand, ...]) -> None:
    failure = e.failure(fail)
    for key in keys:
        _look_up(e, source, key)
        e.a.b(failure, EQ)


def _look_up(e: Emission, source: Operand, key: Operand, hashed: bool = False) -> None:
    """r0 = the value, and the flags of a comparison with 0, which there is for none.

    *hashed*: the loaded instruction is i_get_map_element_hash, where the loader has put the hash value of the key.
    """
    e.load(source, R0)
    e.load(key, R1)
    if hashed:
        _load_instruction(e, R2)
    e.call("get_map_element_hash" if hashed else "get_map_element")
    e.a.cmp(R0, 0)


@emits("put_map_assoc")
def put_map_assoc(
    e: Emission, _fail: Operand, source: Operand, to: Operand, live: int, pairs: tuple[Operand, ...]
) -> None:
    if isinstance(source, Literal) and isinstance(source.value, Map) and not source.value.pairs:
        _new_map(e, live, pairs)
    else:
        _update_map(e, "erts_gc_update_map_assoc", source, live, len(pairs), _ASSOC_PAIRS)
    e.store(R0, to)


def _new_map(e: Emission, live: int, pairs: tuple[Operand, ...]) -> None:
    _load_instruction(e, R0)
    if len(pairs) <= 2 * tags.MAX_FLATMAP_SIZE and all(_is_constant(key) for key in pairs[::2]):
        e.a.ldr(R2, at(R0, _NEW_SMALL_KEYS))
        e.a.mov_constant(R3, live)
        function = "erts_gc_new_small_map_lit"
    else:
        e.a.mov_constant(R2, live)
        e.a.mov_constant(R3, len(pairs))
        function = "erts_gc_new_map"
    e.a.add(R0, R0, _NEW_PAIRS)
    _call(e, function, live)


def _is_constant(key: Operand) -> bool:
    """Whether the loader takes it for a literal (generators.tab, is_small_map_literal_keys)."""
    return isinstance(key, Atom | Integer | Literal) or key == NIL


@emits("put_map_exact")
def put_map_exact(
    e: Emission, fail: Operand, source: Operand, to: Operand, live: int, pairs: tuple[Operand, ...]
) -> None:
    failure = e.failure(fail)
    register = register_of(source)
    # A constant is moved to a register by another instruction before. A map in a register above those that survive a
    # collection would be lost when the interpreter does the operation again, to raise.
    if register is None or isinstance(register, X) and register.number > live:
        raise Unsupported("put_map_exact of a constant")
    _update_map(e, "erts_gc_update_map_exact", source, live, len(pairs), _EXACT_PAIRS)
    e.a.cmp(R0, 0)
    e.a.b(failure, EQ)
    e.store(R0, to)


def _update_map(e: Emission, function: str, source: Operand, live: int, count: int, offset: int) -> None:
    """r0 = the new map; 0 if a key is missing. The function takes the map from behind the live registers."""
    if live >= _X_REACHED:
        raise Unsupported(f"{live} live x registers")
    e.load(source, R1)
    e.store_behind(R1, live)
    e.a.mov_constant(R2, live)
    e.a.mov_constant(R3, count)
    _load_instruction(e, R0)
    e.a.add(R0, R0, offset)
    _call(e, function, live, "update_map")


def _load_instruction(e: Emission, into: Register) -> None:
    """The loaded instruction that stands for the operation in work."""
    e.a.ldr_literal(into, symbols.label(e.resume_label(e.index)))


def _call(e: Emission, function: str, live: int, fragment_: str = "make_map") -> None:
    e.a.ldr_literal(R12, External(function))
    e.call(fragment_, live=live)


@fragment("make_map")
def make_map(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """Call the function r12 of beam_common.c with the operands r2 and r3, and those in a loaded instruction at r0.

    It may collect garbage: x registers are to be in memory.
    """
    a.str(LR, at(SP, conventions.RETURN))
    _make(a, layout)
    a.ldr(PC, at(SP, conventions.RETURN))


@fragment("update_map")
def update_map(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """The same with r2 live registers. What is new in a large map may lie in heap fragments.

    If they have become many, garbage is collected at once. The interpreter does that when the process has used up its
    reductions, but to allocate and free a fragment for each update takes longer than the update.
    """
    due = Label()
    a.str(LR, at(SP, conventions.RETURN))
    a.str(R2, at(SP, conventions.ARGUMENTS))
    _make(a, layout)
    a.cmp(R0, 0)
    a.ldr(PC, at(SP, conventions.RETURN), EQ)
    if_collection_is_due(a, layout, due)
    a.ldr(PC, at(SP, conventions.RETURN))
    a.bind(due)
    a.ldr(R2, at(PROCESS, layout["Process.flags"]))
    a.tst(R2, vm_flags.F_DELAY_GC | vm_flags.F_DISABLE_GC)
    a.tst(R2, vm_flags.F_DIRTY_MAJOR_GC | vm_flags.F_DIRTY_MINOR_GC, EQ)
    a.ldr(PC, at(SP, conventions.RETURN), NE)
    a.mov(R1, 0)
    a.ldr(R3, at(SP, conventions.ARGUMENTS))
    collect_keeping(a, layout)
    a.ldr(PC, at(SP, conventions.RETURN))


def _make(a: Assembler, layout: NativeLayout) -> None:
    a.str(R0, at(SP))
    swap_out(a, layout)
    a.mov(R0, PROCESS)
    a.add(R1, REGISTERS, X_ARRAY)
    a.blx(R12)
    swap_in(a, layout)


def _search(a: Assembler, layout: NativeLayout) -> Label:
    """Return r0 = the value of the key r1 in the map r0, or 0 if there is none.

    Control comes to the label if the key is no immediate or the map no flatmap; r2 is then as it was.
    """
    loop, other = Label(), Label()
    a.and_(R3, R1, tags.PRIMARY_MASK)
    a.cmp(R3, tags.PRIMARY_MASK)
    a.b(other, NE)
    a.ldr(R3, at(R0, -tags.BOXED))
    a.mov_constant(R12, 1 << tags.MAP_ARITY_SHIFT | tags.MAP_FLAT << tags.ARITY_SHIFT | layout.map_header)
    a.cmp(R3, R12)
    a.b(other, NE)
    a.ldr(R12, at(R0, _SIZE - tags.BOXED))
    a.ldr(R3, at(R0, _KEYS - tags.BOXED))
    a.sub(R3, R3, tags.BOXED)
    a.bind(loop)
    a.subs(R12, R12, 1)
    a.mov(R0, 0, MI)
    a.bx(LR, MI)
    a.ldr(R2, pre(R3, WORD))
    a.cmp(R2, R1)
    a.b(loop, NE)
    # The value is as far behind the map as the key behind the tuple, but for the difference of what comes before.
    a.ldr(R2, at(R0, _KEYS - tags.BOXED))
    a.sub(R3, R3, R2)
    a.add(R0, R0, R3)
    a.ldr(R0, at(R0, _VALUES - WORD))
    a.bx(LR)
    return other


@fragment("get_map_element", apart=True)
def get_map_element(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """r0 = the value of the key r1 in the map r0, or 0 if there is none."""
    a.bind(_search(a, layout))
    a.ldr_literal(R12, External("get_map_element"))
    a.bx(R12)


@fragment("get_map_element_hash", apart=True)
def get_map_element_hash(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """The same for a key whose hash value is in the loaded instruction r2."""
    a.bind(_search(a, layout))
    a.ldr(R2, at(R2, _HASH))
    a.ldr_literal(R12, External("get_map_element_hash"))
    a.bx(R12)
