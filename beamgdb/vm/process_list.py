"""All processes at once: what is asked of each is read in few reads, and looked up elsewhere once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any, Final, NamedTuple, TypeVar, Union, overload

from beamgdb.memory import Unreadable
from beamgdb.records import arrays
from beamgdb.records.arrays import Array, Column
from beamgdb.records.columns import Columns, Row
from beamgdb.vm import calls, signals
from beamgdb.vm.message_sizes import MessageSizes
from beamgdb.vm.model import Vm
from beamgdb.vm.pids import Pids
from beamgdb.vm.pieces import InPieces
from beamgdb.vm.processes import Process
from jit.otp.features import QUEUE_LENGTHS
from jit.otp.tags import ATOM, IMMED1_MASK, IMMED2_MASK, PID


class Noted(NamedTuple):
    """What the VM notes of a process, as words; None for what the layout lacks. Of the queues `inner`, `middle` and
    `outer` count messages as `ProcessList.queue_length` knows; `first`, `cont` and `received` are what they begin
    with."""

    address: int
    id: int | None
    state: int | None
    registration: int | None
    current: int | None
    i: int | None
    heap: int | None
    hend: int | None
    heap_sz: int | None
    abandoned_heap: int | None
    old_heap: int | None
    old_hend: int | None
    mbuf_sz: int | None
    reds: int | None
    parent: int | None
    module: int | None
    function: int | None
    arity: int | None
    monitors: int | None
    inner: int | None
    middle: int | None
    outer: int | None
    cont: int | None
    incoming: int | None
    buffers: int | None
    first: int | None
    received: int | None
    dictionary: int | None


class NotedTogether(Sequence[Noted]):
    """Processes that were read together: `columns` has each field of all."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        self._numbers: dict[int, Sequence[int | None]] = {}

    def numbers(self, place: int) -> Sequence[int | None]:
        """One of the columns as numbers of Python."""
        if place not in self._numbers:
            self._numbers[place] = arrays.numbers(self.columns[place])
        return self._numbers[place]

    def __len__(self) -> int:
        return len(self.columns[0])

    @overload
    def __getitem__(self, at: int) -> Noted: ...
    @overload
    def __getitem__(self, at: slice) -> NotedTogether: ...
    def __getitem__(self, at: int | slice) -> Noted | NotedTogether:
        if isinstance(at, slice):
            return NotedTogether([column[at] for column in self.columns])
        return Noted._make(self.numbers(place)[at] for place in range(len(self.columns)))

    def __iter__(self) -> Iterator[Noted]:
        return map(partial(tuple.__new__, Noted), zip(*map(self.numbers, range(len(self.columns)))))


def fields(*names: str) -> Callable[[Sequence[Noted]], Sequence[Sequence[Any]]]:
    """What gives the values of these fields of many processes."""
    places = [Noted._fields.index(name) for name in names]

    def found(many: Sequence[Noted]) -> Sequence[Sequence[Any]]:
        if isinstance(many, NotedTogether):
            return list(map(many.numbers, places))
        columns = list(zip(*many)) or [()] * len(Noted._fields)
        return [columns[place] for place in places]

    return found


def as_arrays(*names: str) -> Callable[[Sequence[Noted]], Sequence[Array] | None]:
    """What gives the same as arrays; None where they are none, or have more than sizes and addresses."""
    places = [Noted._fields.index(name) for name in names]

    def found(many: Sequence[Noted]) -> Sequence[Array] | None:
        columns = [many.columns[place] for place in places] if isinstance(many, NotedTogether) else [()]
        return columns if all(map(arrays.is_array, columns)) and arrays.are_sizes(columns) else None

    return found


Told = TypeVar("Told")


def _told(
    many: Sequence[Noted], as_numbers: Callable[[Sequence[Noted]], Sequence[Sequence[Any]]],
    in_arrays: Callable[[Sequence[Noted]], Sequence[Array] | None], known: dict[tuple[Any, ...], Told],
    tell: Callable[..., Told],
) -> list[Told]:  # fmt: skip
    """What some fields of each tell, which is asked for once where they are the same: `known` is what has been told."""
    columns = in_arrays(many)
    if columns is None:
        all_values = list(zip(*as_numbers(many)))
        known.update((values, tell(*values)) for values in {*all_values} - known.keys())
        return [known[values] for values in all_values]
    # (Mostly those that are alike have been started one after the other.)
    starts = arrays.runs(columns)
    found: list[Told] = []
    every = zip(*(column[starts].tolist() for column in columns))
    for values, start, end in zip(every, starts, [*starts[1:], len(many)]):
        if values not in known:
            known[values] = tell(*values)
        found += [known[values]] * (end - start)
    return found


