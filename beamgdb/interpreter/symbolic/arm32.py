"""32-bit ARM, Thumb-2 and A32 (Arm Architecture Reference Manual ARMv7-A, chapter A8)."""

from __future__ import annotations

from capstone import CS_ARCH_ARM, CS_GRP_CALL, CS_GRP_JUMP, CS_MODE_ARM, CS_MODE_THUMB, Cs, CsInsn
from capstone.arm import ARM_CC_AL, ARM_OP_IMM, ARM_OP_MEM, ARM_SFT_INVALID

from beamgdb.interpreter.symbolic.steps import Call, Fork, Goto, Leave, Next, Step, Stop
from beamgdb.interpreter.symbolic.values import UNKNOWN, Constant, Mixed, State, Value, plus, total

SP = "sp"

ARGUMENTS: tuple[str, ...] = ("r0", "r1", "r2", "r3", "r12", "lr")
"""Registers that a called C function does not keep."""

_LINK = 4
"""Bytes of a word."""


_NAMES = {"sb": "r9", "sl": "r10", "fp": "r11", "ip": "r12"}
"""Capstone's names of registers that GDB knows by their numbers."""


def disassembler(thumb: bool) -> Cs:
    """A disassembler of Thumb-2 or A32 code that tells operands."""
    engine = Cs(CS_ARCH_ARM, CS_MODE_THUMB if thumb else CS_MODE_ARM)
    engine.detail = True
    return engine


def step(instruction: CsInsn, state: State) -> Step:
    """Apply an instruction to the state; what comes next."""
    name = instruction.insn_name()
    if instruction.group(CS_GRP_CALL):
        return Call()
    if name == "udf":
        return Stop()
    if name in ("b", "cbz", "cbnz"):
        return _branch(instruction, name)
    if _writes(instruction, "pc") or name in ("bx", "tbb", "tbh"):
        return _computed_jump(instruction, state, name)
    if instruction.cc != ARM_CC_AL:
        # It may not happen: what it would change is not known, but not lost either.
        for register in _written(instruction):
            state[register] = Mixed((state[register], UNKNOWN))
        return Next()
    effect = _EFFECTS.get(name)
    if effect is None or not effect(instruction, state):
        _unknown(instruction, state)
    return Next()


def stands_alone(instruction: CsInsn) -> bool:
    """Not so in an IT block, whose conditions stand in its first instruction."""
    return bool(instruction.cc == ARM_CC_AL)


def _name(instruction: CsInsn, register: int) -> str:
    """A register's name in GDB."""
    name = str(instruction.reg_name(register))
    return _NAMES.get(name, name)


def _branch(instruction: CsInsn, name: str) -> Step:
    target = instruction.operands[-1].imm
    return Goto(target) if name == "b" and instruction.cc == ARM_CC_AL else Fork(target)


def _computed_jump(instruction: CsInsn, state: State, name: str) -> Step:
    operands = instruction.operands
    if instruction.cc != ARM_CC_AL:
        return Stop()
    if name == "bx" and _name(instruction, operands[0].reg) != "lr":
        return Leave(_register(instruction, state, 0))
    if name == "mov":
        return Leave(_register(instruction, state, 1))
    if name == "ldr":
        address = _address(instruction, state)
        return Leave(state.load(address)) if address is not None else Stop()
    return Stop()


def _register(instruction: CsInsn, state: State, index: int) -> Value:
    return state[_name(instruction, instruction.operands[index].reg)]


def _operand(instruction: CsInsn, state: State, index: int) -> Value:
    operand = instruction.operands[index]
    if operand.type == ARM_OP_IMM:
        return Constant(operand.imm)
    value = _register(instruction, state, index)
    return value if operand.shift.type == ARM_SFT_INVALID else Mixed((value,))


