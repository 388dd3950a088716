"""Why a node stands still, as `beam-why` tells somebody who opens a core file: what was done, by whom, what is odd."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import replace
from operator import itemgetter
from pathlib import PurePosixPath
from typing import Final

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views import purging, stack
from beamgdb.views.listing import MEASURED, readable
from beamgdb.views.process_list import ProcessColumns
from beamgdb.views.styler import Sentence, Styler
from beamgdb.views.terms import Terms
from beamgdb.views.threads import ThreadRow, Threads
from beamgdb.views.waits import WaitColumns, circle
from beamgdb.vm import resources
from beamgdb.vm.ets import EtsTable, EtsTables
from beamgdb.vm.model import Unavailable
from beamgdb.vm.pieces import pieces
from beamgdb.vm.process_list import Noted
from beamgdb.vm.processes import Process
from beamgdb.vm.resources import ResourceType

MOST: Final = 5
"""Processes of each list."""

MUCH: Final = 64 << 20
"""Bytes that a process or table has at least of which a report says that it has most."""

FRAMES: Final = 10
C_FRAMES: Final = 8

LONG_QUEUE: Final = 10_000
"""Messages from which on a queue is a suspect."""

NEARLY_FULL: Final = 0.9

NO_SUSPECTS: Final = (
    f"No suspects: no crash in C code that is seen, no deadlock, no queue of {LONG_QUEUE} messages, no count near its "
    "limit. Look on with `beam-ps -sort queue`, `beam-stacks`, `beam-waits`."
)

NONE_IN_PART: Final = "No suspects in what is known."

FATAL: Final = ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT")
AT_ADDRESS: Final = FATAL[:2]
STOPPING: Final = ("SIGSTOP", "SIGINT")
"""By these a debugger, or a user, stops a program that goes on later: no core file is written for them."""

OF_SYSTEM: Final = (
    "libc", "libpthread", "libm", "libdl", "librt", "ld", "libstdc++", "libgcc_s", "libtinfo",
    "libncurses", "libz", "libsctp", "libsystemd", "linux-vdso", "libzstd", "liblzma", "liblz4", "libcap", "libgcrypt",
    "libgpg-error",
)  # fmt: skip
"""Libraries that a beam.smp is linked with, by their names before `.so` and a version."""

OF_OTP: Final = (
    "asn1rt_nif", "crypto", "crypto_callback", "dyntrace", "megaco_flex_scanner_drv", "megaco_flex_scanner_drv_mt",
    "otp_test_engine", "trace_file_drv", "trace_ip_drv", "libcrypto", "libssl",
)  # fmt: skip
"""Libraries of OTP's applications, and those that they are linked with, named in the same way."""

LOADERS: Final = ("ld-linux", "ld-musl")
"""With what the names of dynamic linkers begin; the processor follows."""


@dataclass(frozen=True)
class CFrameRow:
    """A frame of C code. `library` is the path of the shared library that it is in, None in the program itself."""

    pc: int
    function: str | None
    library: str | None


@dataclass(frozen=True)
class Came:
    """A signal, and GDB's number of the thread that it came in."""

    signal: str
    thread: int


@dataclass(frozen=True)
class Sender:
    """Who has sent a signal: process and user, as the kernel numbers them where the program is; 0 is a process that is
    none there."""

    pid: int
    user: int

    def __str__(self) -> str:
        return f"process {self.pid} of user {self.user}" if self.pid else "a process outside of its container"


@dataclass(frozen=True)
class Stop:
    """What a debugger knows of where the program stands. `signal` is its name, None where it is not known or there was
    none; `address` where an access went wrong. `frames` are those of C code, innermost first, down to Erlang code.
    `elsewhere` is what the program crashed of, if that came in another thread. `last_words` are what C's library has
    noted as it ended the program, such as a failed assertion; `halt` the arguments of erlang:halt, where that was
    called. `cut_off`, of a core file that is not all there: how many bytes it has, and should have. `is_live` is False
    for a core file. `sender`: where another process has sent the signal. `libraries` are those that the program has
    loaded besides the system's and OTP's."""

    signal: str | None
    address: int | None
    thread: ThreadRow | None
    frames: tuple[CFrameRow, ...]
    elsewhere: Came | None
    last_words: str | None = None
    halt: tuple[str, ...] | None = None
    cut_off: tuple[int, int] | None = None
    is_live: bool = False
    sender: Sender | None = None
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ranked:
    """A process in a list: its pid, what it is called, and how much it has; `is_estimated`: by a part of that."""

    pid: str
    called: str | None
    current: str | None
    amount: int
    is_estimated: bool = False


