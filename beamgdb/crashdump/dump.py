"""A whole crash dump: what break.c of ERTS has in one, in that order, as far as it is known."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from beamgdb.code.module import Module
from beamgdb.code.ranges import is_permanent
from beamgdb.crashdump.heap import Heaps
from beamgdb.crashdump.ports import PortSections
from beamgdb.crashdump.processes import Processes, TopOf
from beamgdb.crashdump.timers import TimerSections
from beamgdb.late import dataclass
from beamgdb.memory import READ_LIMIT, Unreadable
from beamgdb.records.record import Record
from beamgdb.terms.quoting import runtime_atom
from beamgdb.vm import nodes, signals
from beamgdb.vm.ets import EtsTable, EtsTables
from beamgdb.vm.model import Unavailable, Vm
from beamgdb.vm.schedulers import DIRTY_CPU, DIRTY_IO, NORMAL, Scheduler
from jit.otp import vm_flags
from jit.otp.tags import ATOM, IMMED2_BITS

VERSION: Final = "0.5"

SCHEDULERS: Final = {NORMAL: "scheduler", DIRTY_CPU: "dirty_cpu_scheduler", DIRTY_IO: "dirty_io_scheduler"}

DIRTY_QUEUES: Final = {DIRTY_CPU: "dirty_cpu_run_queue", DIRTY_IO: "dirty_io_run_queue"}

TABLES: Final = "ETS tables"

NOBODY: Final = "nonode@nohost"
"""The name of a node that has none."""


_WHERE: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "old heaps": ("Process", ("old_heap", "old_htop", "old_hend")),
    "fragments of heaps": ("Process", ("mbuf", "mbuf_sz")),
    "messages": ("Process", signals.QUEUES),
    "links": ("Process", ("common.u.alive.links",)),
    "monitors": ("Process", ("common.u.alive.monitors", "common.u.alive.lt_monitors")),
    "dictionaries": ("Process", ("dictionary",)),
    "reductions": ("Process", ("reds",)),
    "large binaries": ("Binary", ("orig_size", "orig_bytes")),
    "ports": ("Port", ("common.id",)),
    TABLES: ("DbTable", ("common",)),
    "timers": ("ErtsBifTimer", ("btm.message",)),
}
"""In which fields of a structure it is what a dump has."""


@dataclass(frozen=True)
class Written:
    """What is in a dump, and what could not be: `damaged` counts processes, parts of them, ports, tables and timers
    that cannot be read, `left_out` objects on heaps; `unknown` is of what nothing is there, for it is not known where
    this VM has it."""

    processes: int
    tables: int
    damaged: int
    left_out: int
    unknown: tuple[str, ...] = ()


def write(vm: Vm, slogan: str, top: TopOf, out: Callable[[str], object], advance: Callable[[], None]) -> Written:
    """Write a dump, a piece of text at a time. `slogan` says in one line why it is written; `top` is as `TopOf` says;
    `advance` is told of each piece that has been written. Raises `Unavailable` where processes are not known."""
    heaps = Heaps(vm)
    node = _node_name(vm)
    processes = Processes(vm, heaps, top, vm.term(node) if node is not None else None)
    tables, ports, timers = _Tables(vm), PortSections(vm), TimerSections(vm)

    def memory() -> Iterator[str]:
        known = (("processes", processes.memory), ("ets", tables.memory))
        yield "\n".join(["=memory", *(f"{what}: {size}" for what, size in known if size is not None)]) + "\n"

    def literals() -> Iterator[str]:
        yield "=literals\n"
        yield from heaps.literals()
        yield from heaps.binaries()

    parts = (
        _head(vm, slogan), _schedulers(vm), processes.sections(), iter(ports), tables.sections(), iter(timers),
        _distribution(vm, node), _modules(vm), literals(), memory(), _atoms(vm), iter(["=end\n"]),
    )  # fmt: skip
    for part in parts:
        for text in part:
            out(text)
            advance()
    unreadable = sum(one.unreadable for one in (processes, ports, tables, timers))
    return Written(processes.written, tables.written, unreadable, heaps.left_out, tuple(_unknown(vm)))


def _unknown(vm: Vm) -> Iterator[str]:
    for what, (struct, paths) in _WHERE.items():
        if not all(vm.layout.has(struct, path) for path in paths):
            yield what


def _head(vm: Vm, slogan: str) -> Iterator[str]:
    identity = vm.identity
    bits = " [64-bit]" if vm.memory.word_size == 8 else ""
    flavour = " [jit]" if identity.flavour == "jit" else ""
    yield f"=erl_crash_dump:{VERSION}\n{time.ctime()}\nSlogan: {slogan}\n"
    yield f"System version: Erlang/OTP {identity.otp_release} [erts-{identity.erts_version}]{bits}{flavour}\n"
    yield f"Atoms: {vm.atoms.count()}\n"


def _schedulers(vm: Vm) -> Iterator[str]:
    """What each runs, and how long its queue is; dirty ones of a kind share one."""
    dirty: dict[str, Scheduler] = {}
    for number, scheduler in enumerate(vm.schedulers, 1):
        lines = [f"={SCHEDULERS[scheduler.kind]}:{number}"]
        try:
            at = scheduler.current_process
            lines.append(f"Current Process: {vm.term(vm.processes.at(at).id) if at else ''}")
            if scheduler.kind == NORMAL:
                lines += _run_queue(scheduler)
            else:
                dirty[scheduler.kind] = scheduler
        except (Unreadable, KeyError):
            pass
        yield "\n".join(lines) + "\n"
    for kind, scheduler in dirty.items():
        try:
            yield "\n".join([f"={DIRTY_QUEUES[kind]}", *_run_queue(scheduler)]) + "\n"
        except (Unreadable, KeyError):
            continue


def _run_queue(scheduler: Scheduler) -> list[str]:
    lengths = [(name.capitalize(), scheduler.waiting(number)) for number, name in enumerate(vm_flags.PRIORITIES)]
    lengths.append(("Port", scheduler.run_queue["ports.info.len"]))
    return [f"Run Queue {name} Length: {length}" for name, length in lengths]


class _Tables:
    """The ETS tables."""

    def __init__(self, vm: Vm) -> None:
        self._vm = vm
        self.written = self.unreadable = 0
        self.memory: int | None = 0
        """Bytes of all; None where that is not known of one."""

    def sections(self) -> Iterator[str]:
        """A section for each."""
        try:
            for table in EtsTables(self._vm):
                if isinstance(table, Unreadable):
                    self.unreadable += 1
                    continue
                try:
                    yield "\n".join(self._lines(table)) + "\n"
                    self.written += 1
                except (Unreadable, KeyError):
                    self.unreadable += 1
        except KeyError:
            # Where tables are is not known of this build.
            self.unreadable += 1
            self.memory = None

    def _lines(self, table: EtsTable) -> Iterator[str]:
        name, options, kind = self._vm.term(table.name), table.options(), table.kind()
        yield f"=ets:{self._vm.term(table.owner)}"
        yield f"Slot: {table.address}"
        identifier = name if "named_table" in options else table.reference()
        if identifier is not None:
            yield f"Table: {identifier}"
        yield f"Name: {name}"
        if kind == "ordered_set":
            yield f"Ordered set (AVL tree), Elements: {table.items()}"
        else:
            yield f"Buckets: {Record(self._vm.memory, self._vm.layout, 'DbTableHash', table.address)['nactive']}"
            yield f"Fixed: {'true' if 'fixed' in options else 'false'}"
        items, memory = table.items(), table.memory()
        if items is not None:
            yield f"Objects: {items}"
        self.memory = self.memory + memory if self.memory is not None and memory is not None else None
        if memory is not None:
            yield f"Words: {-(-memory // self._vm.memory.word_size)}"
        yield f"Type: {kind}"
        yield f"Protection: {table.protection()}"
        yield f"Compressed: {_truth(table.is_compressed)}"
        automatic = "write_concurrency auto" in options
        yield f"Write Concurrency: {'auto' if automatic else _truth('write_concurrency' in options)}"
        yield f"Read Concurrency: {_truth('read_concurrency' in options)}"


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _node_name(vm: Vm) -> int | None:
    """The name of the node, an atom; None where it is not known."""
    try:
        return nodes.this_node(vm)
    except (Unreadable, Unavailable, KeyError):
        return None


def _distribution(vm: Vm, node: int | None) -> Iterator[str]:
    if node is not None:
        yield f"=node:{vm.term(node)}\n"
        if vm.atoms.name(node >> IMMED2_BITS) == NOBODY:
            yield "=no_distribution\n"


def _modules(vm: Vm) -> Iterator[str]:
    """Modules with what was compiled into them. Which of two versions of one is the old one is not known: there is a
    section for each."""
    modules = [module for module in vm.code if not is_permanent(module)]
    yield "=loaded_modules\n"
    yield from (_module(vm, module) for module in sorted(modules, key=lambda one: one.name))


def _module(vm: Vm, module: Module) -> str:
    header = vm.record("BeamCodeHeader", module.base)
    size, lines = module.size, []
    for key, field in (("Current attributes", "attr"), ("Current compilation info", "compile")):
        try:
            length = header[f"{field}_size"]
            data = vm.memory.read(header[f"{field}_ptr"], length) if 0 < length < READ_LIMIT else b""
        except (Unreadable, KeyError):
            continue
        if data:
            lines.append(f"{key}: {len(data):X}:{base64.b64encode(data).decode()}")
    try:
        area = header["literal_area"]
        if area:
            literals = vm.record("ErtsLiteralArea", area)
            size += literals["end"] - literals["start"]
    except (Unreadable, KeyError):
        pass
    return "\n".join([f"=mod:{runtime_atom(module.name)}", f"Current size: {size}", *lines]) + "\n"


def _atoms(vm: Vm) -> Iterator[str]:
    """All atoms, the last one first: the viewer numbers them by that."""
    yield "=atoms\n"
    yield from (f"{vm.term(index << IMMED2_BITS | ATOM)}\n" for index in reversed(range(vm.atoms.count())))
