"""The interpreter: what data alone tells of processes, its table of operations, and the lines of modules.

It has no shared fragments whose code names fields: a C compiler has put `process_main` together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile
from typing import Final

from beamgdb.code.module_table import ModuleTable
from beamgdb.code.ranges import LoadedNow
from beamgdb.evidence import interpreter_x86_64
from beamgdb.evidence.findings import ENOUGH, INT, Findings, NotProved, Seen, differ, most, only
from beamgdb.evidence.modules import sampled
from beamgdb.evidence.processes import SOME, Processes, is_mfa, states, within_heaps
from beamgdb.interpreter import operations
from beamgdb.interpreter.operations import Operation, Unsupported
from beamgdb.machine_code.arm32 import Arm32Instruction, Transfer, decode
from beamgdb.memory import Unreadable
from beamgdb.records.record import Record
from beamgdb.records.statics import CODE_BITS
from beamgdb.vm.atoms import AtomTable
from jit.otp.code import CODE_INFO_WORDS, MAX_REG, MFA_WORDS
from jit.otp.layouts.layout import Layout
from jit.otp.layouts.resolve import Field

X_REGISTERS = MAX_REG + 3
"""Words of the array of x registers at least (`ERTS_X_REGS_ALLOCATED`, erl_vm.h)."""

SOURCES = (".erl", ".yrl", ".xrl", ".hrl")
"""What files of the VM's own modules end with."""

CALL_NIF, HANDLER = "call_nif", 96
"""An operation, and the bytes of its handler that are looked at."""

LARGEST = 1 << 20
"""Bytes of a module that is read for its lines, at most."""

BEHIND = 1 << 14
"""Bytes behind the last handler in which `process_main` goes on, or other functions that do no harm."""

BEGINNING = 200
"""Bytes of `process_main` in which it takes its registers from its argument."""

_STORED: Final = re.compile(r"\[(\w+), #(0x[0-9a-f]+|\d+)\]")
_ARITY: Final = re.compile(r"\[\w+, #-(?:0x)?4\]")
_WIDTHS: Final = {"str": 4, "strb": 1}

NEAR = 10
"""Instructions within which what belongs together stands."""


def prove(seen: Seen, found: Findings) -> None:
    """All of this. What is given up is not missed by the rest."""
    for part in (_stacks, _states, _operations, _places, _registers, _code_info, _lines):
        try:
            part(seen, found)
        except (NotProved, Unreadable, Unsupported) as error:
            found.given_up.append(str(error))


def _stacks(seen: Seen, found: Findings) -> None:
    """The only words that point between a heap and the end of the stack above it are, in this order, where a collection
    was, the top of the heap and that of the stack."""
    processes = Processes(seen, found)
    ends = [found.offset("Process", name) for name in ("heap", "hend")]
    inside = [at for at in within_heaps(processes, found) if at not in ends]
    ordered = sorted(inside, key=lambda at: sum(processes.at(at)))
    names = ("high_water", "htop", "stop")
    if len(ordered) != len(names):
        raise NotProved(f"{len(ordered)} places for Process.stop and what is below it")
    chain = [processes.at(at) for at in (ends[0], *ordered, ends[1])]
    for low, high in zip(chain, chain[1:]):
        pairs = list(zip(low, high))
        if not most(one <= other for one, other in pairs) or not differ((b - a for a, b in pairs), SOME):
            raise NotProved("the order of Process.htop and Process.stop")
    found.add("Process", processes.how, {name: Field(at, seen.word) for name, at in zip(names, ordered)})


def _states(seen: Seen, found: Findings) -> None:
    processes = Processes(seen, found)
    found.add("Process", processes.how, {"state": Field(only(states(processes), "Process.state"), INT)})


def _places(seen: Seen, found: Findings) -> None:
    """Where processes go on, in which function, and with how many arguments."""
    processes = Processes(seen, found)
    at_i = only((at for at in processes.places if _is_code(processes, found, at)), "Process.i")
    found.add("Process", processes.how, {"i": Field(at_i, seen.word)})
    at_current = _noted_by_call_nif(seen, found)
    if not _is_noted(processes, found, at_current):
        raise NotProved("Process.current does not lead to functions")
    how = f"the code of {CALL_NIF} and {processes.how}"
    found.add("Process", how, {"current": Field(at_current, seen.word)})
    prove_arity(seen, found)


