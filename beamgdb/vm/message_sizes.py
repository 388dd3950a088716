"""How many bytes messages take that wait for processes, as process_info/2 counts them (erl_message.c,
`erts_process_memory`): what each has besides its term, and the fragment of a heap that the term is in, if it is not on
the heap. All queues of many processes are gone through side by side, in few reads."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Final, Optional

from beamgdb.memory import Unreadable
from beamgdb.records.columns import Columns, Gather, form_of_words
from beamgdb.vm import signals
from beamgdb.vm.fragments import COMBINED, MAX_FRAGMENTS
from beamgdb.vm.model import Vm
from jit.otp.tags import HEADER_MASK, SIGNAL_HEADER

FOLLOWED: Final = 1 << 14
"""Signals of a queue that are followed: queues of tens of millions have been seen."""


Leading = tuple[int, Optional[int], Optional[int], Optional[int], Optional[int]]
"""What leads to the signals of a process: where its structure is, with what its queues begin, and its buffers."""


class MessageSizes:
    """Those of a VM; raises KeyError where it is not known where fields lie."""

    def __init__(self, vm: Vm) -> None:
        memory, layout = vm.memory, vm.layout
        self._vm, self._word, self._whole = vm, memory.word_size, layout.size("ErtsMessage")
        inside = layout.offset("ErtsMessage", "hfrag")
        places = (
            layout.offset("ErtsMessageRef", "next"), layout.offset("ErtsMessage", "data.attached"),
            layout.offset("ErtsMessageRef", "m"), inside + layout.offset("ErlHeapFragment", "next"),
            inside + layout.offset("ErlHeapFragment", "used_size"),
        )  # fmt: skip
        in_order = sorted(places)
        self._messages = Gather(memory, form_of_words(in_order, memory.word_size))
        self._arranged = itemgetter(*map(in_order.index, places))
        self._fragments = Columns(memory, layout, "ErlHeapFragment", ("next", "used_size"))

    def of(self, processes: Sequence[Leading]) -> list[tuple[int, int]]:
        """How many messages wait for each process, and their bytes: of a queue those before what is damaged, and of a
        long one the first `FOLLOWED`."""
        counts, sizes = [0] * len(processes), [0] * len(processes)
        whole, word, arranged, non_value = self._whole, self._word, self._arranged, self._vm.tags.non_value
        pending, addresses = self._first(processes)
        fragments: list[tuple[int, int]] = []
        for _ in range(FOLLOWED):
            if not pending:
                break
            whose, later = [], []
            for which, words in zip(pending, self._messages.of(addresses)):
                if words is None:
                    continue
                following, attached, tag, more, used = arranged(words)
                if tag & HEADER_MASK != SIGNAL_HEADER:
                    counts[which] += 1
                    # (What is of another node, and not decoded yet, has no fragment.)
                    if attached == COMBINED:
                        sizes[which] += whole + word * used
                        if more:
                            fragments.append((which, more))
                    else:
                        sizes[which] += whole
                        if attached and tag != non_value:
                            fragments.append((which, attached))
                if following:
                    whose.append(which)
                    later.append(following)
            pending, addresses = whose, later
        self._add_fragments(sizes, fragments)
        return list(zip(counts, sizes))

    def _first(self, processes: Sequence[Leading]) -> tuple[list[int], list[int]]:
        """With what the queues begin: the number of the process of each, and its address."""
        whose: list[int] = []
        found: list[int] = []
        for which, (address, *queues, buffers) in enumerate(processes):
            if buffers:
                try:
                    queues += signals.buffers(self._vm.processes.at(address).record)
                except (Unreadable, KeyError):
                    pass
            for at in queues:
                if at:
                    whose.append(which)
                    found.append(at)
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
