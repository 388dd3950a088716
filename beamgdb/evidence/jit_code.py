"""BeamAsm's `process_main`, the shared fragment that takes processes up and puts them away: its code names fields.

Which registers hold what is in `beamasm.registers`. Whatever the code says must hold for the processes as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from beamgdb.code import jit_interface, registrations
from beamgdb.code.jit_interface import DESCRIPTOR
from beamgdb.code.module import Module, Range
from beamgdb.code.registrations import VM_ENTRIES, CorruptRegistration
from beamgdb.evidence.findings import ENOUGH, INT, Findings, NotProved, Seen, differ, most
from beamgdb.evidence.processes import Processes, is_mfa, states, within_heaps
from beamgdb.machine_code.text import instructions
from beamgdb.memory import Unreadable
from jit.otp.code import MAX_ARG, MFA_WORDS
from jit.otp.layouts.resolve import Field

PROCESS_MAIN = "global::process_main"

LIGHT_BIF = "global::call_light_bif_shared"

LARGEST = 1 << 14
"""Bytes of a fragment at most."""

CACHE_LINE = 64
"""Bytes to which the scheduler's registers are aligned, and which are left for that."""

_NUMBER: Final = r"#?(0x[0-9a-f]+|\d+)"

_X86_64: Final[Mapping[str, str]] = {
    "stop": rf"^mov rsp, (qword) ptr \[r13 \+ {_NUMBER}\]$",
    "htop": rf"^mov r15, (qword) ptr \[r13 \+ {_NUMBER}\]$",
    "fcalls": rf"^mov r14d?, (\w+) ptr \[r13 \+ {_NUMBER}\]$",
    "i": rf"^mov rax, (qword) ptr \[r13 \+ {_NUMBER}\]\n(?:cmp qword ptr \[rax\], .*\nje .*\n)*jmp rax$",
    "current": rf"^lea rdi, \[rdx - 0x18\]\nmov (qword) ptr \[r13 \+ {_NUMBER}\], rdi$",
    "arity": rf"^movz?x? [er]di, \w+ ptr \[rdx - 8\]\nmov (\w+) ptr \[r13 \+ {_NUMBER}\], r?dil?$",
    "scratch": rf"^mov (qword) ptr \[r13 \+ {_NUMBER}\], r14$",
    "state": rf"^mov edi, (dword) ptr \[r13 \+ {_NUMBER}\]\ntest edi, 0x800$",
    "x registers": rf"^mov (qword) ptr \[rdi(?: \+ \w+)?\], rsp\nlea rbx, \[rsp \+ {_NUMBER}\]$",
    "room": rf"^(sub) rsp, {_NUMBER}\nand rsp, 0xffffffffffffffc0$",
}
"""By what they tell: instructions, of which one says how wide a field is and then where it lies. rdx is the address at
which a process goes on, behind a function's `ErtsCodeMFA`; rsp, r15 and r14 are what they are in Erlang code."""

_AARCH64: Final[Mapping[str, str]] = {
    "htop": rf"^ldp (x)23, x20, \[x21, {_NUMBER}\]$",
    "fcalls": rf"^ldr (w)22, \[x21, {_NUMBER}\]$",
    "i": rf"^ldr (x)0, \[x21, {_NUMBER}\]\n(?:ldr x8, \[x0\]\n(?:cmp x8, .*\nb.eq .*\n)*)?br x0$",
    "current": rf"^sub x8, x2, #0x18\nstr (x)8, \[x21, {_NUMBER}\]$",
    "arity": rf"^ldur w8, \[x2, #-8\]\nstr(b)? w8, \[x21, {_NUMBER}\]$",
    "scratch": rf"^str (x)22, \[x21, {_NUMBER}\]$",
    "state": rf"^ldr (w)8, \[x21, {_NUMBER}\]\ntst [wx]8, #0x800$",
    "x registers": rf"^ldp (x)25, x26, \[x19, {_NUMBER}\]$",
    "room": rf"^mov x8, sp\n(sub) x8, x8, {_NUMBER}\n(?:sub x8, x8, {_NUMBER}, lsl #12\n)?and x8, x8, #0xf+c0$",
}

_SCRATCH: Final[Mapping[str, str]] = {
    "x86_64": rf"^mov qword ptr \[rbx - \w+\], rdx\nmov (qword) ptr \[rbx - {_NUMBER}\], rcx$",
    "aarch64": rf"^stp (x)2, x3, \[x19, {_NUMBER}\]$",
}
"""In `LIGHT_BIF`: where the address of the call and, behind it, the export entry are kept. x86-64 tells the latter."""

_PATTERNS: Final = {"x86_64": _X86_64, "aarch64": _AARCH64}

_WIDTHS: Final = {"qword": 8, "x": 8, "dword": 4, "w": 4, "word": 2, "byte": 1, "b": 1}


def prove(seen: Seen, found: Findings) -> None:
    """What the fragment names of `Process`, and `ErtsSchedulerRegisters`."""
    patterns = _PATTERNS.get(seen.arch)
    own = own_modules(seen)
    code = next((one for module in own for one in module.ranges if one.name == PROCESS_MAIN), None)
    if patterns is None or code is None:
        raise NotProved("the shared fragment process_main is not known here")
    text = _text(seen, code)
    processes = Processes(seen, found)
    named = {name: place for name, pattern in patterns.items() if (place := _place(pattern, text)) is not None}
    if "htop" in named and "stop" not in patterns:  # loaded as a pair
        named["stop"] = named["htop"]._replace(offset=named["htop"].offset + seen.word)
    _in_process(seen, found, processes, named, own)
    if named.get("scratch") != _last_argument(seen, found):
        found.drop("Process", "arg_reg", "def_arg_reg")
        found.given_up.append(f"{PROCESS_MAIN} does not tell Process.def_arg_reg")
    if {"x registers", "room"} <= named.keys():
        how = f"the code of {PROCESS_MAIN}"
        elements = seen.near.field("ErtsSchedulerRegisters", "x_reg_array.d").elements
        at = named["x registers"].offset
        found.add("ErtsSchedulerRegisters", how, {"x_reg_array.d": Field(at, seen.word, elements)})
        found.add_size("ErtsSchedulerRegisters", how, named["room"].offset - CACHE_LINE)
        _scratch(seen, found, own, at)


