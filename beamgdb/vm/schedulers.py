"""Scheduler threads (erl_process.h)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.records.record import Record
from jit.otp import vm_flags
from jit.otp.features import THREADS_OF_ERTS

MAX_SCHEDULERS = 1024
"""`ERTS_MAX_NO_OF_SCHEDULERS`; there are as many dirty CPU and dirty I/O schedulers at most."""

UNBOUND = 1 << 31
"""From here on `ErtsSchedulerData.cpu_id` is negative: it is bound to no processor."""

OTHERS = (("async", "erts_async_max_threads"), ("poll", "erts_no_poll_threads"))
"""Threads besides schedulers, for drivers and for file descriptors, each kind with the symbol of their number."""

NORMAL, DIRTY_CPU, DIRTY_IO = "normal", "dirty CPU", "dirty I/O"
"""Kinds of schedulers; the first run Erlang code."""

ARRAY = "erts_aligned_scheduler_data"
"""The symbol of the pointer to the first one that runs Erlang code."""

KINDS = (
    (NORMAL, ARRAY, "erts_no_schedulers"),
    (DIRTY_CPU, "erts_aligned_dirty_cpu_scheduler_data", "erts_no_dirty_cpu_schedulers"),
    (DIRTY_IO, "erts_aligned_dirty_io_scheduler_data", "erts_no_dirty_io_schedulers"),
)
"""Kind, and the symbols of the pointer to the first `ErtsAlignedSchedulerData` and of their number."""

_THREAD_NAMES = {
    NORMAL: ("{}_scheduler", "erts_sched_{}"),
    DIRTY_CPU: ("{}_dirty_cpu_scheduler", "erts_dcpus_{}"),
    DIRTY_IO: ("{}_dirty_io_scheduler", "erts_dios_{}"),
}
"""What the VM calls their threads (erl_process.c): in older releases, and in newer ones."""

_THREAD_NAME_SIZE = 15
"""Characters that Linux keeps of that (pthread_setname_np(3))."""


@dataclass(frozen=True)
class Scheduler:
    """A scheduler thread. `number` counts from 1 within its kind."""

    kind: str
    number: int
    record: Record

    def thread_name(self, release: int) -> str:
        """The name that the VM gives its thread."""
        older, newer = _THREAD_NAMES[self.kind]
        return (newer if THREADS_OF_ERTS.of(release) else older).format(self.number)[:_THREAD_NAME_SIZE]

    @property
    def current_process(self) -> int:
        """Address of the process that it runs, 0 without one."""
        return self.record["current_process"]

    @property
    def current_port(self) -> int:
        """Address of the port that it runs, 0 without one."""
        return self.record["current_port"]

    @property
    def registers(self) -> int:
        """Address of its `ErtsSchedulerRegisters`, 0 for a dirty one."""
        return self.record["registers"]

    @property
    def thread(self) -> int:
        """Its `pthread_t`."""
        return self.record["tid"]

    @property
    def run_queue(self) -> Record:
        """What waits for it; dirty ones of a kind have one together."""
        return self._at("ErtsRunQueue", "run_queue")

    def waiting(self, priority: int) -> int:
        """How many processes of a priority are in its run queue."""
        return self.run_queue.at("ErtsRunQueueInfo", "procs.prio_info").element(priority)["len"]

    def state(self) -> str:
        """What it does."""
        if self.current_process or self.current_port:
            return "running"
        flags = self._sleep["flags"]
        return next((name for name, bit in vm_flags.SLEEP_FLAGS.items() if flags & bit), "working")

    def flags(self, release: int) -> list[str]:
        """What is so with its run queue."""
        return vm_flags.set_in(self.run_queue["flags"], vm_flags.of_run_queue(release))

    def processor(self) -> int | None:
        """The number of the logical processor that it is bound to, None without one."""
        number = self.record["cpu_id"]
        return number if number < UNBOUND else None

    def other_work(self) -> list[str]:
        """What it has to do besides."""
        bits = self._sleep["aux_work"]
        return [name for number, name in enumerate(vm_flags.AUX_WORK) if bits >> number & 1]

    @property
    def _sleep(self) -> Record:
        return self._at("ErtsSchedulerSleepInfo", "ssi")

    def _at(self, struct: str, path: str) -> Record:
        return Record(self.record.memory, self.record.layout, struct, self.record[path])


class Migration(NamedTuple):
    """What is to go from one run queue to another: of which priorities, the last of which stands for ports. `flags`
    are bits by priority (`vm_flags.EMIGRATE` and so on); `others` are addresses of the other run queue by priority, 0
    for none."""

    flags: int
    others: tuple[int, ...]

    def to_or_from(self, lowest: int) -> dict[int, list[int]]:
        """The priorities of a set of flags by the other run queue."""
        found: dict[int, list[int]] = {}
        for number, other in enumerate(self.others):
            if self.flags >> lowest + number & 1:
                found.setdefault(other, []).append(number)
        return found


class Schedulers:
    """All scheduler threads of a VM."""

    def __init__(self, record: Callable[[str, int], Record], symbol: Callable[[str], int | None]) -> None:
        self._record = record
        self._symbol = symbol

    def count(self, kind: str) -> int | None:
        """Number of schedulers of a kind, None where the VM does not tell."""
        array, counter = next(((array, counter) for name, array, counter in KINDS if name == kind), ("", ""))
        address = self._symbol(counter) if counter else None
        return self._number_at(address) if address is not None else self._counted(array)

    def others(self) -> Iterator[tuple[str, int | None]]:
        """The kinds of other threads, each with their number, None where the VM does not tell."""
        for kind, counter in OTHERS:
            address = self._symbol(counter)
            yield kind, self._number_at(address) if address is not None else None

    def _number_at(self, address: int) -> int | None:
        memory = self._record("ErtsSchedulerData", 0).memory
        try:
            number = memory.u32(address)
        except Unreadable:
            return None
        return number if number <= MAX_SCHEDULERS else None

    def _counted(self, array: str) -> int | None:
        """The same where no variable has it: schedulers lie one behind the other, and each knows its number."""
        pointer = self._symbol(array) if array else None
        if pointer is None:
            return None
        first = self._record("ErtsAlignedSchedulerData", 0)
        try:
            base, step = first.memory.word(pointer), first.layout.size("ErtsAlignedSchedulerData")
        except (Unreadable, KeyError):
            return None
        for index in range(MAX_SCHEDULERS):
            one = self._record("ErtsSchedulerData", base + index * step)
            try:
                # Numbers are dirty or not (ERTS_SCHED_TYPE in erl_process.h), the other one is 0.
                if sorted((one["no"], one["dirty_no"])) != [0, index + 1]:
                    return index
            except Unreadable:
                return index
        return MAX_SCHEDULERS

    def migration(self, scheduler: Scheduler) -> Migration | None:
        """How the run queue of a scheduler is balanced with others; None where that is not known."""
        variable = self._symbol("erts_migration_paths")
        if variable is None or scheduler.kind != NORMAL:
            return None
        first = self._record("ErtsMigrationPaths", self._record("ErtsMigrationPaths", variable).memory.word(variable))
        path = first.at("ErtsMigrationPath", "mpath").element(scheduler.number - 1)
        count, step = path.layout.field(path.struct, "prio").elements or 0, path.layout.width(path.struct, "prio")
        at = path.field_address("prio.runq")
        return Migration(path["flags"], tuple(path.memory.word(at + number * step) for number in range(count)))

    def __iter__(self) -> Iterator[Scheduler]:
        """Those that can be found."""
        for kind, array_symbol, counter in KINDS:
            array, count = self._symbol(array_symbol), self.count(kind)
            # Where nothing tells their number, nor by a proved layout how far the second one is, there is a first one.
            if count is None and self._symbol(counter) is None:
                count = 1
            if array is None or not count:
                continue
            first = self._record("ErtsSchedulerData", 0)
            try:
                base = first.memory.word(array)
            except Unreadable:
                continue
            if not base:
                continue
            step = first.layout.size("ErtsAlignedSchedulerData") if count > 1 else 0
            for index in range(count):
                yield Scheduler(kind, index + 1, self._record("ErtsSchedulerData", base + index * step))
