"""Which operations an interpreter knows, and where their handlers are, as its program's file tells."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from jit.image.image import Function, Image
from jit.otp.layouts.layout import Layout

FIRST_NAME = b"label_L\0"
"""The name of an operation that is in every release (ops.tab)."""

NAME = re.compile(rb"[A-Za-z_]\w*\?*\0")
"""A name of an operation."""

TEXT = re.compile(rb"[\x20-\x7e]*\0")
"""A signature, or the program that packs operands."""

MAX_NAME = 128

MAX_OPERATIONS = 10_000
"""Operations of a build at most; releases have about 500."""


@dataclass(frozen=True)
class Operations:
    """The table `opc`: its address, the names of operations by number, and the table of their handlers."""

    table: int
    names: tuple[str, ...]
    handlers: int
    main: int | None
    """Where `process_main` starts, None where nothing tells."""


def operations(image: Image, layout: Layout) -> Operations | str:
    """What the program's file tells of the operations, or why it does not."""
    places = image.pointers
    size = layout.size("OpEntry")
    named = {part.start + at for part in image.fixed for at in _all(part.content, FIRST_NAME)}
    found = []
    for place, to in places.items():
        entry = place - layout.offset("OpEntry", "name")
        if to not in named or _name(image, layout, places, entry) is None:
            continue
        first = entry
        while _name(image, layout, places, first - size) is not None:
            first -= size
        names: list[str] = []
        while len(names) < MAX_OPERATIONS and (name := _name(image, layout, places, first + len(names) * size)):
            names.append(name)
        found.append((first, tuple(names)))
    if len(found) != 1:
        return f"{len(found) or 'no'} tables name operations"
    table, names_of = found[0]
    handlers = _handlers(image, places, len(names_of))
    if len(handlers) != 1:
        return f"{len(handlers) or 'no'} tables have {len(names_of)} places in one function"
    start = handlers[0]
    main = image.function_at(places[start] & ~1)
    return Operations(table, names_of, start, main.start if main is not None else None)


def _all(content: bytes, text: bytes) -> list[int]:
    return [match.start() for match in re.finditer(re.escape(text), content)]


def _name(image: Image, layout: Layout, places: Mapping[int, int], entry: int) -> str | None:
    """The name of the operation that this `OpEntry` describes, None where it is none."""
    name, signature, pack = (places.get(entry + layout.offset("OpEntry", field)) for field in ("name", "sign", "pack"))
    if name is None or signature is None or pack is None:
        return None
    text = NAME.match(_text(image, name))
    if text is None or not TEXT.match(_text(image, signature)) or not TEXT.match(_text(image, pack)):
        return None
    return text[0][:-1].decode()


def _text(image: Image, address: int) -> bytes:
    return image.read(address, MAX_NAME) or b""


def _handlers(image: Image, places: Mapping[int, int], count: int) -> list[int]:
    """Tables of so many places in one function, one behind the other, and no more."""
    word = image.word_size
    found: list[int] = []
    run: list[int] = []
    function: Function | None = None
    for place in (*sorted(places), 0):
        to = places.get(place, 0)
        inside = image.function_at(to & ~1)
        if run and (place != run[-1] + word or not image.is_code(to) or inside is not function):
            if len(run) == count:
                found.append(run[0])
            run = []
        if image.is_code(to):
            run.append(place)
        function = inside
    return found