@dataclass(frozen=True)
class Table:
    """An ETS table in a list: its name, as which `beam-ets` has it, the pid of its owner, and its bytes."""

    name: str
    owner: str
    size: int


@dataclass(frozen=True)
class Count:
    """How many of something there are, and may be; None where that is not known."""

    what: str
    count: int
    limit: int | None


@dataclass(frozen=True)
class Why:
    """The report, but for the stack of the process that the thread works for."""

    stop: Stop
    foreign: CFrameRow | None
    counts: tuple[Count, ...]
    process_memory: int | None
    ets_memory: int | None
    largest: tuple[Ranked, ...]
    tables: tuple[Table, ...]
    queues: tuple[Ranked, ...]
    collecting: tuple[str, ...]
    exiting: tuple[str, ...]
    unreadable: int
    deadlocks: tuple[tuple[str, ...], ...]
    busy: tuple[tuple[str, int], ...]
    suspects: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    """What could not be looked at, so that nothing of it is a suspect."""


PROCESSES: Final = "processes"

HALT: Final = "erlang:halt/2"
EXIT: Final = frozenset(("exit", "__GI_exit", "_exit", "__GI__exit"))
"""By what names GDB knows C's functions that end a program, with and without debug information of its library."""

OUT_OF_MEMORY: Final = frozenset(
    ("erts_alc_fatal_error", "erts_alloc_enomem", "erts_alloc_n_enomem", "erts_realloc_enomem", "erts_realloc_n_enomem")
)
"""What the VM calls when it gets no memory (erl_alloc.c): it writes a crash dump and exits, without a signal."""


def is_of_system(library: str) -> bool:
    """Whether a library is C's own or the system's, and not that of a NIF or driver."""
    name = PurePosixPath(library).name.partition(".so")[0]
    return name in OF_SYSTEM or name.rstrip("-0123456789.") in OF_SYSTEM or name.startswith(LOADERS)


def is_of_otp(library: str) -> bool:
    """Whether a library is one of those that OTP's own applications load."""
    return PurePosixPath(library).name.partition(".so")[0] in OF_OTP


def report(
    node: Node, shown: ProcessColumns, stop: Stop, process: Process | None, advance: Callable[[int], None],
    words: Sequence[int] = (),
) -> Why:  # fmt: skip
    """All that can be told; `process` is the one that the thread works for. `shown` tells what processes are called,
    and where they are; `words` are those of the thread's stack below a library's C code that it runs for none."""
    found = shown.list
    largest: list[tuple[int, int, Noted]] = []
    queues: list[tuple[int, int, Noted]] = []
    collecting: list[str] = []
    exiting: list[str] = []
    memory = unreadable = read = not_measured = not_counted = 0
    for piece in pieces(found, MEASURED):
        many = readable(piece)
        unreadable += len(piece) - len(many)
        sizes, lengths = found.memories(many), found.queue_lengths(many)
        memory += sum(size or 0 for size in sizes)
        not_measured, not_counted = not_measured + sizes.count(None), not_counted + lengths.count(None)
        for at, (size, queue, status) in enumerate(zip(sizes, lengths, found.statuses(many))):
            if size:
                _rank(largest, size, read + at, many, at)
            if queue:
                _rank(queues, queue, read + at, many, at)
            if status in ("garbage_collecting", "exiting"):
                (collecting if status == "garbage_collecting" else exiting).append(found.pid(many[at]))
        read += len(many)
        advance(len(piece))
    foreign = next((one for one in stop.frames if one.library and not is_of_system(one.library)), None)
    unknown = [
        f"the {what} of {count} processes"
        for what, count in (("memory", not_measured), ("queues", not_counted)) if count
    ]  # fmt: skip
    counts, calls = tuple(_counts(node, unknown)), _waits(node, shown, unknown)
    ets_memory, tables = _ets_memory(node)
    if ets_memory is None:
        unknown.append("the memory of ETS tables")
    if unreadable:
        # What cannot be read may be a piece of their table, with many, or with none that are not found otherwise.
        left = next((one.count - read for one in counts if one.what == PROCESSES), -1)
        unreadable = left if left >= 0 else unreadable
    why = Why(
        stop, foreign, counts, memory if read and not not_measured else None, ets_memory,
        _ranked(shown, largest, found.estimated), tables, _ranked(shown, queues), tuple(collecting), tuple(exiting),
        unreadable, tuple(map(tuple, calls.cycles)), tuple(calls.busy.most_common(MOST)), (), tuple(unknown),
    )  # fmt: skip
    kind = resources.destroyed(node, words) if process is None and foreign is not None and words else None
    suspects = tuple(_suspects(why, node, shown, process, kind, calls))
    return replace(why, suspects=suspects)


