"""What `beamgdb.api` gives of things that a VM has besides processes and tables: an object for each line of a command.

Fields are the columns that the command's help tells of, with "_" behind a name that Python has a word for. Sizes are in
bytes; what is not there, or not known, is None. What is a term is a `Value`.
"""

from __future__ import annotations

from beamgdb.late import dataclass
from beamgdb.terms.values import Value


@dataclass(frozen=True)
class Port:
    """A port, as in `beam-ports`."""

    port: str
    name: str | None
    driver: str | None
    owner: str | None
    input: int | None
    output: int | None
    queue: int | None
    fd: str | None
    state: str | None
    os_pid: int | None
    registered: str | None
    links: str | None
    monitors: str | None
    monitored_by: str | None
    suspended: str | None
    address: int


@dataclass(frozen=True)
class FileDescriptor:
    """A file descriptor that is waited for, as in `beam-fds`."""

    fd: int
    type: str | None
    events: str | None
    active: str | None
    poller: str | None
    pollset: int | None
    reader: str | None
    writer: str | None
    errors: str | None
    resource: str | None
    flags: str | None
    count: int | None
    address: int


@dataclass(frozen=True)
class KnownNode:
    """A node that this one knows, as in `beam-nodes`."""

    node: str
    state: str | None
    kind: str | None
    channel: str | None
    connection: int | None
    queue: int | None
    busy: str | None
    suspended: str | None
    input: int | None
    output: int | None
    creation: int | None
    capabilities: str | None
    address: int


@dataclass(frozen=True)
class Timer:
    """A timer, as in `beam-timers`: `message` is what is to be sent."""

    kind: str
    receiver: str | None
    left: int | None
    message: Value | None
    timer: str | None
    scheduler: int | None
    address: int


@dataclass(frozen=True)
class PersistentTerm:
    """A persistent term, as in `beam-persistent-terms`."""

    key: Value
    size: int | None
    value: Value
    address: int


@dataclass(frozen=True)
class Scheduler:
    """A scheduler thread, as in `beam-schedulers`."""

    scheduler: str
    thread: int | None
    state: str | None
    runs: str | None
    queue: int | None
    max: int | None
    high: int | None
    normal: int | None
    low: int | None
    ports: int | None
    reductions: int | None
    switches: int | None
    flags: str | None
    work: str | None
    jobs: str | None
    cpu: int | None
    emigrates: str | None
    immigrates: str | None
    evacuates: str | None
    address: int


@dataclass(frozen=True)
class MemoryUse:
    """How much memory there is for something, as in `beam-memory`."""

    kind: str
    size: int | None
    without: str | None


@dataclass(frozen=True)
class AllocatorUse:
    """An allocator, or an instance of one, as in `beam-allocators`."""

    allocator: str
    instance: int | None
    instances: int | None
    multiblock: int | None
    singleblock: int | None
    pooled: int | None
    size: int | None
    blocks: int | None
    used: int | None
    unused: int | None
    usage: int | None
    address: int | None


@dataclass(frozen=True)
class Carrier:
    """A carrier of an allocator, as in `beam-allocators -carriers`."""

    carrier: str
    allocator: str
    instance: int | None
    kind: str | None
    state: str | None
    memory: str | None
    size: int | None
    blocks: int | None
    used: int | None
    usage: int | None
    largest: int | None
    address: int


@dataclass(frozen=True)
class Binary:
    """A binary outside of the heaps, as in `beam-binaries`."""

    binary: str
    size: int | None
    references: int | None
    found: int
    holders: str | None


@dataclass(frozen=True)
class Resource:
    """A resource of a NIF, as in `beam-resources`."""

    resource: str
    size: int | None
    module: str | None
    type: str | None
    references: int | None
    found: int
    holders: str | None
    destructor: str | None
    loaded: str | None


@dataclass(frozen=True)
class ResourceType:
    """A type of resources, as in `beam-resources -types`."""

    module: str
    type: str
    loaded: str | None
    resources: int | None
    found: int | None
    size: int | None
    destructor: str | None
    address: int


@dataclass(frozen=True)
class Shape:
    """Terms of one shape, as in `beam-heap`; `address` is that of the largest one."""

    kind: str
    shape: str | None
    count: int
    bytes: int
    outside: int | None
    largest: int | None
    address: str | None
    owner: str | None
    heaps: int | None
    messages: int | None
    ets: int | None
    literals: int | None


@dataclass(frozen=True)
class Thing:
    """A thing on a heap, as in `beam-heap -things`."""

    address: str
    area: str | None
    kind: str | None
    bytes: int | None
    term: str | None


@dataclass(frozen=True)
class Reference:
    """A place that holds a term, as in `beam-refs`."""

    owner: str
    in_: str | None
    place: str | None
    term: str | None
    at: str | None
    size: int | None
    address: int | None


@dataclass(frozen=True)
class Wait:
    """Who waits for whom, as in `beam-waits`."""

    pid: str
    called: str | None
    for_: str
    for_called: str | None
    for_queue: int | None
    for_status: str | None
    for_current: str | None
    sure: str


@dataclass(frozen=True)
class LastException:
    """The last exception of a process, as in `beam-exceptions`; `value` is the reason, or what is in it besides the
    kind of the error, if that is kept."""

    pid: str
    called: str | None
    state: str
    class_: str | None
    reason: str | None
    in_: str | None
    arguments: str | None
    stack: str | None
    held: str | None
    value: Value | None


@dataclass(frozen=True)
class OldCode:
    """Who is in old code, or keeps a purge or old literals, as in `beam-purge`."""

    pid: str
    called: str | None
    module: str | None
    how: str
    place: str | None
    status: str | None
    current: str | None


@dataclass(frozen=True)
class Lock:
    """A lock that is held or waited for, as in `beam-locks`."""

    lock: str
    of: str | None
    state: str | None
    holder: str | None
    thread: int | None
    waits: str | None
    address: int | None


@dataclass(frozen=True)
class Child:
    """A process of the supervision tree, or a child that does not run, as in `beam-tree`."""

    tree: str
    called: str | None
    id: str | None
    role: str | None
    kind: str | None
    restart: str | None
    status: str | None
    restarts: int | None
    strategy: str | None
    depth: int | None
    pid: str | None
    name: str | None
    label: str | None
    parent: str | None
    application: str | None


@dataclass(frozen=True)
class Ran:
    """A process that has run, as in `beam-top`: `ran` are reductions since that was asked last."""

    pid: str
    ran: int | None
    reductions: int | None
    memory: int | None
    queue: int | None
    status: str | None
    name: str | None
    label: str | None
    spawned: str | None
    called: str | None
    current: str | None
