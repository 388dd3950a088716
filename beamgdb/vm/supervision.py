"""Who supervises whom: what processes note of their ancestors (proc_lib.erl), supervisors of their children
(supervisor.erl), and the application controller of applications (application_controller.erl). Of OTP 25, 27 and 29.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.terms.quoting import unquoted
from beamgdb.vm import backtrace, process_dictionary
from beamgdb.vm.backtrace import StackEnds
from beamgdb.vm.ets import EtsTable, EtsTables
from beamgdb.vm.model import Unavailable, Vm
from beamgdb.vm.processes import Process
from jit.otp.tags import ATOM, BOXED, CONS, IMMED1_MASK, IMMED2_BITS, IMMED2_MASK, PID, PRIMARY_MASK

ANCESTORS: Final = "'$ancestors'"
INITIAL_CALL: Final = "'$initial_call'"
LABEL: Final = "'$process_label'"
"""Keys of the dictionary, as terms are written. Labels there are since OTP 27 (`proc_lib:set_label/1`)."""

MAX_CHILDREN: Final = 1 << 22
"""Children of one supervisor that are followed."""

MAX_ANCESTORS: Final = 64
"""Of one process."""

FRAMES: Final = 30
"""Frames of a supervisor in which its state is looked for: when it waits it is in the first."""

HIBERNATION: Final = 2
"""Lists in which a hibernating server's state is: [gen_server,wake_hib,[Parent,Name,State|_]] is an argument. Since
OTP 28 it is in a frame."""

MAX_ARGUMENTS: Final = 16
"""Elements of such a list."""

STRATEGIES: Final = ("one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one")
RESTARTS: Final = ("permanent", "transient", "temporary")

_NAME, _STRATEGY, _CHILDREN, _DYNAMICS, _RESTARTED = 1, 2, 3, 4, 7
_LEAST_STATE: Final = 12
"""Elements of the record `state` that are used, and how many it has at least."""

_PID, _ID, _RESTART, _TYPE = 1, 2, 4, 7
_CHILD: Final = 9
"""Those of the record `child`, and how many it has."""


@dataclass(frozen=True)
class Notes:
    """What a process notes of itself in its dictionary, as terms; None for what it does not."""

    ancestors: tuple[int, ...] = ()
    """Pids and registered names of who started it, whose own starter and so on; the nearest one first."""
    initial_call: int | None = None
    label: int | None = None


@dataclass(frozen=True)
class Child:
    """A child of a supervisor; `pid` is None, and `state` "restarting" or "undefined", for one that does not run. `id`
    is a term, None of one of a simple_one_for_one; `restart` and `kind` are as in its specification."""

    pid: int | None
    state: str
    id: int | None
    restart: str
    kind: str


@dataclass(frozen=True)
class Supervisor:
    """What a supervisor's state tells. `restarted`: how many restarts it remembers, within its period."""

    strategy: str
    restarted: int | None
    children: tuple[Child, ...]


