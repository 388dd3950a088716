"""The state of a gen_server that waits, as sys:get_state/1 would have it (gen_server.erl of OTP 25, 27 and 29).

Its loop has Parent, Name, State and what it calls back one behind the other: as y registers, which the compiler numbers
from the first argument on or from the last, or of one that hibernates until OTP 27 as arguments with which it goes on,
[gen_server,wake_hib,[Parent,Name,State,Module|_]]. What it calls back is its module, in OTP 27 in a record
callback_cache; in OTP 29 a record server_data has all but the state, which stands behind it. The process has noted its
module too, as '$initial_call': so the state is what stands beside just that module, in one of these ways.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from beamgdb.memory import Unreadable
from beamgdb.vm import backtrace
from beamgdb.vm.backtrace import StackEnds
from beamgdb.vm.model import Vm
from beamgdb.vm.processes import Process
from beamgdb.vm.supervision import Supervision
from jit.otp.tags import BOXED, CONS, IMMED1_MASK, PID, PRIMARY_MASK

FRAMES: Final = 4
"""Frames in which it is looked for: of one that waits the loop is the first, or the second."""

MAX_WORDS: Final = 32
"""Of a list of arguments."""

_WAITING: Final = ("gen_server:loop/", "gen_server:loop_hibernate/")
"""The latter since OTP 29."""

_CACHE: Final = "callback_cache"
_SERVER: Final = "server_data"


def state(vm: Vm, process: Process) -> int | None:
    """The state as a term; None of all that is no gen_server, and while it does something. Never raises."""
    try:
        module = Supervision(vm).callback_module(process)
        if module is not None:
            for words in _loops(vm, process):
                for way in (words, words[::-1]):
                    found = _beside(vm, way, module)
                    if found is not None:
                        return found
    except (Unreadable, StackEnds, KeyError):
        pass
    return None


def _beside(vm: Vm, words: Sequence[int], module: int) -> int | None:
    """The state among words that are in the order of the loop's arguments."""
    for parent, _, found, callbacks in zip(words, words[1:], words[2:], words[3:]):
        if parent & IMMED1_MASK == PID and (callbacks == module or module in _record(vm, callbacks, _CACHE)[1:2]):
            return found
    for server, found in zip(words, words[1:]):
        if module in _record(vm, server, _SERVER):
            return found
    return None


def _loops(vm: Vm, process: Process) -> Iterator[Sequence[int]]:
    """What frames of gen_server have in their y registers, and the arguments with which one that hibernates goes on."""
    for word in backtrace.saved_arguments(process) or ():
        for inner in _elements(vm, word) if word & PRIMARY_MASK == CONS else ():
            if inner & PRIMARY_MASK == CONS:
                yield _elements(vm, inner)
    for level in islice(backtrace.of_waiting(vm, process), FRAMES):
        # (While a callback runs there are others of the module, with words in other orders.)
        if level.place is not None and level.place.code.name.startswith(_WAITING):
            yield level.y_registers


def _record(vm: Vm, word: int, tag: str) -> list[int]:
    """The elements of a record of that name; none of all else."""
    parts = _elements(vm, word) if word & PRIMARY_MASK == BOXED else []
    return parts if parts and vm.term(parts[0]) == tag else []


def _elements(vm: Vm, word: int) -> list[int]:
    return [one.word for one in vm.parts(word, MAX_WORDS) if one.place is not None]
