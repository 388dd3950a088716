"""The VM as Python objects, for scripts that run inside GDB: API.md tells of it, with examples.

    import beamgdb.api
    node = beamgdb.api.node()
    longest = max(node.processes(), key=lambda process: process.queue or 0)

What is read is read when it is asked for, and holds as long as the target stands still. What may be damaged ends with
`Unreadable` where the damage is; what is not known of this VM raises `Unavailable`, or is None where that is said.
Terms are those of `beamgdb.terms.values`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from keyword import iskeyword
from typing import Any, TypeVar

from beamgdb.api_objects import (
    AllocatorUse,
    Binary,
    Carrier,
    Child,
    FileDescriptor,
    KnownNode,
    LastException,
    Lock,
    MemoryUse,
    OldCode,
    PersistentTerm,
    Port,
    Ran,
    Reference,
    Resource,
    ResourceType,
    Scheduler,
    Shape,
    Thing,
    Timer,
    Wait,
)
from beamgdb.gdbext import machine_word, session, term_printing
from beamgdb.gdbext.commands import beam_stacks, beam_why, list_command
from beamgdb.gdbext.running import Running
from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.node import Node as Model
from beamgdb.terms.quoting import unquoted
from beamgdb.terms.source import MAX_DEPTH, Limits
from beamgdb.terms.values import NON_VALUE, Value
from beamgdb.views import ets, process_named, stack
from beamgdb.views.ets import TableColumns
from beamgdb.views.process_details import ITEMS, Details, ProcessDetails
from beamgdb.views.process_list import ProcessColumns
from beamgdb.views.stack import DamageRow, FrameRow
from beamgdb.views.stack_groups import StackGroup
from beamgdb.views.verify import Verified, WrongRow
from beamgdb.views.why import Why
from beamgdb.vm import nodes, process_dictionary, signals
from beamgdb.vm.ets import EtsTable
from beamgdb.vm.monitor_links import MonitorLinks, Side
from beamgdb.vm.process_list import Noted

_Object = TypeVar("_Object")

WHOLE = Limits(depth=MAX_DEPTH, width=1 << 20, bytes=1 << 26, nodes=1 << 20)
"""How much of a term is followed where nothing else is said: nearly always all of it."""


class Node:
    """A VM. `release` is that of OTP, such as "27", `erts` the version of the emulator; None where that is unknown."""

    def __init__(self, model: Model) -> None:
        self.model = model
        """What the commands work with: it may change with each version of this extension."""
        self._running = Running(model)
        self._terms = term_printing.terms(model)
        self._columns = ProcessColumns(model, self._running, self._terms.syntax)
        self.damaged: list[str] = []
        """What the last `processes`, `tables` or `stacks` had to leave out, a line each."""
        self.notes: list[str] = []
        """What a command says below its list, of the one that stands behind what was gone through last, a line each."""

    @property
    def release(self) -> str | None:
        return self.model.identity.otp_release

    @property
    def erts(self) -> str | None:
        return self.model.identity.erts_version

    @property
    def name(self) -> str:
        """As node/0 gives it. Raises `Unavailable`."""
        return unquoted(self.model.term(nodes.this_node(self.model)))

    def processes(self) -> Iterator[Process]:
        """All processes, in the order of the process table; a million take seconds. What is damaged is left out."""
        self._columns.damaged.clear()
        for noted in self._columns.items():
            yield Process(self, noted, self._columns)
        self.damaged = list(map(str, self._columns.damaged))

    def process(self, text: str) -> Process:
        """The one with this pid (`<0.80.0>`), name or address, as in `beam-process`. Raises `Unavailable`."""
        found = process_named.find(self.model, text, machine_word.evaluated)
        noted = self._columns.list.of(found)
        if isinstance(noted, Unreadable):
            raise noted
        return Process(self, noted, self._columns)

    def tables(self) -> Iterator[Table]:
        """All ETS tables. What is damaged is left out."""
        columns = TableColumns(self.model)
        for one in columns.items():
            yield Table(self, one)
        self.damaged = list(map(str, columns.damaged))

    def table(self, text: str) -> Table:
        """The ETS table with this name, identifier or address, as in `beam-ets-objects`. Raises `Unavailable`."""
        return Table(self, ets.find(self.model, text, machine_word.evaluated))

    def why(self) -> Why:
        """What `beam-why` tells."""
        return beam_why.report(self.model, self._running)[1]

    def stacks(self) -> list[StackGroup]:
        """Which stacks there are, and how many processes have each, as in `beam-stacks`."""
        damaged: list[DamageRow] = []
        groups = beam_stacks.groups_of(self.model, damaged)
        self.damaged = list(stack.damaged_lines(damaged))
        return groups

    def wrong(self, process: str | None = None) -> Iterator[WrongRow]:
        """What is wrong in memory that holds terms, of all or of one process, as in `beam-verify`."""
        found = process_named.find(self.model, process, machine_word.evaluated) if process is not None else None
        verified = Verified(self.model, found, lambda: None)
        yield from verified.rows()
        self.notes = list(verified.notes())

    def waits(self) -> Iterator[Wait]:
        """Who waits for whom; `notes` name deadlocks."""
        return self._all(Wait, "beam-waits")

    def tree(self) -> Iterator[Child]:
        """The supervision tree, parents before children."""
        return self._all(Child, "beam-tree")

    def top(self) -> Iterator[Ran]:
        """All processes, those first that have run most since this, or `beam-top`, was asked last."""
        return self._all(Ran, "beam-top")

    def exceptions(self, process: str | None = None) -> Iterator[LastException]:
        """The last exceptions of all processes, or of one."""
        return self._all(LastException, f"beam-exceptions {process or ''}", value=self._term("value"))

    def old_code(self) -> Iterator[OldCode]:
        """Who is in old code, or keeps a purge or old literals; `notes` tell of these."""
        return self._all(OldCode, "beam-purge")

    def locks(self) -> Iterator[Lock]:
        """Locks that are held or waited for."""
        return self._all(Lock, "beam-locks")

    def heap(self, process: str | None = None) -> Iterator[Shape]:
        """Which terms there are, everywhere or of one process, those first that take most."""
        return self._all(Shape, f"beam-heap {process or ''}")

    def things(self, process: str) -> Iterator[Thing]:
        """What is on the heap of a process, one by one."""
        return self._all(Thing, f"beam-heap -things {process}")

    def references(self, term: str) -> Iterator[Reference]:
        """Who holds a term, given as for `beam-refs`."""
        return self._all(Reference, f"beam-refs {term}")

    def binaries(self) -> Iterator[Binary]:
        """Binaries outside of the heaps, largest first."""
        return self._all(Binary, "beam-binaries")

    def resources(self) -> Iterator[Resource]:
        """Resources of NIFs."""
        return self._all(Resource, "beam-resources")

    def resource_types(self) -> Iterator[ResourceType]:
        """Their types."""
        return self._all(ResourceType, "beam-resources -types")

    def ports(self) -> Iterator[Port]:
        """All ports."""
        return self._all(Port, "beam-ports")

    def file_descriptors(self) -> Iterator[FileDescriptor]:
        """File descriptors that are waited for."""
        return self._all(FileDescriptor, "beam-fds")

    def persistent_terms(self) -> Iterator[PersistentTerm]:
        """All persistent terms."""
        return self._all(PersistentTerm, "beam-persistent-terms", key=self._term("key"), value=self._term("value"))

    def timers(self) -> Iterator[Timer]:
        """Timers that Erlang has started."""
        return self._all(Timer, "beam-timers", message=self._term("message"))

    def known_nodes(self) -> Iterator[KnownNode]:
        """Nodes that this one knows."""
        return self._all(KnownNode, "beam-nodes")

    def schedulers(self) -> Iterator[Scheduler]:
        """Scheduler threads."""
        return self._all(Scheduler, "beam-schedulers")

    def memory(self) -> Iterator[MemoryUse]:
        """How much memory there is for what."""
        return self._all(MemoryUse, "beam-memory")

    def allocators(self) -> Iterator[AllocatorUse]:
        """The VM's allocators."""
        return self._all(AllocatorUse, "beam-allocators")

    def allocator_instances(self) -> Iterator[AllocatorUse]:
        """Their instances."""
        return self._all(AllocatorUse, "beam-allocators -instances")

    def carriers(self) -> Iterator[Carrier]:
        """Their carriers."""
        return self._all(Carrier, "beam-allocators -carriers")

    def _all(self, kind: Callable[..., _Object], command: str, **terms: Callable[[Any], object]) -> Iterator[_Object]:
        """What a command lists, all of it, as objects of a kind. `terms` are fields that are not as its columns are,
        each by what is asked of a thing of the model."""
        notes: list[str] = []
        for item, row in list_command.items(self.model, command, notes):
            told = {f"{name}_" if iskeyword(name) else name: value for name, value in row.items()}
            yield kind(**{**told, **{name: ask(item) for name, ask in terms.items()}})
        self.notes = notes

    def _term(self, attribute: str) -> Callable[[Any], Value | None]:
        """What gives the term that a thing of the model has as a word."""

        def value(item: Any) -> Value | None:
            word = getattr(item, attribute)
            return self.value(word) if word is not None else None

        return value

    def rows(self, command: str) -> Iterator[dict[str, int | str | None]]:
        """What a command that lists shows, such as `beam-ports -where queue>0 -sort queue`, or `beam-refs <0.80.0>`: a
        dictionary for each line, with the columns that `help` names; all there are, without -limit. Raises
        `gdb.GdbError` where the command would."""
        return list_command.rows(self.model, command)

    def value(self, word: int, limits: Limits = WHOLE) -> Value:
        """The term that a word is, such as a variable of type `Eterm`; what is no term, or cannot be read, has a class
        of its own. Never raises."""
        return self.model.value(int(word), limits)

    def text(self, word: int) -> str:
        """The same as `eterm` prints it, within the limits that are set."""
        return self._terms.text(int(word))

    def frames(self, process: Process) -> Iterator[Frame]:
        """The stack of a process, innermost function first, also of one that runs. Raises `Unavailable` where its
        thread goes on meanwhile, `Unreadable` where the stack is damaged."""
        for row in stack.rows(self.model, process.model, self._running, self._terms):
            if isinstance(row, DamageRow):
                raise Unreadable(row.address or process.address, self.model.memory.word_size)
            if isinstance(row, FrameRow):
                known = {one.name: self.value(one.word) for one in row.variables if one.word is not None}
                yield Frame(row.function, row.file, row.line, row.pc, known)