def _address(instruction: CsInsn, state: State) -> Value | None:
    """The address that a load or store uses; writes the base register back where the instruction does."""
    at = next((n for n, operand in enumerate(instruction.operands) if operand.type == ARM_OP_MEM), None)
    if at is None:
        return None
    operand = instruction.operands[at]
    base_name = _name(instruction, operand.mem.base)
    base = UNKNOWN if base_name == "pc" else state[base_name]
    if operand.mem.index:
        index = state[_name(instruction, operand.mem.index)]
        moved = total(base, index if operand.shift.type == ARM_SFT_INVALID else Mixed((index,)))
    else:
        moved = plus(base, operand.mem.disp)
    if not instruction.writeback:
        return moved
    if instruction.post_index:
        after = instruction.operands[at + 1 :]
        by_number = bool(after) and after[0].type == ARM_OP_IMM
        state[base_name] = plus(base, after[0].imm) if by_number else Mixed((base,))
        return base
    state[base_name] = moved
    return moved


def _load(instruction: CsInsn, state: State) -> bool:
    address = _address(instruction, state)
    if address is None:
        return False
    state[_name(instruction, instruction.operands[0].reg)] = state.load(address)
    return True


def _load_part(instruction: CsInsn, state: State) -> bool:
    """A load of less than a word."""
    address = _address(instruction, state)
    if address is None:
        return False
    state[_name(instruction, instruction.operands[0].reg)] = Mixed((state.load(address),))
    return True


def _load_two(instruction: CsInsn, state: State) -> bool:
    address = _address(instruction, state)
    if address is None:
        return False
    one, other = state.load(address), state.load(plus(address, _LINK))
    state[_name(instruction, instruction.operands[0].reg)] = one
    state[_name(instruction, instruction.operands[1].reg)] = other
    return True


def _store(instruction: CsInsn, state: State) -> bool:
    value = _register(instruction, state, 0)
    address = _address(instruction, state)
    if address is None:
        return False
    state.store(address, value)
    return True


def _store_two(instruction: CsInsn, state: State) -> bool:
    one, other = _register(instruction, state, 0), _register(instruction, state, 1)
    address = _address(instruction, state)
    if address is None:
        return False
    state.store(address, one)
    state.store(plus(address, _LINK), other)
    return True


def _move(instruction: CsInsn, state: State) -> bool:
    state[_name(instruction, instruction.operands[0].reg)] = _operand(instruction, state, 1)
    return True


def _add(instruction: CsInsn, state: State) -> bool:
    one, other = _two_sources(instruction, state)
    state[_name(instruction, instruction.operands[0].reg)] = total(one, other)
    return True


def _subtract(instruction: CsInsn, state: State) -> bool:
    one, other = _two_sources(instruction, state)
    value = plus(one, -other.value) if isinstance(other, Constant) else Mixed((one, other))
    state[_name(instruction, instruction.operands[0].reg)] = value
    return True


def _two_sources(instruction: CsInsn, state: State) -> tuple[Value, Value]:
    """Of an instruction with three operands, or with two, the first of which is also a source."""
    first = 0 if len(instruction.operands) == 2 else 1
    return _register(instruction, state, first), _operand(instruction, state, first + 1)


def _compare(instruction: CsInsn, state: State) -> bool:
    return True


def _unknown(instruction: CsInsn, state: State) -> None:
    """Whatever it writes was computed from all that it reads."""
    value = Mixed(tuple(state[register] for register in _read(instruction)))
    if any(operand.type == ARM_OP_MEM for operand in instruction.operands):
        address = _address(instruction, state)
        value = Mixed((*value.parts, UNKNOWN if address is None else state.load(address)))
    for register in _written(instruction):
        state[register] = value


def _read(instruction: CsInsn) -> list[str]:
    return [name for register in instruction.regs_access()[0] if (name := _name(instruction, register)) != "pc"]


def _written(instruction: CsInsn) -> list[str]:
    return [_name(instruction, register) for register in instruction.regs_access()[1]]


def _writes(instruction: CsInsn, register: str) -> bool:
    return instruction.group(CS_GRP_JUMP) or register in _written(instruction)


_EFFECTS = {
    "ldr": _load,
    "ldrb": _load_part,
    "ldrh": _load_part,
    "ldrsb": _load_part,
    "ldrsh": _load_part,
    "ldrd": _load_two,
    "str": _store,
    "strd": _store_two,
    "mov": _move,
    "add": _add,
    "sub": _subtract,
    "cmp": _compare,
    "cmn": _compare,
    "tst": _compare,
}
"""By name without suffixes. A store of less than a word is as good as none here."""