def _last_argument(seen: Seen, found: Findings) -> Field | None:
    """The last of the registers that are part of a process, in which the fragment keeps the reductions that it had."""
    if not found.has("Process", "def_arg_reg"):
        return None
    registers = found.fields["Process"]["def_arg_reg"]
    return Field(registers.offset + seen.word * ((registers.elements or 1) - 1), seen.word)


def _scratch(seen: Seen, found: Findings, own: list[Module], at_x: int) -> None:
    """`TMP_MEM`: x86-64 has the address of x registers at hand, ARM64 that of the structure."""
    code = next((one for module in own for one in module.ranges if one.name == LIGHT_BIF), None)
    place = _place(_SCRATCH[seen.arch], _text(seen, code)) if code is not None else None
    if place is None:
        raise NotProved(f"{LIGHT_BIF} does not tell ErtsSchedulerRegisters.aux_regs.d.TMP_MEM")
    offset = at_x - place.offset - seen.word if seen.arch == "x86_64" else place.offset
    near = seen.near.field("ErtsSchedulerRegisters", "aux_regs.d.TMP_MEM")
    field = Field(offset, seen.word, near.elements)
    found.add("ErtsSchedulerRegisters", f"the code of {LIGHT_BIF}", {"aux_regs.d.TMP_MEM": field})


def _in_process(
    seen: Seen, found: Findings, processes: Processes, named: Mapping[str, Field], own: list[Module]
) -> None:
    """Take what the code names if it is so in processes."""
    how = f"the code of {PROCESS_MAIN} and {processes.how}"
    inside = set(within_heaps(processes, found))
    checks: dict[str, Callable[[Field], bool]] = {
        "stop": lambda field: field.offset in inside and _is_above(processes, named, "htop", "stop"),
        "htop": lambda field: field.offset in inside and _is_above(processes, named, "htop", "stop"),
        "i": lambda field: _is_code(processes, found, field.offset, own),
        "current": lambda field: _is_noted(processes, found, field.offset),
        "arity": lambda field: max(processes.numbers(field.offset, field.width)) <= MAX_ARG,
        "state": lambda field: field.offset in states(processes, are_normal=False),
        "fcalls": lambda field: field.width >= INT,
    }
    for name, holds in checks.items():
        if name in named and holds(named[name]):
            found.add("Process", how, {name: named[name]})
        else:
            found.given_up.append(f"{PROCESS_MAIN} does not tell Process.{name}")


def _is_above(processes: Processes, named: Mapping[str, Field], low: str, high: str) -> bool:
    """Whether one of two fields is never below the other one, and often above."""
    if not {low, high} <= named.keys():
        return False
    pairs = list(zip(processes.at(named[low].offset), processes.at(named[high].offset)))
    return most(one <= other for one, other in pairs) and differ((other - one for one, other in pairs), ENOUGH // 2)


def _is_code(processes: Processes, found: Findings, place: int, own: list[Module]) -> bool:
    """Whether processes go on in code that is loaded."""
    code = [*found.code, *((module.base, module.stop) for module in own)]
    at = processes.at(place)
    return most(any(start <= one < end for start, end in code) for one in at) and differ(at, ENOUGH // 2)


def _is_noted(processes: Processes, found: Findings, place: int) -> bool:
    """Whether it leads to the name of a function, where it leads anywhere."""
    seen = processes.seen
    noted = [one for one in processes.at(place) if one]
    return all(is_mfa(seen, found, seen.words(one, MFA_WORDS * seen.word)) for one in noted)


def own_modules(seen: Seen) -> list[Module]:
    """The code that BeamAsm has registered of itself, before all other."""
    descriptor = seen.symbol(DESCRIPTOR)
    listed = list(jit_interface.entries(seen.memory, descriptor)) if descriptor is not None else []
    modules = []
    for entry in listed[-VM_ENTRIES:]:
        try:
            raw = seen.memory.memory.read(entry.symfile, entry.size)
            parsed = registrations.parse(raw, seen.word, seen.memory.byteorder)
        except (Unreadable, CorruptRegistration):
            continue
        if isinstance(parsed, Module):
            modules.append(parsed)
    return modules


def _text(seen: Seen, code: Range) -> str:
    """Its instructions, one a line."""
    if not 0 < code.stop - code.start <= LARGEST:
        raise NotProved(f"{code.name} has {code.stop - code.start} bytes")
    raw = seen.memory.read(code.start, code.stop - code.start)
    return "\n".join(one.text for one in instructions(seen.arch, raw, code.start))


def _place(pattern: str, text: str) -> Field | None:
    """What all the instructions say that fit; None if there are none, or they differ."""
    said = set(_said(pattern, text))
    return said.pop() if len(said) == 1 else None


def _said(pattern: str, text: str) -> Iterator[Field]:
    for match in re.finditer(pattern, text, re.MULTILINE):
        width, offset, *pages = match.groups()
        high = int(pages[0], 0) << 12 if pages and pages[0] else 0
        yield Field(int(offset, 0) + high, _WIDTHS.get(width or "w", 0))