@dataclass(frozen=True)
class Frame:
    """A function on a stack. `function` is None for unknown code and frames of tracing; `registers` are y registers,
    and x registers as far as they are known, by name."""

    function: str | None
    file: str | None
    line: int | None
    pc: int
    registers: dict[str, Value]


@dataclass(frozen=True)
class Link:
    """A link or monitor. `kind` is link, process, port, time_offset, node, nodes, suspend, resource or alias; `other`
    is who is at the other end, None where that is no term; `name` that by which it is monitored, if it is by one."""

    kind: str
    other: Value | None
    name: Value | None
    ref: Value | None


class Process:
    """A process, as it was when it was asked for. Sizes are in bytes; what is not known is None."""

    def __init__(self, node: Node, noted: Noted, columns: ProcessColumns) -> None:
        self._node, self._noted, self._columns = node, noted, columns
        self.model = columns.list.process(noted)
        """The same for what the commands work with: see `Node.model`."""

    def __repr__(self) -> str:
        return f"<Process {self.pid} {self._columns.called(self._noted) or ''}>".replace(" >", ">")

    @property
    def address(self) -> int:
        """Where its structure is."""
        return self._noted.address

    @property
    def pid(self) -> str:
        return self._columns.list.pid(self._noted)

    @property
    def name(self) -> str | None:
        """That under which it is registered, without quotes."""
        name = self._columns.list.registered_name(self._noted)
        return unquoted(name) if name is not None else None

    @property
    def status(self) -> str:
        """As process_info/2 says it."""
        return self._columns.list.status(self._noted)

    @property
    def spawned(self) -> str | None:
        """The function that it was spawned with, as module:function/arity."""
        return self._columns.list.initial_call(self._noted)

    @property
    def current(self) -> str | None:
        """The function in which it is."""
        return self._columns.current(self._noted)

    @property
    def memory(self) -> int | None:
        return self._columns.list.memory(self._noted)

    @property
    def queue(self) -> int | None:
        """How many messages wait for it."""
        return self._columns.list.queue_length(self._noted)

    @property
    def label(self) -> str | None:
        """What proc_lib:set_label/1 has given it, as text."""
        return self._column("label")

    @property
    def called(self) -> str | None:
        """Its name, else its label, else the function that it was spawned with."""
        return self._columns.called(self._noted)

    @property
    def parent(self) -> str | None:
        """The pid of who has spawned it."""
        return self._column("parent")

    def details(self, limit: int = ITEMS) -> ProcessDetails:
        """All that `beam-process` tells, with so many messages, links and so on as text."""
        node = self._node
        return Details(node.model, node._running, node._terms, limit).of(self.model)

    def _column(self, name: str) -> str | None:
        column = next(one for one in self._columns.columns if one.name == name)
        value = column.value(self._noted)
        return value if isinstance(value, str) else None

    @property
    def reductions(self) -> int | None:
        return self._noted.reds

    def messages(self) -> Iterator[Value]:
        """Those that wait for it, first ones first; `NON_VALUE` for one of another node that is not decoded yet."""
        undecoded = self._node.model.tags.non_value
        for one in signals.everywhere(self.model.record):
            if one.is_message:
                yield NON_VALUE if one.tag == undecoded else self._node.value(one.tag)

    def dictionary(self) -> Iterator[tuple[Value, Value]]:
        """Its process dictionary."""
        for key, value in process_dictionary.pairs(self.model.record):
            yield self._node.value(key), self._node.value(value)

    def links(self) -> Iterator[Link]:
        yield from map(self._link, self._sides().links(self.model.record))

    def monitors(self) -> Iterator[Link]:
        """Whom it monitors."""
        yield from map(self._link, self._sides().monitors(self.model.record))

    def monitored_by(self) -> Iterator[Link]:
        yield from map(self._link, self._sides().monitored_by(self.model.record))

    def frames(self) -> Iterator[Frame]:
        """Its stack: see `Node.frames`."""
        return self._node.frames(self)

    def _sides(self) -> MonitorLinks:
        return MonitorLinks(self._node.model.tags.release)

    def _link(self, side: Side) -> Link:
        other, name, ref = (
            self._node.value(word) if word is not None else None for word in (side.other, side.name, side.ref)
        )
        return Link(side.type, other, name, ref)