def _rank(best: list[tuple[int, int, Noted]], amount: int, number: int, many: Sequence[Noted], at: int) -> None:
    if len(best) == MOST and amount <= best[0][0]:
        return  # the one that came first stays
    entry = (amount, -number, many[at])
    if len(best) < MOST:
        heapq.heappush(best, entry)
    elif entry > best[0]:
        heapq.heapreplace(best, entry)


def _ranked(
    shown: ProcessColumns, best: list[tuple[int, int, Noted]], estimated: Set[int | None] = frozenset()
) -> tuple[Ranked, ...]:
    return tuple(
        Ranked(shown.list.pid(one), shown.called(one), shown.current(one), amount, one.address in estimated)
        for amount, _, one in sorted(best, reverse=True)
    )


def _waits(node: Node, shown: ProcessColumns, unknown: list[str]) -> WaitColumns:
    """Who waits for whom, gone through as far as that is known; `unknown` gets what is not."""
    calls = WaitColumns(node, shown)
    try:
        deque(calls.items(), maxlen=0)
    except (Unreadable, Unavailable, KeyError):
        unknown.append("who waits for whom")
    unknown += calls.unknown
    return calls


def _counts(node: Node, unknown: list[str]) -> Iterator[Count]:
    """Those that are known; `unknown` gets what is not."""
    for what, count, limit in (
        (PROCESSES, node.processes.count, node.processes.limit),
        ("atoms", lambda: node.atoms.count(), lambda: node.atoms.limit()),
    ):
        number, most = _number(count), _number(limit)
        if number is not None:
            yield Count(what, number, most)
        if number is None or most is None:
            unknown.append(f"how many {what} there {'are' if number is None else 'may be'}")


def _number(question: Callable[[], int | None]) -> int | None:
    try:
        return question()
    except (Unreadable, Unavailable, KeyError):
        return None


def _ets_memory(node: Node) -> tuple[int | None, tuple[Table, ...]]:
    """Bytes of those that can be read, and the largest of them; None where none can, or it is not known how many one
    has."""
    found: list[tuple[int, EtsTable]] = []
    try:
        for table in EtsTables(node):
            if isinstance(table, EtsTable):
                size = table.memory()
                if size is None:
                    return None, ()
                found.append((size, table))
    except (Unavailable, KeyError):
        return None, ()
    except Unreadable:
        if not found:
            return None, ()
    largest = heapq.nlargest(MOST, found, key=itemgetter(0))
    tables = (Table(node.term(table.name), node.term(table.owner), size) for size, table in largest)
    return sum(size for size, _ in found), tuple(tables)


