"""C functions by the texts that they alone say before they end the node.

What scheduler threads run: each of the three first functions of threads, for normal, dirty CPU and dirty I/O schedulers
(erl_process.c), ends with two calls, of what runs processes, and of `erts_exit` with a text of its own should that ever
return. So the function that is called last before such a text is the one. Where the three agree on what they call with
the text, and the two dirty ones on what they call before, nothing was taken for something else.

What is called when there is no memory (erl_alloc.c): it calls `erts_exit` too, with a text of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from beamgdb.roots import functions, interpreter, references
from jit.image.image import Function, Image, Recovered, occurrences

MAIN, DIRTY_MAIN, EXIT = interpreter.MAIN, "erts_dirty_process_main", "erts_exit"

OF_THREADS = (MAIN, DIRTY_MAIN, EXIT)

ENDED = tuple(
    kind + b" thread number %beu terminated\n\0"
    for kind in (b"Scheduler", b"Dirty CPU scheduler", b"Dirty I/O scheduler")
)
"""What they say, the one of normal schedulers first."""

NO_MEMORY = "erts_alc_fatal_error"

CANNOT_ALLOCATE = b'%s: Cannot %s %lu bytes of memory (of type "%s").\n\0'
"""What it says."""


class _Calls(NamedTuple):
    """What a function calls next before and behind a place."""

    before: int
    behind: int


def of_threads(image: Image) -> dict[str, Recovered] | str:
    """Those of `OF_THREADS`, or why they are not found."""
    if image.arch not in functions.CALLS:
        return f"not looked for on {image.arch}"
    places = [_places(image, text) for text in ENDED]
    texts = [where[0] for where in places if len(where) == 1]
    if len(texts) != len(ENDED):
        return f"{len(texts)} of {len(ENDED)} texts stand once in the program that scheduler threads end with"
    formed = list(references.formed(image, frozenset(texts)))
    calls = [{one for at, to in formed if to == text for one in _next_to(image, at)} for text in texts]
    ends = [one for found in calls if len(found) == 1 for one in found]
    if len(ends) != len(ENDED):
        return f"{len(ends)} of {len(ENDED)} functions are found that scheduler threads begin and end with"
    normal, *dirty = ends
    if len({one.behind for one in ends}) != 1 or len({one.before for one in dirty}) != 1:
        return "the functions that scheduler threads begin and end with do not end alike"
    addresses = (normal.before, dirty[0].before, normal.behind)
    if len(set(addresses)) != len(OF_THREADS):
        return "the functions that scheduler threads begin and end with do not tell what they call apart"
    how = "called last by the three functions that say that a scheduler thread has ended"
    return {name: Recovered(name, address, how) for name, address in zip(OF_THREADS, addresses)}


def no_memory(image: Image, exits: int) -> Recovered | str:
    """`NO_MEMORY`, or why it is not found. `exits`: where `EXIT` starts."""
    places = [place for text in _places(image, CANNOT_ALLOCATE) for place, _ in references.formed(image, {text})]
    users = {image.function_at(place) for place in places}
    function = users.pop() if len(users) == 1 else None
    if function is None or all(one.behind != exits for place in places for one in _next_to(image, place)):
        return f"{len(users) or 'no'} functions say that memory cannot be allocated, and end the node"
    how = f"the only function that says that memory cannot be allocated, and calls {EXIT}"
    return Recovered(NO_MEMORY, function.start, how)


def _places(image: Image, text: bytes) -> list[int]:
    return [part.start + at for part in image.fixed for at in occurrences(text, part.content)]


def _next_to(image: Image, place: int) -> Iterator[_Calls]:
    """Nothing where it is in no function that is known."""
    function = image.function_at(place)
    if function is None:
        return
    calls = [(at, to) for at, to in functions.CALLS[image.arch](image, function) if _is_start(image, function, to)]
    before, behind = [to for at, to in calls if at < place], [to for at, to in calls if at > place]
    if before and behind:
        yield _Calls(before[-1], behind[0])


def _is_start(image: Image, caller: Function, address: int) -> bool:
    """Whether another function starts there."""
    function = image.function_at(address)
    return function is not None and function != caller and function.start == address
