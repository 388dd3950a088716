"""Processes and ports of AtomVM: each is a `Context` (context.h), in the list `processes_table` of the VM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from beamgdb.atomvm.terms import pid_number
from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.records.chain import chain
from beamgdb.records.record import Record

MAX_PROCESSES: Final = 1 << 22
MAX_ITEMS: Final = 1 << 20
"""Messages, links, and so on, of one process."""

FLAGS: Final = {
    1: "waiting_timeout", 2: "waiting_timeout_expired", 4: "running", 8: "ready", 16: "killed", 32: "trap",
    64: "distribution", 128: "spawning",
}  # fmt: skip
"""Flags of a context (ContextFlags)."""

RUNNING, READY, KILLED, SPAWNING = 4, 8, 16, 128
NORMAL_MESSAGE: Final = 0
SIGNALS: Final = (
    "message", "kill", "gc", "process_info_request", "trap_answer", "trap_exception", "flush_monitor",
    "flush_info_monitor", "set_group_leader", "monitor", "unlink_id", "unlink_id_ack", "unlink_remote_id",
    "unlink_remote_id_ack", "link_exit", "demonitor", "monitor_down", "code_server_resume",
)  # fmt: skip
"""Kinds of what is in a mailbox (MessageType)."""

LINK, MONITORING, MONITORED = range(3)
"""Kinds of monitors that lead to a process of this node (ContextMonitorType)."""


@dataclass(frozen=True)
class Mail:
    """What is in a mailbox: of a message `word` is the term."""

    kind: int
    word: int

    @property
    def is_message(self) -> bool:
        return self.kind == NORMAL_MESSAGE


@dataclass(frozen=True)
class Link:
    """A link or monitor: the other's pid, or what was given to monitor it by."""

    kind: int
    other: int


class Context:
    """A process, or a port: then a C function handles its messages."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.address = record.address

    @property
    def number(self) -> int:
        return self.record["process_id"]

    @property
    def is_port(self) -> bool:
        return bool(self.record["native_handler"])

    @property
    def pid(self) -> str:
        """As Erlang writes it."""
        return f"#Port<0.{self.number}>" if self.is_port else f"<0.{self.number}.0>"

    @property
    def flags(self) -> int:
        return self.record["flags"]

    @property
    def status(self) -> str:
        """As process_info/2 of Erlang/OTP calls it."""
        flags = self.flags
        if flags & KILLED:
            return "exiting"
        if flags & RUNNING:
            return "running"
        return "runnable" if flags & (READY | SPAWNING) else "waiting"

    @property
    def stack_base(self) -> int:
        """Where its stack ends: with its heap, or with a fragment that the stack is in. Raises `Unreadable`."""
        record, top = self.record, self.record["e"]
        if record["heap.heap_start"] <= top <= record["heap.heap_end"]:
            return record["heap.heap_end"]
        for fragment in self._fragments():
            if fragment.field_address("storage") <= top <= fragment["heap_end"]:
                return fragment["heap_end"]
        raise Unreadable(top, record.memory.word_size)

    def _fragments(self) -> Iterator[Record]:
        """Pieces of its heap besides the one in use."""
        record = self.record
        following = record.layout.offset("HeapFragment", "next")
        root = record["heap.root"]
        first = record.memory.word(root + following) if root else 0
        for address in chain(record.memory, first, following, MAX_ITEMS):
            yield Record(record.memory, record.layout, "HeapFragment", address)

    def heap_words(self) -> int:
        """Words that its heaps have in all, as process_info/2 counts `total_heap_size`. Raises `Unreadable`."""
        record, size = self.record, self.record.memory.word_size
        words = (record["heap.heap_end"] - record["heap.heap_start"]) // size
        return words + sum((one["heap_end"] - one.field_address("storage")) // size for one in self._fragments())

    def mailbox(self) -> Iterator[Mail]:
        """What is in its mailbox, in the order in which it came. Raises `Unreadable`."""
        record = self.record
        following = record.layout.offset("MailboxMessage", "next")
        # What others have sent last they have put before all else.
        outer = list(chain(record.memory, record["mailbox.outer_first"], following, MAX_ITEMS))
        for address in chain(record.memory, record["mailbox.inner_first"], following, MAX_ITEMS):
            yield self._mail(address)
        yield from map(self._mail, reversed(outer))

    def _mail(self, address: int) -> Mail:
        kind = Record(self.record.memory, self.record.layout, "MailboxMessage", address)["type"]
        message = Record(self.record.memory, self.record.layout, "Message", address)
        return Mail(kind, message["message"] if kind == NORMAL_MESSAGE else 0)

    def queue_length(self) -> int:
        """How many messages wait for it. Raises `Unreadable`."""
        return sum(1 for one in self.mailbox() if one.is_message)

    def dictionary(self) -> Iterator[tuple[int, int]]:
        """Keys and values of its dictionary. Raises `Unreadable`."""
        for address in entries(self.record, "dictionary", "DictEntry", "head"):
            pair = Record(self.record.memory, self.record.layout, "DictEntry", address)
            yield pair["key"], pair["value"]

    def links(self) -> Iterator[Link]:
        """Its links and monitors with processes of this node. Raises `Unreadable`."""
        memory, layout = self.record.memory, self.record.layout
        for address in entries(self.record, "monitors_head", "Monitor", "monitor_list_head"):
            kind = Record(memory, layout, "Monitor", address)["monitor_type"]
            if kind == LINK:
                yield Link(kind, Record(memory, layout, "LinkLocalMonitor", address)["link_local_process_id"])
            elif kind in (MONITORING, MONITORED):
                yield Link(kind, Record(memory, layout, "MonitorLocalMonitor", address)["monitor_obj"])


def entries(owner: Record, head: str, struct: str, member: str, most: int = MAX_ITEMS) -> Iterator[int]:
    """The addresses of the structures in a list: its `head` is a field of `owner`, and each has `member` in the list.
    Raises `Unreadable` where the list leads to nowhere, or in a circle."""
    memory, layout = owner.memory, owner.layout
    start, following = owner.field_address(head), layout.offset("ListHead", "next")
    inside, at, seen = layout.offset(struct, member), memory.word(start + following), 0
    while at != start:
        if not at or seen >= most:
            raise Unreadable(at, memory.word_size)
        yield at - inside
        at, seen = memory.word(at + following), seen + 1


class Contexts:
    """All processes and ports of a VM."""

    def __init__(self, vm: Record) -> None:
        self._vm = vm

    def __iter__(self) -> Iterator[Context]:
        """The oldest ones first, as the VM has them. Raises `Unreadable` where the list is damaged."""
        for address in entries(self._vm, "processes_table.head", "Context", "processes_table_head", MAX_PROCESSES):
            yield self.at(address)

    def at(self, address: int) -> Context:
        return Context(Record(self._vm.memory, self._vm.layout, "Context", address))

    def names(self) -> dict[int, int]:
        """Indices of the atoms that processes are registered under, by their numbers. Raises `Unreadable`."""
        found = {}
        for address in entries(
            self._vm, "registered_processes.head", "RegisteredProcess", "registered_processes_list_head"
        ):
            one = Record(self._vm.memory, self._vm.layout, "RegisteredProcess", address)
            number = pid_number(one["local_pid_or_port"])
            if number is not None:
                found[number] = one["atom_index"]
        return found
