"""How many bytes messages take that wait for processes, as process_info/2 counts them (erl_message.c,
`erts_process_memory`): what each has besides its term, and the fragment of a heap that the term is in, if it is not on
the heap. What another node has sent counts as large as it is when decoded; the VM has noted that where it was asked
for, and else its bytes stand for that. All queues of many processes are gone through side by side, in few reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from operator import itemgetter
from typing import Any, Final, NamedTuple

from beamgdb.late import dataclass
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records import arrays
from beamgdb.records.arrays import Array, Column
from beamgdb.records.columns import Columns, Gather, form_of_words
from beamgdb.vm import signals
from beamgdb.vm.fragments import COMBINED, MAX_FRAGMENTS
from beamgdb.vm.model import Vm
from jit.otp.features import EXTERNAL_DATA_FIRST, EXTERNAL_SIZE_FIRST
from jit.otp.tags import HEADER_MASK, SIGNAL_HEADER

FOLLOWED: Final = 1 << 14
"""Signals of a queue that are followed: queues of tens of millions have been seen."""


MAX_USED: Final = 1 << 38
"""Words of a fragment at most; what says more is damaged."""

MAX_PIECES: Final = 1 << 12
"""Pieces in which a large message has come from another node."""


class Sizes(NamedTuple):
    """How many messages wait for each process, and the bytes of those of each: of a queue those before what is damaged,
    and of a long one those among the first `FOLLOWED` signals; the numbers of processes with such queues are `cut`.
    `rough` are those of processes with messages of another node of which the VM does not know either how large they
    are."""

    messages: list[int]
    bytes: list[int]
    cut: set[int]
    rough: set[int]


@dataclass
class _Counted:
    """What has been counted of processes, by their numbers; `fragments` are still to be looked at, each with the number
    of a process, and so are those of messages that are not decoded yet."""

    messages: Column
    bytes: Column
    fragments: list[tuple[int, int]] = field(default_factory=list)
    undecoded: list[tuple[int, int]] = field(default_factory=list)


class _Words:
    """Words at these distances from addresses, in the order in which the distances are given; see `Gather`."""

    def __init__(self, memory: CachedMemory, distances: Sequence[int]) -> None:
        in_order = sorted(distances)
        self._gather = Gather(memory, form_of_words(in_order, memory.word_size))
        self._arranged: Any = itemgetter(*map(in_order.index, distances))

    def of(self, addresses: Sequence[int]) -> list[tuple[int, ...] | None]:
        return [self._arranged(words) if words is not None else None for words in self._gather.of(addresses)]

    def arrays(self, addresses: Column) -> tuple[Array, ...] | None:
        found = self._gather.arrays(addresses)
        return self._arranged(found) if found is not None else None


class MessageSizes:
    """Those of a VM; raises KeyError where it is not known where fields lie."""

    def __init__(self, vm: Vm) -> None:
        memory, layout = vm.memory, vm.layout
        self._vm, self._word, self._whole = vm, memory.word_size, layout.size("ErtsMessage")
        self._inside = inside = layout.offset("ErtsMessage", "hfrag")
        head = (
            layout.offset("ErtsMessageRef", "next"), layout.offset("ErtsMessage", "data.attached"),
            layout.offset("ErtsMessageRef", "m"),
        )  # fmt: skip
        fragment = (
            inside + layout.offset("ErlHeapFragment", "next"), inside + layout.offset("ErlHeapFragment", "used_size")
        )  # fmt: skip
        self._messages = _Words(memory, (*head, *fragment))
        self._heads = _Words(memory, head)
        self._fragments = Columns(memory, layout, "ErlHeapFragment", ("next", "used_size"))

    def of(self, addresses: Sequence[int], queues: Sequence[Column], buffers: Sequence[int | None]) -> Sizes:
        """Those of the messages to which this leads: where the processes' structures are, with what each of their
        queues begins, and their buffers."""
        counted = _Counted([0] * len(addresses), [0] * len(addresses))
        whose, pending = self._first(addresses, queues, buffers)
        for _ in range(FOLLOWED):
            if not len(pending):
                break
            whose, pending = self._together(whose, pending, counted) or self._one_by_one(whose, pending, counted)
        sizes = list(arrays.numbers(counted.bytes))
        self._add_fragments(sizes, counted.fragments)
        rough = self._add_undecoded(sizes, counted.undecoded)
        return Sizes(list(arrays.numbers(counted.messages)), sizes, {*arrays.numbers(whose)}, rough)

    def _one_by_one(self, whose: Column, pending: Column, counted: _Counted) -> tuple[Column, Column]:
        """Count these signals; the numbers of the processes of those that follow, and their addresses."""
        whole, word, non_value = self._whole, self._word, self._vm.tags.non_value
        # (Lists stay what they are: there are many steps.)
        counts, sizes = arrays.lists(counted.messages), arrays.lists(counted.bytes)
        owners: list[int] = []
        later: list[int] = []
        addresses = arrays.numbers(pending)
        for which, address, words in zip(arrays.numbers(whose), addresses, self._messages.of(addresses)):
            words = words or self._without_fragment(address)
            if words is None:
                continue
            following, attached, tag, more, used = words
            if tag & HEADER_MASK != SIGNAL_HEADER:
                counts[which] += 1
                sizes[which] += whole
                if tag == non_value:
                    counted.undecoded.append((which, address + self._inside if attached == COMBINED else attached))
                elif attached == COMBINED:
                    sizes[which] += word * used
                    if more:
                        counted.fragments.append((which, more))
                elif attached:
                    counted.fragments.append((which, attached))
            if following:
                owners.append(which)
                later.append(following)
        counted.messages, counted.bytes = counts, sizes
        return owners, later

    def _without_fragment(self, address: int) -> tuple[int, ...] | None:
        """A message in which there is none is allocated without room for it, and may be the last in readable memory
        (erl_message.c, `erts_alloc_message`). None where it has one, or cannot be read."""
        (head,) = self._heads.of([address])
        return (*head, 0, 0) if head is not None and head[1] != COMBINED else None

    def _together(self, whose: Column, pending: Column, counted: _Counted) -> tuple[Column, Column] | None:
        """The same, where they are arrays; None where they are none, or some are damaged."""
        found, owners, addresses = self._messages.arrays(pending), arrays.of(whose), arrays.of(pending)
        counts, sizes = arrays.of(counted.messages), arrays.of(counted.bytes)
        if found is None or owners is None or addresses is None or counts is None or sizes is None:
            return None
        following, attached, tag, more, used = found
        message = (tag & HEADER_MASK) != SIGNAL_HEADER
        undecoded = message & (tag == self._vm.tags.non_value)
        combined = message & (attached == COMBINED) & ~undecoded
        if not arrays.are_sizes([used[combined]], MAX_USED):
            return None
        owners = arrays.places(owners)
        before, counts = counts, arrays.added(counts, owners[message])
        sizes = sizes + (counts - before) * self._whole
        counted.messages = counts
        counted.bytes = arrays.added(sizes, owners[combined], used[combined] * self._word)
        apart = message & (attached != COMBINED) & (attached != 0) & ~undecoded
        for chosen, leading in ((combined & (more != 0), more), (apart, attached)):
            counted.fragments += zip(owners[chosen].tolist(), leading[chosen].tolist())
        if undecoded.any():
            for which, address, at in zip(*(array[undecoded].tolist() for array in (owners, addresses, attached))):
                counted.undecoded.append((which, address + self._inside if at == COMBINED else at))
        goes_on = following != 0
        return owners[goes_on], following[goes_on]

    def _first(
        self, addresses: Sequence[int], queues: Sequence[Column], buffers: Sequence[int | None]
    ) -> tuple[Column, Column]:
        """With what the queues begin: the number of the process of each, and its address."""
        if all(map(arrays.is_array, queues)) and not any(buffers):
            places = list(map(arrays.used, queues))
            return arrays.joined(places), arrays.joined([queue[used] for queue, used in zip(queues, places)])
        whose: list[int] = []
        found: list[int] = []
        for queue in map(arrays.numbers, queues):
            used = [which for which, at in enumerate(queue) if at]
            whose += used
            found += map(queue.__getitem__, used)
        for which, buffer in enumerate(buffers):
            if buffer:
                try:
                    more = signals.buffers(self._vm.processes.at(addresses[which]).record)
                except (Unreadable, KeyError):
                    continue
                whose += [which for at in more if at]
                found += [at for at in more if at]
        return whose, found

    def _add_fragments(self, sizes: list[int], pending: list[tuple[int, int]]) -> None:
        """Most messages have one at most."""
        for _ in range(MAX_FRAGMENTS):
            if not pending:
                return
            following = []
            for (which, _), row in zip(pending, self._fragments.of([at for _, at in pending])):
                if row is not None and row[1] is not None and row[2] is not None:
                    sizes[which] += self._word * row[2]
                    following.append((which, row[1]))
            pending = [one for one in following if one[1]]

    def _add_undecoded(self, sizes: list[int], pending: list[tuple[int, int]]) -> set[int]:
        """Add what other nodes have sent; the numbers of processes with some of which only the bytes are known."""
        offset, word, release = self._vm.layout.offset, self._word, self._vm.tags.release
        if EXTERNAL_SIZE_FIRST.of(release):
            size, data = 0, 2 * word + 8
        elif EXTERNAL_DATA_FIRST.of(release):
            size, data = word + 8, 0
        else:
            return {which for which, _ in pending}
        # Behind what the fragment has in use, a seq_trace token (external.h, `erts_get_dist_ext`).
        used = _Words(self._vm.memory, (offset("ErlHeapFragment", "used_size"), offset("ErlHeapFragment", "next")))
        behind: list[tuple[int, int]] = []
        for (which, at), found in zip(pending, used.of([at for _, at in pending])):
            if found is not None and found[0] <= MAX_USED:
                sizes[which] += word * found[0]
                behind.append((which, at + offset("ErlHeapFragment", "mem") + word * found[0]))
        rough = {which for which, _ in pending} if len(behind) < len(pending) else set()
        heads = _Words(self._vm.memory, (size, data)).of([at for _, at in behind])
        for (which, _), head in zip(behind, heads):
            if head is not None and head[0] <= MAX_USED:
                sizes[which] += word * head[0]
                continue
            rough.add(which)
            if head is not None:
                sizes[which] += self._encoded(head[1])
        return rough

    def _encoded(self, data: int) -> int:
        """The bytes of a message in all pieces in which it has come (`erl_dist_external_data`)."""
        memory, word = self._vm.memory, self._word
        total = 0
        try:
            for number in range(min(memory.u64(data + 8), MAX_PIECES)):
                start, end = memory.pair(data + number * (16 + 3 * word + (-3 * word) % 8) + 16)
                total += end - start if 0 <= end - start <= MAX_USED else 0
        except Unreadable:
            pass
        return total
