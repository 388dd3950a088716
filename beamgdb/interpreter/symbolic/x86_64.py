"""x86-64 (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2; System V ABI for AMD64)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from capstone import CS_GRP_CALL, CS_GRP_INT, CS_GRP_IRET, CS_GRP_JUMP, CS_GRP_RET, CsInsn
from capstone.x86 import X86_OP_IMM, X86_OP_MEM, X86_OP_REG, X86Op

from beamgdb.interpreter.symbolic.steps import Call, Fork, Goto, Leave, Next, Onward, Stop
from beamgdb.interpreter.symbolic.values import UNKNOWN, Constant, Mixed, SymbolicState, Value, plus, total
from beamgdb.machine_code.operands import disassembler
from beamgdb.machine_code.x86_64 import WORD, whole_register

SP = "rsp"

ARGUMENTS: tuple[str, ...] = ("rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11")
"""Registers that a called C function does not keep."""


def instructions(code: bytes, address: int) -> Iterator[CsInsn]:
    """The instructions of code at an address, to its end or to what is none."""
    found: Iterator[CsInsn] = disassembler("x86_64").disasm(code, address)
    return found


def step(instruction: CsInsn, state: SymbolicState) -> Onward:
    """Apply an instruction to the state; what comes next."""
    if instruction.group(CS_GRP_CALL):
        return Call()
    if instruction.group(CS_GRP_JUMP):
        return _jump(instruction, state)
    stops = (CS_GRP_RET, CS_GRP_IRET, CS_GRP_INT)
    if instruction.insn_name() in ("ud2", "hlt") or any(instruction.group(kind) for kind in stops):
        return Stop()
    name = instruction.insn_name()
    effect = _move_perhaps if name.startswith("cmov") else _EFFECTS.get(name)
    if effect is None or not effect(instruction, state):
        _unknown(instruction, state)
    return Next()


def _jump(instruction: CsInsn, state: SymbolicState) -> Onward:
    operand = instruction.operands[0]
    if operand.type != X86_OP_IMM:
        return Leave(_value(instruction, state, operand))
    return Goto(operand.imm) if instruction.insn_name() == "jmp" else Fork(operand.imm)


def _name(instruction: CsInsn, register: int) -> str:
    """A register's name in GDB; of a part, that of the whole."""
    name = str(instruction.reg_name(register))
    return whole_register(name)


def _address(instruction: CsInsn, state: SymbolicState, operand: X86Op) -> Value:
    memory = operand.mem
    if memory.segment:
        return UNKNOWN
    base = state[_name(instruction, memory.base)] if memory.base else Constant(0)
    if memory.base and _name(instruction, memory.base) == "rip":
        return Constant(instruction.address + instruction.size + memory.disp)
    if memory.index:
        index = state[_name(instruction, memory.index)]
        base = total(base, index if memory.scale == 1 else Mixed((index,)))
    return plus(base, memory.disp)


def _value(instruction: CsInsn, state: SymbolicState, operand: X86Op) -> Value:
    """An operand's value; of less than a word, something computed from the whole."""
    if operand.type == X86_OP_IMM:
        return Constant(operand.imm)
    if operand.type == X86_OP_REG:
        value = state[_name(instruction, operand.reg)]
    else:
        value = state.load(_address(instruction, state, operand))
    return Mixed((value,)) if operand.size < WORD and not isinstance(value, Constant) else value


def _set(instruction: CsInsn, state: SymbolicState, value: Value) -> bool:
    """Write the first operand."""
    operand = instruction.operands[0]
    if operand.type == X86_OP_MEM:
        _store(state, _address(instruction, state, operand), value, operand.size)
    elif operand.size < WORD // 2:
        name = _name(instruction, operand.reg)
        state[name] = Mixed((state[name], value))
    else:
        # What is written to the lower half clears the upper one.
        state[_name(instruction, operand.reg)] = value
    return True