def _suspects(
    why: Why, node: Node, shown: ProcessColumns, process: Process | None, destroyed: ResourceType | None,
    calls: WaitColumns,
) -> Iterator[str]:  # fmt: skip
    stop = why.stop
    said = f": {stop.last_words}" if stop.last_words else ""
    if stop.halt is not None:
        ended = f"{node.term(process.id)} has ended the node" if process is not None else "the node was ended"
        yield f"{ended}: erlang:halt({','.join(stop.halt)})"
    elif any((frame.function or "") in OUT_OF_MEMORY for frame in stop.frames):
        asked = f" while it worked for {node.term(process.id)}" if process is not None else ""
        yield f"memory ran out: the VM could not allocate what it needed{asked}, and ends the node"
    elif any((frame.function or "") in EXIT for frame in stop.frames):
        # (Once what is to be written is written, that is done for no process.)
        caller = next((one for one in shown.items() if shown.list.current_call(one) == HALT), None)
        named = f": {shown.list.pid(caller)} {shown.called(caller)} has called {HALT}" if caller is not None else ""
        yield f"the node ends itself{named}"
    elif stop.signal in FATAL and stop.sender is not None:
        yield f"{stop.signal} was sent by {stop.sender}: the node did not crash"
    elif stop.signal in FATAL and why.foreign is not None:
        called = shown.list.noted_call(process) if process is not None else None
        by = f", called as {called}," if called else ""
        if destroyed is not None:
            kind = f"{node.term(destroyed.name)} of {node.term(destroyed.module)}"
            by = f", a destructor ({destroyed.destructor:#x}) of a resource of the type {kind},"
        elif process is None:
            by = ", called for no Erlang process, as destructors of resources are,"
        yield f"{why.foreign.library}: C code in it{by} ran when {stop.signal} came{said}"
    elif stop.signal in FATAL and process is not None and process.status() == "garbage_collecting":
        have, more = ", ".join(stop.libraries[:MOST]), len(stop.libraries) - MOST
        others = f"; besides OTP's there are {have}{f' and {more} more' if more > 0 else ''}" if have else ""
        yield (
            f"a term of {node.term(process.id)} is damaged: {stop.signal} came while its garbage was collected; a NIF "
            f"or driver has written where it should not, maybe long before{others}"
        )
    elif stop.signal == "SIGABRT" or stop.signal is None and any(frame.function == "abort" for frame in stop.frames):
        yield f"the VM or a library ended the node itself (abort){said or ': what it said is on its standard error'}"
    for cycle in why.deadlocks:
        yield f"a deadlock: {circle(cycle)} (see `beam-waits`)"
    yield from purging.suspects(node, shown, calls.purge, calls.literals)
    for what, senders in why.busy:
        they = "processes wait" if senders != 1 else "process waits"
        yield f"{senders} {they} to send to {what}, which is busy (see `beam-waits`, `beam-nodes`, `beam-ports`)"
    for count in why.counts:
        if count.limit and count.count >= NEARLY_FULL * count.limit:
            yield f"there are {count.count} {count.what}, of {count.limit} that there may be"
    for one in why.queues:
        if one.amount >= LONG_QUEUE:
            yield f"{one.amount} messages wait for {one.pid}{' ' + one.called if one.called else ''}"
    for one in why.largest[:1]:
        if why.process_memory and one.amount > why.process_memory / 2 and one.amount > MUCH:
            size = f"about {_bytes(one.amount)}" if one.is_estimated else _bytes(one.amount)
            yield f"{one.pid}{' ' + one.called if one.called else ''} has {size} of heap and messages, most of all"
    for table in why.tables[:1]:
        if why.ets_memory and table.size > why.ets_memory / 2 and table.size > MUCH:
            yield f"the ETS table {table.name} of {table.owner} has {_bytes(table.size)}, most of all (see `beam-ets`)"


