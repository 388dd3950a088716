"""Which process a user means: by pid (`<0.80.0>`, `0.80.0` or `#PID<0.80.0>`), by registered name, in Erlang's or in
Elixir's syntax, or by an address."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Optional

from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.terms import elixir_quoting
from beamgdb.views.typed import brief, natural
from beamgdb.vm import registered_names
from beamgdb.vm.model import Unavailable
from beamgdb.vm.processes import Process
from jit.otp.tags import IMMED2_BITS

_PID = re.compile(r"(?:#PID(?=<))?<?(?:0\.)?([0-9]+)\.([0-9]+)>?")
_LIKE_A_PID = re.compile(r"(?:#PID)?<.*>|[0-9]+(?:\.[0-9]+)+")
_LIKE_AN_ADDRESS = re.compile(r"[0-9$(*&]")
"""How no name begins that is not quoted."""

Evaluate = Callable[[str], Optional[int]]
"""The word that an expression of the debugger has for its value, None where it has none."""


def is_pid(text: str) -> bool:
    """Whether a pid is meant, sound or not."""
    return _PID.fullmatch(text) is not None


def name_of(text: str) -> str:
    """The name that is meant by what is no pid. Raises `Unavailable` for what only looks like one."""
    if _LIKE_A_PID.fullmatch(text):
        raise Unavailable(f"{brief(text)} is no pid of this VM, as <0.80.0> is")
    name, *_ = elixir_quoting.typed_atoms(text)
    # A name that would be taken for a pid keeps its quotes.
    return text if _LIKE_A_PID.fullmatch(name) else name


def find(node: Node, text: str, evaluate: Evaluate) -> Process:
    """The process that a user means. Raises `Unavailable`."""
    if is_pid(text):
        return _with_pid(node, text)
    name_of(text)
    found = (_registered(node, name) for name in elixir_quoting.typed_atoms(text))
    return next(filter(None, found), None) or _at_address(node, text, evaluate)


def to_come(node: Node, text: str, evaluate: Evaluate) -> tuple[str, str]:
    """A process for `is_meant`, to be compared with those that come by later: its pid in full, or a name; and what a
    user should know of it, or nothing. A name may be registered later. Raises `Unavailable` for a pid or an address
    where no process is, or where processes are not known."""
    if is_pid(text):
        return node.term(_with_pid(node, text).id), ""
    name, (first, *others) = name_of(text), elixir_quoting.typed_atoms(text)
    if _registered(node, first):
        return name, ""
    for other in others:
        if _registered(node, other):
            return other, ""
    if _LIKE_AN_ADDRESS.match(text):
        return node.term(_at_address(node, text, evaluate).id), ""
    return name, f"no process is registered as {brief(name)} now"


def is_meant(node: Node, process: Process, text: str) -> bool:
    """Whether a process is the one that `to_come` gave, or that a user writes so. Raises `Unavailable` where processes
    are not known, and for what no pid can be."""
    if is_pid(text):
        return node.term(process.id) == "<0.{}.{}>".format(*_numbers(node, text))
    name_of(text)
    return _name(node, process) in (text, elixir_quoting.typed_atoms(text)[0])


def _numbers(node: Node, text: str) -> tuple[int, int]:
    """Number and serial in a pid. Raises `Unavailable`."""
    match = _PID.fullmatch(text)
    number, serial = map(natural, match.groups()) if match else (None, None)
    if number is None or serial is None or not node.processes.is_number(number, serial):
        raise Unavailable(f"{brief(text)} is no pid of this VM: its numbers are too large")
    return number, serial


def word_of_pid(node: Node, text: str) -> int:
    """The pid as a term, whether there is such a process or not. Raises `Unavailable`."""
    word = node.processes.word_of(*_numbers(node, text))
    if word is None:
        raise Unavailable("the process table is damaged")
    return word


def _with_pid(node: Node, text: str) -> Process:
    number, serial = _numbers(node, text)
    process = node.processes.lookup(number, serial) or _still_run(node, f"<0.{number}.{serial}>")
    if process is None:
        raise Unavailable(f"no process {text}: it has ended, or never was")
    return process


def _still_run(node: Node, pid: str) -> Process | None:
    """The process of a pid that has ended, but whose native code a dirty scheduler still runs: no table has it."""
    try:
        running = (node.processes.at(one.current_process) for one in node.schedulers if one.current_process)
        return next((one for one in running if node.term(one.id) == pid), None)
    except (Unreadable, Unavailable, KeyError):
        return None


def _registered(node: Node, name: str) -> Process | None:
    return next((process for process, word in registered_names.named(node) if _text(node, word) == name), None)


def _name(node: Node, process: Process) -> str | None:
    """The name that a process is registered under, without quotes; None without one."""
    try:
        registered = process.registered_name()
    except Unreadable:
        return None
    return _text(node, registered) if registered is not None else None


def _text(node: Node, name: int) -> str | None:
    """The text of an atom, without quotes."""
    return node.atoms.name(name >> IMMED2_BITS)


def _at_address(node: Node, text: str, evaluate: Evaluate) -> Process:
    word = evaluate(text)
    if word is None:
        raise Unavailable(f"no process is registered as {brief(text)}, and it is no pid or address")
    address = word & node.memory.address_mask
    process = node.processes.found_at(address)
    if process is None:
        raise Unavailable(f"no process is registered as {brief(text)}, and at that address, {address:#x}, is none")
    return process
