"""What a list of processes shows besides: who started a process, who does its output, and where its messages are."""

from __future__ import annotations

from collections.abc import Iterator

from beamgdb.evidence.atoms import atom_text
from beamgdb.evidence.findings import ENOUGH, Findings, NotProved, Seen, differ, most, only
from beamgdb.evidence.processes import SOME, Processes, is_atom
from beamgdb.evidence.terms import words_of
from beamgdb.memory import Unreadable
from jit.otp.layouts.resolve import Field
from jit.otp.tags import ARITY_SHIFT, CONS, IMMED1_MASK, NIL, PID, PRIMARY_MASK, TUPLE_HEADER

ANCESTORS = b"$ancestors"
"""The key under which processes of OTP's behaviours keep who has started them (proc_lib.erl)."""

ENTRY = 2 << ARITY_SHIFT | TUPLE_HEADER
"""The header of an entry of a process dictionary."""

LATER_PARTS = 2
"""Words of a queue behind its first one that point to that while it is empty: the last, and the one to go on with."""


def prove(seen: Seen, found: Findings) -> None:
    """All of these. What is given up is not missed by the rest."""
    processes = Processes(seen, found)
    for part in (_parents, _leaders, _queues):
        try:
            part(processes, found)
        except (NotProved, Unreadable) as error:
            found.given_up.append(str(error))


def _parents(processes: Processes, found: Findings) -> None:
    """Those of OTP's behaviours have noted the pid or name of their parent; all have that of theirs, which may be gone,
    but for those that the VM has started itself."""
    seen = processes.seen
    names = _pids_by_name(processes, found)
    known = {}
    for process in processes.words:
        parent = next(_ancestors(seen, found, process), None)
        parent = names.get(parent, parent) if parent is not None else None
        if parent is not None and parent & IMMED1_MASK == PID:
            known[process] = parent
    if len(known) < ENOUGH or not differ(known.values(), SOME - 1):
        raise NotProved(f"{len(known)} processes have noted their parents: Process.parent")

    def are_parents(at: int) -> bool:
        all_of_them = dict(zip(processes.words, processes.at(at)))
        return most(all_of_them[process] == parent for process, parent in known.items()) and all(
            one & IMMED1_MASK == PID or one == NIL or is_atom(seen, found, one) for one in all_of_them.values()
        )

    at = only((at for at in processes.places if are_parents(at)), "Process.parent")
    found.add("Process", f"{len(known)} processes that have noted their parents", {"parent": Field(at, seen.word)})


def _pids_by_name(processes: Processes, found: Findings) -> dict[int, int]:
    """The pids of registered processes by their names."""
    seen = processes.seen
    registrations = processes.at(found.offset("Process", "common.u.alive.reg"))
    pids = processes.at(found.offset("Process", "common.id"))
    at_name = found.offset("RegProc", "name")
    return {seen.memory.word(one + at_name): pid for one, pid in zip(registrations, pids) if one}


def _ancestors(seen: Seen, found: Findings, process: int) -> Iterator[int]:
    """Who has started a process, as it has noted that on its heap: a pid or a name."""
    words = words_of(seen, found, process)
    for header, key, value in zip(words, words[1:], words[2:]):
        if header == ENTRY and value & PRIMARY_MASK == CONS and atom_text(seen, found, key) == ANCESTORS:
            yield seen.memory.word(value - CONS)


def _leaders(processes: Processes, found: Findings) -> None:
    """The group leader of each is a process; some lead themselves."""
    pids = processes.at(found.offset("Process", "common.id"))
    here = set(pids)

    def are_leaders(at: int) -> bool:
        leaders = processes.at(at)
        return set(leaders) <= here and differ(leaders, 2) and 0 < sum(map(int.__eq__, leaders, pids)) < len(pids)

    at = only((at for at in processes.places if are_leaders(at)), "Process.group_leader")
    found.add("Process", processes.how, {"group_leader": Field(at, processes.seen.word)})


def _queues(processes: Processes, found: Findings) -> None:
    """The last message of an empty queue is where its first one would be; so is the one at which a process goes on to
    look, which it does in one queue alone. Which of these two is which, an empty queue does not tell."""
    word = processes.seen.word
    firsts = []
    for to in processes.places:
        parts = [at for at in (to + word * n for n in range(1, LATER_PARTS + 1)) if at in processes.places]
        if len(parts) == LATER_PARTS and all(
            most(one == address + to for one, address in zip(processes.at(at), processes.words)) for at in parts
        ):
            firsts.append(to)
    first = only(firsts, "Process.sig_qs.first")
    found.add("Process", processes.how, {"sig_qs.first": Field(first, word)})