_HEAPS = "heap", "hend", "heap_sz", "abandoned_heap", "old_heap", "old_hend", "mbuf_sz"
_QUEUES = "inner", "middle", "outer", "cont", "incoming", "buffers"
_CALL, _AT = ("module", "function", "arity"), ("current", "i")
_ID, _ID_AS_ARRAY = fields("id"), as_arrays("id")
_STATE, _STATE_AS_ARRAY = fields("state"), as_arrays("state")
_INITIAL, _INITIAL_AS_ARRAYS = fields(*_CALL), as_arrays(*_CALL)
_PLACE, _PLACE_AS_ARRAYS = fields(*_AT), as_arrays(*_AT)
_MEMORY, _MEMORY_AS_ARRAYS = fields(*_HEAPS), as_arrays(*_HEAPS)
_ADDRESS, _STARTS = fields("address", "buffers"), fields("first", "cont", "received")
_STARTS_AS_ARRAYS = as_arrays("first", "cont", "received")
_QUEUE, _QUEUE_AS_ARRAYS = fields(*_QUEUES), as_arrays(*_QUEUES)

_PATHS: Final = (
    "common.id", "state", "common.u.alive.reg", "current", "i", "heap", "hend", "heap_sz", "abandoned_heap", "old_heap",
    "old_hend", "mbuf_sz", "reds", "parent", "u.initial.module", "u.initial.function", "u.initial.arity",
    "common.u.alive.monitors",
)  # fmt: skip
_INCOMING: Final = "sig_inq.nmsigs.next"
"""Where signals are that are no messages: asked only where those of a queue are not counted apart."""
_QUEUE_PATHS: Final = {
    False: ("sig_qs.len", "", "sig_inq.len", signals.MIDDLE, _INCOMING, signals.BUFFERED),
    True: ("sig_qs.mq_len", "sig_qs.mlenoffs", "sig_inq.mlenoffs", signals.MIDDLE, _INCOMING, signals.BUFFERED),
}  # fmt: skip