def _is_code(processes: Processes, found: Findings, place: int) -> bool:
    at = processes.at(place)
    return most(any(start <= one < end for start, end in found.code) for one in at) and differ(at, ENOUGH // 2)


def _is_noted(processes: Processes, found: Findings, place: int) -> bool:
    """Whether it leads to names of functions, where it leads anywhere."""
    seen = processes.seen
    noted = [one for one in processes.at(place) if one]
    return all(one % seen.word == 0 and is_mfa(seen, found, seen.words(one, MFA_WORDS * seen.word)) for one in noted)


def _require_reader(seen: Seen) -> None:
    """Raise `NotProved` where nothing here reads the code of the processor."""
    if seen.arch not in ("x86_64", "arm32"):
        raise NotProved(f"what tells is code of the interpreter, and that for {seen.arch} is not read")


def _noted_by_call_nif(seen: Seen, found: Findings) -> int:
    """Where the operation that calls a NIF notes the function which that is: its name lies before the operation."""
    if "OpEntry" not in found.sizes:
        raise NotProved("no operation tells Process.current")
    known = operations.read(seen.memory, seen.near, seen.symbol)
    handlers = [one.handler for one in known if one.name.removesuffix(f"_{one.signature}") == CALL_NIF]
    code = [(seen.memory.read(handler, HANDLER), handler) for handler in handlers]
    _require_reader(seen)
    if seen.arch == "x86_64":
        told = [interpreter_x86_64.noted(raw, handler) for raw, handler in code]
    else:
        told = [_noted(seen, raw, handler, thumb) for raw, handler in code for thumb in (True, False)]
    return only((place for places in told for place in places), "Process.current")


def _noted(seen: Seen, code: bytes, start: int, thumb: bool) -> set[int]:
    """Distances at which the address of a function's name is stored, before anything is called."""
    names: set[str] = set()
    places: set[int] = set()
    for instruction in _before_calls(code, start, thumb):
        for kind, to, source, amount, _ in instruction.effects:
            if kind == "store" and to in names and source != "sp":
                places.add(amount)
            elif kind == "set" and source and amount == -MFA_WORDS * seen.word:
                names.add(to)
            elif kind not in ("store", "compare"):
                names.discard(to)
    return places


def _before_calls(code: bytes, start: int, thumb: bool) -> Iterator[Arm32Instruction]:
    """Instructions up to the first that calls or ends."""
    return takewhile(lambda one: one.control not in (Transfer.CALL, Transfer.STOP), _all(code, start, thumb))


def prove_arity(seen: Seen, found: Findings) -> None:
    """A process that goes on at the beginning of a function has as many arguments as that; one that waits has none."""
    processes = Processes(seen, found)
    at_i, at_current = (found.offset("Process", name) for name in ("i", "current"))
    wanted: dict[int, int] = {}
    for address, goes_on, noted in zip(processes.words, processes.at(at_i), processes.at(at_current)):
        if not noted:
            wanted[address] = 0
        elif goes_on == noted + MFA_WORDS * seen.word:
            wanted[address] = seen.memory.word(noted + (MFA_WORDS - 1) * seen.word)
    fits = {
        (at, width)
        for at, width in _arities_in_code(seen, at_current)
        if most(seen.number(address + at, width) == count for address, count in wanted.items())
    }
    at = only((at for at, _ in fits), "Process.arity")
    width = only((width for _, width in fits), "Process.arity")
    found.add("Process", f"the code of process_main and {len(wanted)} processes", {"arity": Field(at, width)})


def _arities_in_code(seen: Seen, at_current: int) -> set[tuple[int, int]]:
    """Where, and how wide, the arity of a function is stored beside the place where the function is noted: it is the
    word before the function's first instruction."""
    _require_reader(seen)
    start = seen.variable("process_main") & _code_mask(seen)
    end = max(one.handler for one in operations.read(seen.memory, seen.near, seen.symbol)) + BEHIND
    if not start < end <= start + LARGEST:
        return set()
    raw, found = seen.memory.read(start, end - start), set()
    if seen.arch == "x86_64":
        return interpreter_x86_64.arities(raw, start, at_current)
    for thumb in (True, False):
        code = list(_all(raw, start, thumb))
        for number, one in enumerate(code):
            place = _STORED.fullmatch(one.operands[1]) if one.stem in _WIDTHS and len(one.operands) == 2 else None
            if place is None or place[1] == "sp":
                continue
            before, around = code[max(0, number - NEAR) : number], code[max(0, number - NEAR) : number + NEAR]
            is_arity = any(
                other.stem == "ldr" and other.operands[0] == one.operands[0] and _ARITY.fullmatch(other.operands[1])
                for other in before
            )
            notes = any(
                other.stem == "str" and (noted := _STORED.fullmatch(other.operands[1])) is not None
                and noted[1] == place[1] and int(noted[2], 0) == at_current
                for other in around if len(other.operands) == 2
            )  # fmt: skip
            if is_arity and notes and int(place[2], 0) != at_current:
                found.add((int(place[2], 0), _WIDTHS[one.stem]))
    return found


def _all(code: bytes, start: int, thumb: bool) -> Iterator[Arm32Instruction]:
    """All that may be instructions."""
    at = 0
    while at < len(code):
        instruction = decode(code[at : at + 4], start + at, thumb)
        yield instruction
        at += instruction.size


def _registers(seen: Seen, found: Findings) -> None:
    """`process_main` takes the arrays of registers from its argument: that of x registers is the shorter one."""
    _require_reader(seen)
    start = seen.variable("process_main") & _code_mask(seen)
    raw = seen.memory.read(start, BEGINNING)
    read = [interpreter_x86_64.taken(raw, start)] if seen.arch == "x86_64" else [
        _taken(raw, start, thumb) for thumb in (True, False)
    ]  # fmt: skip
    taken = [offsets for offsets in read if len(offsets) == 2]
    if len(taken) != 1:
        raise NotProved("process_main does not tell ErtsSchedulerRegisters.x_reg_array")
    low, high = sorted(taken[0])
    if not X_REGISTERS * seen.word <= high - low < 2 * X_REGISTERS * seen.word:
        raise NotProved("process_main does not tell ErtsSchedulerRegisters.x_reg_array")
    near = seen.near.structs["ErtsSchedulerRegisters"].fields
    found.add("ErtsSchedulerRegisters", "the code of process_main", {
        "x_reg_array.d": near["x_reg_array.d"]._replace(offset=low),
        "f_reg_array.d": near["f_reg_array.d"]._replace(offset=high),
    })  # fmt: skip


def _taken(code: bytes, start: int, thumb: bool) -> set[int]:
    """Distances of what is added to the word that the argument points to, before anything is called."""
    holders: set[str] = set()
    distances: set[int] = set()
    for instruction in _before_calls(code, start, thumb):
        for kind, to, source, amount, _ in instruction.effects:
            if kind == "set" and source in holders and amount:
                distances.add(amount)
            if kind == "load" and source == "r0" and not amount:
                holders.add(to)
            elif kind not in ("store", "compare"):
                holders.discard(to)
    return distances


def _code_mask(seen: Seen) -> int:
    """What leaves the address of code in a pointer to it."""
    return CODE_BITS.get(seen.arch, -1)


def _operations(seen: Seen, found: Findings) -> None:
    """Names of operations end with their signatures; labels are relative to a word of the instruction; and by the sizes
    of instructions one comes from the beginning of a function to its end."""
    known = operations.read(seen.memory, seen.near, seen.symbol)
    signed = [one for one in known if one.signature]
    if not (
        len(signed) > ENOUGH
        and all(one.name.endswith(f"_{one.signature}") for one in signed)
        and differ((one.name for one in known), len(known))
        and all(0 < one.words < MAX_REG for one in known if one.name not in ("", "label_L"))
        and all(one.adjust < max(one.words, 1) for one in known)
        and differ((one.adjust for one in known), SOME - 1)
        and _reach_ends(seen, found, known)
    ):
        raise NotProved("the table of operations")
    how = f"{len(known)} operations"
    fields = ("name", "sign", "sz", "adjust", "pack")
    found.add("OpEntry", how, {name: seen.near.field("OpEntry", name) for name in fields})
    found.add_size("OpEntry", how, seen.near.size("OpEntry"))


def _reach_ends(seen: Seen, found: Findings, known: tuple[Operation, ...]) -> bool:
    """Whether the instructions of the last functions of modules fill them: those are all alike (`module_info`)."""
    by_handler = {one.handler: one for one in known}
    names = found.offset("ErtsCodeInfo", "mfa") + MFA_WORDS * seen.word
    reached = 0
    for start, _ in sampled(found.code):
        count = seen.memory.word(start + found.offset("BeamCodeHeader", "num_functions"))
        functions = seen.memory.words(start + found.offset("BeamCodeHeader", "functions"), count + 1)
        at, end = functions[-2] + names, functions[-1]
        while at < end:
            operation = by_handler.get(seen.memory.word(at) & _code_mask(seen))
            if operation is None:
                break
            at += operation.words * seen.word
        reached += at == end
    return reached >= ENOUGH


def _code_info(seen: Seen, found: Findings) -> None:
    """Instructions begin right behind the name of a function: there is the address of a handler."""
    handlers = {one.handler for one in operations.read(seen.memory, seen.near, seen.symbol)}
    names = found.offset("ErtsCodeInfo", "mfa") + MFA_WORDS * seen.word
    begins = []
    for start, _ in sampled(found.code):
        first = seen.memory.word(start + found.offset("BeamCodeHeader", "functions"))
        begins.append(seen.memory.word(first + names) & _code_mask(seen) in handlers)
    if not most(begins) or names != CODE_INFO_WORDS * seen.word:
        raise NotProved("the size of ErtsCodeInfo")
    found.add_size("ErtsCodeInfo", f"{len(begins)} functions", names)


def _lines(seen: Seen, found: Findings) -> None:
    """A table of lines is read whole, for many modules, only from where it is."""
    bounds = [(start, end) for start, end in sampled(found.code) if end - start <= LARGEST]
    if seen.is_slow:
        bounds = bounds[:: max(1, len(bounds) // (ENOUGH + 2))]
    if "ErtsCodeInfo" not in found.sizes:
        raise NotProved("BeamCodeHeader.line_table: the size of ErtsCodeInfo is not known")
    places = []
    for at in range(0, found.offset("BeamCodeHeader", "functions"), seen.word):
        tables = [(start, seen.memory.word(start + at), end) for start, end in bounds]
        if not all(table == 0 or start < table < end for start, table, end in tables) or not differ(tables, ENOUGH):
            continue
        layout = _trial(seen, found, at)
        atoms = AtomTable(Record(seen.memory, layout, "IndexTable", seen.variable("erts_atom_table")))
        loaded = LoadedNow(seen.memory, layout, seen.symbol, seen.arch)
        read = ModuleTable(seen.memory, layout, seen.symbol, atoms.name, loaded).at(bounds)
        files = [line[1] for module in read for code in module.ranges for line in code.lines if line[2]]
        if len(read) == len(bounds) and differ(files, ENOUGH) and all(file.endswith(SOURCES) for file in files):
            places.append(at)
    at = only(places, "BeamCodeHeader.line_table")
    how = f"the lines of {len(bounds)} modules"
    found.add("BeamCodeHeader", how, {"line_table": Field(at, seen.word)})
    found.add_size("BeamCodeHeader", how, found.offset("BeamCodeHeader", "functions") + seen.word)
    fields = ("fname_ptr", "loc_size", "loc_tab.p2", "func_tab")
    found.add("BeamCodeLineTab", how, {name: seen.near.field("BeamCodeLineTab", name) for name in fields})


def _trial(seen: Seen, found: Findings, at: int) -> Layout:
    """A layout for trying whether modules have their lines there."""
    structs = found.structs()
    header = structs["BeamCodeHeader"]
    fields = {**header.fields, "line_table": Field(at, seen.word)}
    structs["BeamCodeHeader"] = replace(header, size=seen.window("BeamCodeHeader"), fields=fields)
    structs["BeamCodeLineTab"] = seen.near.structs["BeamCodeLineTab"]
    return replace(seen.near, structs=structs)
