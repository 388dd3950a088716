"""The state of a gen_server or gen_statem that waits, as sys:get_state/1 would have it (gen_server.erl and
gen_statem.erl of OTP 25, 27 and 29).

The loop of a gen_server has Parent, Name, State and what it calls back one behind the other: as y registers, which the
compiler numbers from the first argument on or from the last, or of one that hibernates until OTP 27 as arguments with
which it goes on, [gen_server,wake_hib,[Parent,Name,State,Module|_]]. What it calls back is its module, in OTP 27 in a
record callback_cache; in OTP 29 a record server_data has all but the state, which stands behind it. The process has
noted its module too, as '$initial_call': so the state is what stands beside just that module, in one of these ways.

The loop of a gen_statem has a record params, with the modules that are called back, and a record state, of which the
first field is {State,Data}.
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

_WAITING: Final = (
    *("gen_server:loop/", "gen_server:loop_hibernate/"),
    *("gen_statem:loop_receive/", "gen_statem:loop/", "gen_statem:loop_hibernate/", "gen_statem:loop_wakeup/"),
)
"""All but `gen_server:loop` and `loop_receive` since OTP 29, in which the latter is gone."""

_CACHE: Final = "callback_cache"
_SERVER: Final = "server_data"
_MACHINE: Final = "params"
_STATE: Final = "state"
_MODULES: Final = 4
"""Of a record params the place of the list of modules."""


def state(vm: Vm, process: Process) -> int | None:
    """The state as a term; None of all that is neither, and while it does something. Never raises."""
    try:
        module = Supervision(vm).callback_module(process)
        if module is not None:
            for words in _loops(vm, process):
                for way in (words, words[::-1]):
                    found = _beside(vm, way, module) or _of_machine(vm, way)
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


def _of_machine(vm: Vm, words: Sequence[int]) -> int | None:
    """The state of a gen_statem, of which the callback module may be another one by now."""
    machines = (_record(vm, word, _MACHINE) for word in words)
    if not any(one[_MODULES] & PRIMARY_MASK == CONS for one in machines if len(one) > _MODULES):
        return None
    for word in words:
        fields = _record(vm, word, _STATE)[1:2]
        if fields and len(_elements(vm, fields[0])) == 2:
            return fields[0]
    return None


def _loops(vm: Vm, process: Process) -> Iterator[Sequence[int]]:
    """What frames of the loops have in their y registers, and the arguments with which one that hibernates goes on."""
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
