"""Functions of C code that are as in a build that is known, down to the offsets in them: so fields lie as there."""

from __future__ import annotations

from collections import defaultdict

from beamgdb.evidence.findings import Findings, NotProved, Seen
from jit.image.image import Function, Image
from jit.otp.layouts.layout import TableKey
from jit.signatures.signature import Signature, names, signatures, target, there

ENOUGH_PLACES = 3
"""Fields of a variable that has no symbol."""


def prove(seen: Seen, found: Findings) -> None:
    """What they access, and has not been proved otherwise. What was must agree."""
    near, image = seen.near, seen.image()
    if image is None:
        raise NotProved("the program's file is not at hand")
    tell: dict[tuple[str, str], list[Signature]] = defaultdict(list)
    known = list(there(signatures(TableKey(near.erts_version, near.arch, near.flavour)), image))
    starts = _variables(seen, known, image)
    for one, function in known:
        told = names(one.fields)
        for reference in one.references:
            if target(reference, function, image) - reference.offset == starts.get(reference.variable):
                told |= names(reference.fields)
        for name in told:
            tell[name].append(one)
    for (struct, path), functions in tell.items():
        if path != "sizeof" and found.has(struct, path) and found.offset(struct, path) != near.offset(struct, path):
            raise NotProved(f"{struct}.{path} is elsewhere than by {len(functions)} functions of {near.erts_version}")
    for (struct, path), functions in tell.items():
        if path in found.how.get(struct, {}):
            continue
        how = f"the code of {len(functions)} function{'s' if len(functions) > 1 else ''} as in {near.erts_version}"
        if path == "sizeof":
            found.add_size(struct, how, near.size(struct))
        else:
            found.add(struct, how, {path: near.field(struct, path)})


def _variables(seen: Seen, known: list[tuple[Signature, Function]], image: Image) -> dict[str, int]:
    """Where variables are of which functions access fields: by their symbols; without these where all functions agree,
    and access enough of each to tell that."""
    found: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for one, function in known:
        for reference in one.references:
            found[reference.variable].add((target(reference, function, image), reference.offset))
    starts: dict[str, int] = {}
    for variable, places in found.items():
        symbol, others = seen.symbol(variable), {address - offset for address, offset in places}
        if symbol is not None:
            starts[variable] = symbol
        elif len(others) == 1 and len(places) >= ENOUGH_PLACES:
            starts[variable] = others.pop()
    return starts
