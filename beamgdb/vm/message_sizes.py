"""How many bytes messages take that wait for processes, as process_info/2 counts them (erl_message.c,
`erts_process_memory`): what each has besides its term, and the fragment of a heap that the term is in, if it is not on
the heap. All queues of many processes are gone through side by side, in few reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from beamgdb.memory import Unreadable
from beamgdb.records.columns import Columns, Gather
from beamgdb.vm import signals
from beamgdb.vm.fragments import COMBINED, MAX_FRAGMENTS
from beamgdb.vm.model import Vm
from jit.otp.tags import HEADER_MASK, SIGNAL_HEADER

FOLLOWED: Final = 1 << 14
"""Signals of a queue that are followed: queues of tens of millions have been seen."""


class MessageSizes:
    """Those of a VM; raises KeyError where it is not known where fields lie."""

    def __init__(self, vm: Vm) -> None:
        memory, layout = vm.memory, vm.layout
        self._vm, self._word, self._whole = vm, memory.word_size, layout.size("ErtsMessage")
        self._queues = Columns(memory, layout, "Process", (*signals.QUEUES, "sig_inq_buffers"))
        self._messages = Gather(memory, "w" * (self._whole // self._word))
        fragment, inside = layout.offset("ErlHeapFragment", "next"), layout.offset("ErtsMessage", "hfrag")
        used = layout.offset("ErlHeapFragment", "used_size")
        self._next, self._attached, self._tag, self._more, self._used = (
            at // self._word
            for at in (
                layout.offset("ErtsMessageRef", "next"), layout.offset("ErtsMessage", "data.attached"),
                layout.offset("ErtsMessageRef", "m"), inside + fragment, inside + used,
            )
        )  # fmt: skip
        self._fragments = Columns(memory, layout, "ErlHeapFragment", ("next", "used_size"))

    def of(self, processes: Sequence[int]) -> list[tuple[int, int]]:
        """How many messages wait for each process, by the address of its structure, and their bytes: of a queue those
        before what is damaged, and of a long one the first `FOLLOWED`."""
        counts, sizes = [0] * len(processes), [0] * len(processes)
        pending = self._first(processes)
        fragments: list[tuple[int, int]] = []
        for _ in range(FOLLOWED):
            if not pending:
                break
            found = self._messages.of([at for _, at in pending])
            following = []
            for (which, _), words in zip(pending, found):
                if words is None:
                    continue
                if words[self._tag] & HEADER_MASK != SIGNAL_HEADER:
                    counts[which] += 1
                    sizes[which] += self._whole
                    attached = words[self._attached]
                    if attached == COMBINED:
                        sizes[which] += self._word * words[self._used]
                        fragments.append((which, words[self._more]))
                    elif words[self._tag] != self._vm.tags.non_value:
                        # (The other is of another node, and not decoded yet.)
                        fragments.append((which, attached))
                following.append((which, words[self._next]))
            pending = [one for one in following if one[1]]
        self._add_fragments(sizes, [one for one in fragments if one[1]])
        return list(zip(counts, sizes))

    def _first(self, processes: Sequence[int]) -> list[tuple[int, int]]:
        """With what the queues begin, each with the number of its process."""
        found: list[tuple[int, int]] = []
        for which, row in enumerate(self._queues.of(processes)):
            if row is None:
                continue
            *queues, buffers = row[1:]
            if buffers:
                try:
                    queues += signals.buffers(self._vm.processes.at(processes[which]).record)
                except (Unreadable, KeyError):
                    pass
            found += ((which, at) for at in queues if at)
        return found

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