class Supervision:
    """That of a VM. What cannot be read of one process is left out."""

    def __init__(self, vm: Vm) -> None:
        self._vm = vm
        self._atoms: dict[int, str] = {}

    def notes(self, process: Process) -> Notes:
        """What is in its dictionary."""
        found = self._noted(process)
        ancestors = self._elements(found[ANCESTORS], MAX_ANCESTORS) if ANCESTORS in found else ()
        return Notes(tuple(ancestors), found.get(INITIAL_CALL), found.get(LABEL))

    def labels(self, dictionaries: Sequence[int]) -> list[int | None]:
        """Labels alone, by the addresses of dictionaries, 0 for none."""
        return self._values(LABEL, dictionaries)

    def initial_calls(self, dictionaries: Sequence[int]) -> list[str | None]:
        """Those of `initial_call` alone, by the same."""
        calls = self._values(INITIAL_CALL, dictionaries)
        return [self.initial_call(Notes(initial_call=call)) if call is not None else None for call in calls]

    def _values(self, key: str, dictionaries: Sequence[int]) -> list[int | None]:
        try:
            atom = self._vm.atoms.find(unquoted(key)) if any(dictionaries) else None
            if atom is not None:
                word = atom << IMMED2_BITS | ATOM
                return process_dictionary.values(self._vm.memory, self._vm.layout, dictionaries, word)
        except (Unreadable, KeyError):
            pass
        return [None] * len(dictionaries)

    def _noted(self, process: Process) -> dict[str, int]:
        found: dict[str, int] = {}
        try:
            for key, value in process_dictionary.pairs(process.record):
                if key & IMMED2_MASK == ATOM and (name := self._text(key)) in (ANCESTORS, INITIAL_CALL, LABEL):
                    found[name] = value
        except (Unreadable, KeyError):
            pass
        return found

    def is_supervisor(self, notes: Notes) -> bool:
        """Whether it was started as a supervisor: `supervisor:start_link` notes {supervisor,Module,Arity}."""
        call = self._call(notes)
        return call is not None and self._text(call[0]) == "supervisor"

    def initial_call(self, notes: Notes) -> str | None:
        """The function that it notes as its first, as a symbol has it: `proc_lib` makes that of what it is to do."""
        call = self._call(notes)
        return f"{self._text(call[0])}:{self._text(call[1])}/{self._text(call[2])}" if call is not None else None

    def callback_module(self, process: Process) -> int | None:
        """The module, an atom, of the function that it notes as its first: of a gen_server that which it calls back."""
        call = self._call(self.notes(process))
        return call[0] if call is not None else None

    def _call(self, notes: Notes) -> list[int] | None:
        call = self._elements(notes.initial_call, 3) if notes.initial_call is not None else []
        return call if len(call) == 3 else None

    def supervisor(self, process: Process) -> Supervisor | None:
        """The state of a supervisor, None where it is not found: it is looked for in its frames."""
        try:
            for word in self._words(process):
                found = self._state(word)
                if found is not None:
                    return found
        except (Unreadable, StackEnds, KeyError):
            pass
        return None

    def applications(self) -> dict[int, str]:
        """Names of the applications that run, by the pids of their masters: the application controller's table has
        {{application_master,Name},Pid}. Empty where that cannot be read."""
        found: dict[int, str] = {}
        try:
            for key, pid in self._pairs_of(next(self._tables("ac_tab"), None)):
                both = self._elements(key, 2)
                if len(both) == 2 and pid & IMMED1_MASK == PID and self._text(both[0]) == "application_master":
                    found[pid] = self._text(both[1])
        except (Unreadable, Unavailable, KeyError):
            pass
        return found

    def _words(self, process: Process) -> Iterator[int]:
        """Terms on the stack of a process, and the arguments of a function that it has still to enter."""
        for word in backtrace.saved_arguments(process) or ():
            yield from self._inside(word, HIBERNATION)
        for level in islice(backtrace.of_waiting(self._vm, process), FRAMES):
            yield from level.y_registers

    def _inside(self, word: int, depth: int) -> Iterator[int]:
        """A term, and if it is a list what is in it."""
        yield word
        if depth and word & PRIMARY_MASK == CONS:
            for one in self._elements(word, MAX_ARGUMENTS):
                yield from self._inside(one, depth - 1)

    def _state(self, word: int) -> Supervisor | None:
        """A supervisor's state, None of all else."""
        parts = self._tuple(word, "state", _LEAST_STATE)
        if parts is None:
            return None
        strategy = self._text(parts[_STRATEGY])
        children = self._elements(parts[_CHILDREN], 2)
        if strategy not in STRATEGIES or len(children) != 2:
            return None
        restarted = sum(1 for _ in self._elements(parts[_RESTARTED], MAX_CHILDREN))
        specifications = dict(self._map(children[1]))
        # The one that was started last is the first.
        in_order = [name for name in reversed(self._elements(children[0], MAX_CHILDREN)) if name in specifications]
        # Ids that are no immediate words may be equal without being the same word.
        ids = in_order if len(in_order) == len(specifications) else specifications
        known = [one for one in (self._child(specifications[id_]) for id_ in ids) if one is not None]
        if strategy == "simple_one_for_one" and known:
            dynamics = self._elements(parts[_DYNAMICS], 2)
            pids = sorted(key for key, _ in self._map(dynamics[1])) if len(dynamics) == 2 else []
            (like, *_) = known
            known = [self._dynamic(pid, like) for pid in pids]
        return Supervisor(strategy, restarted, tuple(known))

    def _child(self, word: int) -> Child | None:
        parts = self._tuple(word, "child", _CHILD)
        if parts is None:
            return None
        pid, state = self._running(parts[_PID])
        return Child(pid, state, parts[_ID], self._text(parts[_RESTART]), self._text(parts[_TYPE]))

    def _dynamic(self, key: int, like: Child) -> Child:
        pid, state = self._running(key)
        return Child(pid, state, None, like.restart, like.kind)

    def _running(self, word: int) -> tuple[int | None, str]:
        """The pid that a child has, and whether it runs: `undefined`, and `{restarting, Pid}` does not."""
        if word & IMMED1_MASK == PID:
            return word, "running"
        return None, "restarting" if word & PRIMARY_MASK == BOXED else self._text(word)

    # -- terms ---------------------------------------------------------------------------------------------------------

    def _tuple(self, word: int, tag: str, least: int) -> list[int] | None:
        """The elements of a record, None of all else: its tag, and how many there are at least."""
        if word & PRIMARY_MASK != BOXED:
            return None
        parts = self._vm.parts(word, 4 * least)
        if len(parts) < least or parts[0].place != 1 or self._text(parts[0].word) != tag:
            return None
        return [one.word for one in parts]

    def _elements(self, word: int, most: int) -> list[int]:
        """Those of a list or tuple."""
        if word & PRIMARY_MASK not in (BOXED, CONS):
            return []
        return [one.word for one in self._vm.parts(word, most) if one.place is not None]

    def _map(self, word: int) -> Iterable[tuple[int, int]]:
        if word & PRIMARY_MASK != BOXED:
            return ()
        return [(one.key, one.word) for one in self._vm.parts(word, MAX_CHILDREN) if one.key is not None]

    def _text(self, word: int) -> str:
        if word & IMMED2_MASK != ATOM:
            return self._vm.term(word)
        if word not in self._atoms:
            self._atoms[word] = self._vm.term(word)
        return self._atoms[word]

    def _tables(self, name: str) -> Iterator[EtsTable]:
        for one in EtsTables(self._vm):
            if not isinstance(one, Unreadable) and self._text(one.name) == name:
                yield one

    def _pairs_of(self, table: EtsTable | None) -> Iterator[tuple[int, int]]:
        for object_ in islice(table.objects(), MAX_CHILDREN) if table is not None else ():
            parts = self._elements(object_, 2)
            if len(parts) == 2:
                yield parts[0], parts[1]