class Table:
    """An ETS table. What is not known is None."""

    def __init__(self, node: Node, table: EtsTable) -> None:
        self._node, self._table = node, table

    def __repr__(self) -> str:
        return f"<Table {self.name} {self.kind}>"

    @property
    def address(self) -> int:
        """Where its structure is."""
        return self._table.address

    @property
    def name(self) -> str:
        """The name that it was created with, without quotes."""
        return unquoted(self._node.model.term(self._table.name))

    @property
    def id(self) -> str | None:
        """Its identifier, as text."""
        return self._table.reference()

    @property
    def owner(self) -> str:
        """The pid of its owner."""
        return self._node.model.term(self._table.owner)

    @property
    def kind(self) -> str | None:
        """set, bag, duplicate_bag or ordered_set."""
        return self._table.kind()

    @property
    def protection(self) -> str | None:
        """public, protected or private."""
        return self._table.protection()

    @property
    def options(self) -> list[str]:
        """What else it was created with, and `fixed` where it is."""
        return self._table.options()

    @property
    def memory(self) -> int | None:
        """Bytes."""
        return self._table.memory()

    def __len__(self) -> int:
        """How many objects are in it. Raises `Unreadable` where it does not tell."""
        items = self._table.items()
        if items is None:
            raise Unreadable(self.address, self._node.model.memory.word_size)
        return items

    def objects(self) -> Iterator[Value]:
        """Its objects, in the order of the table."""
        yield from (self._table.value(word, WHOLE) for word in self._table.objects())


def node() -> Node:
    """The VM that GDB looks at. Raises `Unavailable` where there is none."""
    return Node(session.require().node)
