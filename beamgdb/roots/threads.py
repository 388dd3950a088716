"""What scheduler threads run, by what the threads' first functions say should that ever return (erl_process.c).

Each of the three, for normal, dirty CPU and dirty I/O schedulers, ends with two calls: of what runs processes, and of
`erts_exit` with a text of its own, which nothing else has. So the last function that is called before such a text is
the one, and where the three agree on what they call with the text, and the two dirty ones on what they call before,
nothing was taken for something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from beamgdb.records.statics import Recovered
from beamgdb.roots import functions, interpreter, references
from beamgdb.roots.image import Function, Image, occurrences

MAIN, DIRTY_MAIN, EXIT = interpreter.MAIN, "erts_dirty_process_main", "erts_exit"

NAMES = (MAIN, DIRTY_MAIN, EXIT)

KINDS = (b"Scheduler", b"Dirty CPU scheduler", b"Dirty I/O scheduler")
"""How the texts begin, the one of normal schedulers first."""

REST = b" thread number %beu terminated\n\0"


class _Last(NamedTuple):
    """The last two calls of a thread's first function."""

    main: int
    exit: int


def find(image: Image) -> dict[str, Recovered] | str:
    """The functions by name, or why they are not found."""
    if image.arch not in functions.CALLS:
        return f"not looked for on {image.arch}"
    texts: list[int] = []
    for kind in KINDS:
        places = [part.start + at for part in image.fixed for at in occurrences(kind + REST, part.content)]
        if len(places) != 1:
            return f"{len(places) or 'no'} places have the text that a {kind.decode()} thread has terminated"
        texts += places
    formed = list(references.formed(image, frozenset(texts)))
    ends = [_last(image, [place for place, to in formed if to == text]) for text in texts]
    known = [one for one in ends if one is not None]
    if len(known) != len(KINDS):
        return f"{len(known)} of {len(KINDS)} functions say that a scheduler thread has terminated, and call others"
    normal, *dirty = known
    if len({one.exit for one in known}) != 1 or len({one.main for one in dirty}) != 1:
        return "the functions of scheduler threads do not end alike"
    if len({normal.main, dirty[0].main, normal.exit}) != len(NAMES):
        return "the functions of scheduler threads are not told apart by what they call"
    how = "by the ends of the three functions of scheduler threads, which their texts tell"
    found = zip(NAMES, (normal.main, dirty[0].main, normal.exit))
    return {name: Recovered(name, address, how) for name, address in found}


def _last(image: Image, places: list[int]) -> _Last | None:
    """What is called next to wherever a text is used, None where that is not known, or not always the same."""
    found = {one for place in places for one in _next_to(image, place)}
    return found.pop() if len(found) == 1 else None


def _next_to(image: Image, place: int) -> Iterator[_Last]:
    function = image.function_at(place)
    if function is None:
        return
    calls = [(at, to) for at, to in functions.CALLS[image.arch](image, function) if _is_start(image, function, to)]
    before, behind = [to for at, to in calls if at < place], [to for at, to in calls if at > place]
    if before and behind:
        yield _Last(before[-1], behind[0])


def _is_start(image: Image, caller: Function, address: int) -> bool:
    """Whether another function starts there."""
    function = image.function_at(address)
    return function is not None and function != caller and function.start == address