def _store(state: SymbolicState, address: Value, value: Value, size: int) -> None:
    """Note a store. The words of a larger one are not told apart; those of a smaller one leave the rest of the word."""
    if size < WORD:
        state.store(address, Mixed((value,)))
        return
    for offset in range(0, size, WORD):
        state.store(plus(address, offset), value if size == WORD else Mixed((value,)))


def _move(instruction: CsInsn, state: SymbolicState) -> bool:
    return _set(instruction, state, _value(instruction, state, instruction.operands[1]))


def _move_perhaps(instruction: CsInsn, state: SymbolicState) -> bool:
    return _set(instruction, state, Mixed(tuple(_value(instruction, state, one) for one in instruction.operands)))


def _extend(instruction: CsInsn, state: SymbolicState) -> bool:
    return _set(instruction, state, Mixed((_value(instruction, state, instruction.operands[1]),)))


def _load_address(instruction: CsInsn, state: SymbolicState) -> bool:
    address = _address(instruction, state, instruction.operands[1])
    return _set(instruction, state, address if instruction.operands[0].size == WORD else Mixed((address,)))


def _add(instruction: CsInsn, state: SymbolicState) -> bool:
    one, other = (_value(instruction, state, operand) for operand in instruction.operands)
    return _set(instruction, state, total(one, other))


def _subtract(instruction: CsInsn, state: SymbolicState) -> bool:
    one, other = (_value(instruction, state, operand) for operand in instruction.operands)
    return _set(instruction, state, plus(one, -other.value) if isinstance(other, Constant) else Mixed((one, other)))


def _count(by: int) -> Callable[[CsInsn, SymbolicState], bool]:
    def effect(instruction: CsInsn, state: SymbolicState) -> bool:
        return _set(instruction, state, plus(_value(instruction, state, instruction.operands[0]), by))

    return effect


def _exclusive_or(instruction: CsInsn, state: SymbolicState) -> bool:
    """Clears a register if that is both operands."""
    one, other = instruction.operands
    if one.type != X86_OP_REG or other.type != X86_OP_REG or one.reg != other.reg:
        return False
    return _set(instruction, state, Constant(0))


def _push(instruction: CsInsn, state: SymbolicState) -> bool:
    value = _value(instruction, state, instruction.operands[0])
    state[SP] = plus(state[SP], -WORD)
    state.store(state[SP], value)
    return True


def _pop(instruction: CsInsn, state: SymbolicState) -> bool:
    value = state.load(state[SP])
    state[SP] = plus(state[SP], WORD)
    return _set(instruction, state, value)


def _none(_: CsInsn, __: SymbolicState) -> bool:
    return True


def _unknown(instruction: CsInsn, state: SymbolicState) -> None:
    """Whatever it writes was computed from all that it reads."""
    read, written = ([_name(instruction, one) for one in found] for found in instruction.regs_access())
    parts = [state[name] for name in read if name not in _NO_PLACES]
    memory = next((operand for operand in instruction.operands if operand.type == X86_OP_MEM), None)
    if memory is not None:
        parts.append(state.load(_address(instruction, state, memory)))
    value = Mixed(tuple(parts))
    for name in written:
        if name not in _NO_PLACES:
            state[name] = value
    if memory is not None and instruction.operands[0].type == X86_OP_MEM:
        _store(state, _address(instruction, state, memory), value, memory.size)


_NO_PLACES = frozenset(("rip", "rflags"))

_EFFECTS: dict[str, Callable[[CsInsn, SymbolicState], bool]] = {
    **dict.fromkeys(("mov", "movabs", "movq", "movaps", "movups", "movdqa", "movdqu", "movapd", "movupd"), _move),
    **dict.fromkeys(("movzx", "movsx", "movsxd"), _extend),
    "lea": _load_address,
    "add": _add,
    "sub": _subtract,
    "inc": _count(1),
    "dec": _count(-1),
    "xor": _exclusive_or,
    "push": _push,
    "pop": _pop,
    **dict.fromkeys(("cmp", "test", "bt", "nop", "endbr64", "comisd", "ucomisd"), _none),
}
"""By name."""