def headline(stop: Stop) -> str:
    """The signal and the thread."""
    thread = f" in thread {stop.thread.number}" if stop.thread else ""
    name = f" ({stop.thread.name})" if stop.thread and stop.thread.name else ""
    address = f", at address {stop.address:#x}" if stop.address is not None else ""
    if stop.signal in STOPPING:
        return f"It has not crashed: it was stopped by {stop.signal}{thread}{name}, as a debugger or a user does"
    if stop.is_live and stop.signal == "SIGTRAP":
        return f"It stands at a breakpoint, or where a step ended (SIGTRAP){thread}{name}"
    other = stop.elsewhere
    more = f"; {other.signal} came in thread {other.thread}: `thread {other.thread}`" if other is not None else ""
    return f"{stop.signal or 'No signal is known: it stands'}{thread}{name}{address}{more}"


def lines(
    why: Why, node: Node, process: Process | None, threads: Threads, terms: Terms, styler: Styler
) -> Iterator[str]:
    """The text."""
    stop = why.stop
    yield Sentence(styler.heading(headline(stop)))
    if stop.cut_off is not None:
        there, whole = stop.cut_off
        said = f"The core file is cut off: {_bytes(there)} of {_bytes(whole)} are there; what the rest had is missing."
        yield Sentence(said)
    yield from c_frames(stop)
    last = stop.frames[-1] if stop.frames else None
    if process is None and last is not None and last.function is None and last.library is None:
        yield Sentence(
            "What Erlang process the thread works for is not known: C code below these frames is in no file that GDB "
            "has (`set sysroot`, `info sharedlibrary`)."
        )
    elif process is None:
        yield Sentence("The thread works for no Erlang process.")
    else:
        for row in stack.rows(node, process, threads, terms, FRAMES):
            yield from stack.lines(row, styler, more="`beam-bt`")
    yield ""
    limits = (f"{one.count} {one.what}" + (f" (of {one.limit})" if one.limit else "") for one in why.counts)
    yield Sentence(f"There are {', '.join(limits)}.")
    sizes = f"take {_known(why.process_memory)}, ETS tables {_known(why.ets_memory)}"
    yield Sentence(f"Heaps and messages of processes {sizes}.")
    if why.unreadable:
        yield Sentence(f"{why.unreadable} processes cannot be read.")
    for what, pids in (("Collecting garbage", why.collecting), ("Exiting", why.exiting)):
        if pids:
            more = f" and {len(pids) - MOST} more" if len(pids) > MOST else ""
            yield Sentence(f"{what}: {', '.join(pids[:MOST])}{more}")
    yield from _list("Most memory", "bytes", why.largest, styler)
    if why.tables and why.tables[0].size > MUCH:
        yield styler.heading("Largest ETS tables:")
        yield from (f"  {one.size} bytes  {one.name} of {one.owner}" for one in why.tables)
    yield from _list("Longest queues", "messages", why.queues, styler)
    yield ""
    yield Sentence(styler.heading("Suspects:" if why.suspects else NONE_IN_PART if why.unknown else NO_SUSPECTS))
    yield from (Sentence(f"  {number}. {text}") for number, text in enumerate(why.suspects, 1))
    if why.unknown:
        yield Sentence(f"Not known: {', '.join(why.unknown)}.")


def c_frames(stop: Stop) -> Iterator[str]:
    """The text of the first frames of C code."""
    for number, frame in enumerate(stop.frames[:C_FRAMES]):
        place = f" from {frame.library}" if frame.library else ""
        yield f"#{number:<2} {frame.pc:#x} in {frame.function or '??'}{place}"
    if len(stop.frames) > C_FRAMES:
        yield f"    (frames of C left out: {len(stop.frames) - C_FRAMES})"


def _list(title: str, unit: str, ranked: tuple[Ranked, ...], styler: Styler) -> Iterator[str]:
    if ranked:
        yield styler.heading(f"{title}:")
        for one in ranked:
            place = f" in {one.current}" if one.current else ""
            about = "about " if one.is_estimated else ""
            yield f"  {about}{one.amount} {unit}  {one.pid} {one.called or ''}{place}"


def _known(size: int | None) -> str:
    return _bytes(size) if size is not None else "what is not known"


def _bytes(size: int) -> str:
    for unit in ("bytes", "KB", "MB"):
        if size < 10_000:
            return f"{size} {unit}"
        size //= 1024
    return f"{size} GB"