class ProcessList(InPieces[Union[Noted, Unreadable]]):
    """The processes of a VM; raises `Unavailable` as its parts do."""

    def __init__(self, vm: Vm) -> None:
        self._vm = vm
        self._table = vm.processes
        self._apart = QUEUE_LENGTHS.of(vm.tags.release)
        self._size = vm.layout.size("Process") if vm.layout.structs["Process"].size is not None else 0
        self._pids = Pids(vm)
        self._states: dict[tuple[Any, ...], str] = {}
        self._calls: dict[tuple[Any, ...], str | None] = {}
        self._spawned: dict[tuple[Any, ...], str | None] = {}
        self.estimated: set[int | None] = set()
        """Where the structures of those are whose messages are too many to be counted, so that `memories` goes by the
        first, or of which the VM itself does not know how large they are."""

    def count(self) -> int:
        """How many there are, 0 where that cannot be told."""
        try:
            return self._table.count()
        except (Unreadable, KeyError):
            return 0

    def pieces(self, size: int = 0) -> Iterator[Sequence[Noted | Unreadable]]:
        """All processes in order of their slots, and what stands for those, and for parts of the table, that cannot be
        read or are none, as they are read together."""
        return map(self._together, self._table.turned(self._paths))

    def of(self, process: Process) -> Noted | Unreadable:
        """The same of one process."""
        (row,) = Columns(self._vm.memory, self._vm.layout, "Process", self._paths).of([process.address])
        return self._noted([row or self._damaged(process.address)])[0]

    @property
    def _paths(self) -> tuple[str, ...]:
        return *_PATHS, *_QUEUE_PATHS[self._apart], signals.INNER, signals.OUTER, "dictionary"

    def _together(self, found: tuple[Column, ...] | list[Row | Unreadable]) -> Sequence[Noted | Unreadable]:
        if isinstance(found, list):
            return self._noted(found)
        ids = found[1]
        if ((ids & IMMED1_MASK) == PID).all() if arrays.is_array(ids) else all(map(self._is_pid, ids)):
            return NotedTogether(found)
        return self._noted(list(zip(*map(arrays.numbers, found))))

    @staticmethod
    def _is_pid(word: int | None) -> bool:
        return word is not None and word & IMMED1_MASK == PID

    def _noted(self, rows: Sequence[Row | Unreadable]) -> list[Noted | Unreadable]:
        make = partial(tuple.__new__, Noted)  # what `Noted._make` does, in half the time
        return [
            row if isinstance(row, Unreadable) else
            make(row) if row[1] is not None and row[1] & IMMED1_MASK == PID else
            self._damaged(row[0] or 0)
            for row in rows
        ]  # fmt: skip

    def _damaged(self, address: int) -> Unreadable:
        return Unreadable(address, max(self._size, self._vm.memory.word_size))

    def pids(self, many: Sequence[Noted]) -> list[str]:
        """Their pids, as terms are written."""
        (words,) = _ID(many)
        if not all(words):
            return ["<unknown>" if one.id is None else self.pids([one])[0] for one in many]
        together = _ID_AS_ARRAY(many)
        return self._pids.texts(words if together is None else together[0])

    def pid(self, noted: Noted) -> str:
        """That of one."""
        return self.pids([noted])[0]

    def process(self, noted: Noted) -> Process:
        """The process itself."""
        return self._table.at(noted.address)

    def statuses(self, many: Sequence[Noted]) -> list[str]:
        """As `Process.status` says."""
        return _told(many, _STATE, _STATE_AS_ARRAY, self._states, self._status)

    def _status(self, state: int | None) -> str:
        return self._table.at(0).status_of(state) if state is not None else "of unknown status"

    def status(self, noted: Noted) -> str:
        """That of one."""
        return self.statuses([noted])[0]

    def registered_name(self, noted: Noted) -> str | None:
        """The name it is registered under, as a term is written; None without, or where that cannot be read."""
        if not noted.registration:
            return None
        try:
            name = self.process(noted).registered_name()
        except Unreadable:
            return None
        return self._vm.term(name) if name is not None else None

    def initial_calls(self, many: Sequence[Noted]) -> list[str | None]:
        """The functions that they were spawned with, as symbols have them; None for one that exits."""
        return _told(many, _INITIAL, _INITIAL_AS_ARRAYS, self._spawned, self._initial_call)

    def initial_call(self, noted: Noted) -> str | None:
        """That of one."""
        return self.initial_calls([noted])[0]

    def _initial_call(self, module: int | None, function: int | None, arity: int | None) -> str | None:
        if module is None or function is None or arity is None:
            return None
        if not module & IMMED2_MASK == function & IMMED2_MASK == ATOM:
            return None
        return calls.mfa(self._vm, module, function, arity)

    def current_calls(self, many: Sequence[Noted]) -> list[str | None]:
        """The functions in which they wait, or were when they were scheduled out; None where that is unknown. What the
        VM has noted of one that runs is out of date."""
        return _told(many, _PLACE, _PLACE_AS_ARRAYS, self._calls, self._call_at)

    def _call_at(self, current: int | None, i: int | None) -> str | None:
        return self._noted_call(current) if current else self._code_at(i) if i else None

    def current_call(self, noted: Noted) -> str | None:
        """That of one."""
        return self.current_calls([noted])[0]

    def noted_call(self, process: Process) -> str | None:
        """The function that the VM has noted for a process, as of a NIF that it calls; None without."""
        try:
            call = process.current_call()
        except Unreadable:
            return None
        return calls.mfa(self._vm, *call) if call is not None else None

    def _noted_call(self, address: int) -> str | None:
        try:
            return calls.at(self._vm, address)
        except (Unreadable, KeyError):
            return None

    def _code_at(self, address: int) -> str | None:
        place = self._vm.code.find(address)
        return place.code.name if place is not None else None

    def memories(self, many: Sequence[Noted]) -> list[int | None]:
        """Bytes of their structures, their heaps and the messages that wait for them. Links, monitors and the
        dictionary's table are not in that. None where not all of it is known: a part would pass for the whole."""
        if not self._is_measured or self._message_sizes is None:
            return [None] * len(many)
        together, size_of = _MEMORY_AS_ARRAYS(many), self._bytes
        found: list[int | None] = size_of(*together).tolist() if together is not None else [
            None if None in values else size_of(*values) for values in zip(*_MEMORY(many))
        ]  # fmt: skip
        queues = _STARTS_AS_ARRAYS(many) or _STARTS(many)
        addresses, buffers = _ADDRESS(many)
        numbers, sizes, cut, rough = self._message_sizes.of(addresses, queues, buffers)
        self.estimated.update(many[at].address for at in rough)
        for at in cut:
            count = self.queue_length(many[at])
            if count is not None and count > numbers[at] > 0:
                self.estimated.add(many[at].address)
                sizes[at] = sizes[at] * count // numbers[at]  # the first ones of a long queue stand for all
        return [None if known is None else known + size for known, size in zip(found, sizes)]

    def _bytes(self, heap: Any, hend: Any, size: Any, abandoned: Any, old: Any, old_hend: Any, mbuf: Any) -> Any:
        """Bytes without messages: of one process, or as an array."""
        left, older = (hend - heap) * (hend > heap) * (abandoned != 0), (old_hend - old) * (old_hend > old) * (old != 0)
        return (size + mbuf) * self._vm.memory.word_size + left + older + self._size

    @cached_property
    def _is_measured(self) -> bool:
        """Whether it is known where all lies that is counted of a process."""
        return bool(self._size) and self._knows(*_HEAPS, *signals.QUEUES, signals.BUFFERED)

    @cached_property
    def _is_counted(self) -> bool:
        """Whether it is known where all lies that tells how many messages wait."""
        needed = set(_QUEUE_PATHS[self._apart]) - ({""} if self._apart else {"", _INCOMING})
        return self._knows(*needed)

    def _knows(self, *paths: str) -> bool:
        return all(self._vm.layout.has("Process", path) for path in paths)

    @cached_property
    def _message_sizes(self) -> MessageSizes | None:
        """None where it is not known where fields lie."""
        try:
            return MessageSizes(self._vm)
        except KeyError:
            return None

    def memory(self, noted: Noted) -> int | None:
        """That of one."""
        return self.memories([noted])[0]

    def queue_lengths(self, many: Sequence[Noted]) -> list[int | None]:
        """Messages in all their queues, None where that cannot be told.

        Until OTP 26 each queue counts its messages. Then the inner one does (`mq_len`), and of the others `mlenoffs`
        has what stands behind the last signal that is no message: all, where there is no such signal.
        """
        if not self._is_counted:
            return [None] * len(many)
        together = _QUEUE_AS_ARRAYS(many)
        if together is not None:
            inner, middle, outer, cont, incoming, buffers = together
            found: list[int | None] = (inner + middle + outer).tolist()
            for at in arrays.used(cont | incoming | buffers).tolist():
                found[at] = self._queue_length(many[at])
            return found
        return [
            self._queue_length(many[at])
            if inner is None or outer is None or cont is None or cont or incoming or buffers else
            inner + (middle or 0) + outer
            for at, (inner, middle, outer, cont, incoming, buffers) in enumerate(zip(*_QUEUE(many)))
        ]  # fmt: skip

    def queue_length(self, noted: Noted) -> int | None:
        """That of one."""
        return self.queue_lengths([noted])[0]

    def _queue_length(self, noted: Noted) -> int | None:
        inner, outer = noted.inner, noted.outer
        if inner is None or outer is None or noted.cont is None:
            return None
        record = self.process(noted).record
        try:
            if self._apart and noted.cont:
                inner += signals.messages(record, signals.MIDDLE)
            else:
                inner += noted.middle or 0
            if self._apart and noted.incoming:
                outer = signals.messages(record, signals.OUTER)
            if noted.buffers:
                outer += sum(1 for signal in signals.buffered(record) if signal.is_message)
        except (Unreadable, KeyError):
            return None
        return inner + outer
