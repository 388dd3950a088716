"""A layout made of what has been proved on the VM itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from beamgdb.evidence import (
    atoms,
    catches,
    descriptors,
    interpreter,
    jit_code,
    known_code,
    modules,
    needed,
    process_list,
    process_table,
    processes,
    schedulers,
    tags,
    terms,
)
from beamgdb.evidence.findings import Findings, NotProved, Prover, Seen
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.statics import Symbol
from jit.image.image import Image
from jit.otp.layouts.identity import Identity, is_musl
from jit.otp.layouts.layout import NEEDED, TABLES, Layout, NoLayout, nearest, of_identity

_FIRST: tuple[Prover, ...] = (
    atoms.prove, process_table.prove, processes.prove, process_table.prove_order, modules.prove, schedulers.prove,
)  # fmt: skip
_LAST: tuple[Prover, ...] = (catches.prove, descriptors.prove, terms.prove, process_list.prove, known_code.prove)


def no_image() -> None:
    """Where the program's file is not to be read."""


def prove(
    memory: CachedMemory,
    symbol: Symbol,
    identity: Identity,
    slots: int,
    image: Callable[[], Image | None] = no_image,
    directory: Path = TABLES,
) -> Layout:
    """What is proved on the VM, of which at most so many slots of tables are looked at. `image` gives the program's
    file if it can be read, `directory` has the tables of VMs that may be like it. Raises NoLayout: why there is nothing
    that could be used."""
    for name in NEEDED:
        if getattr(identity, name) is None:
            raise NoLayout(f"{name} unknown, {identity.unknown.get(name, 'no reason given')}")
    near = nearest(identity, directory)
    seen = _seen(memory, symbol, identity, near, slots, image)
    found = Findings()
    for prover in (*_FIRST, interpreter.prove if seen.is_interpreter else jit_code.prove, *_LAST):
        _try(prover, seen, found)
    _require(found, seen.is_interpreter)
    layout = of_identity(found.structs(), {}, identity, _origin(found, near), evidence=found.how)
    return _with_tags(seen, found, identity, layout)


def _with_tags(seen: Seen, found: Findings, identity: Identity, layout: Layout) -> Layout:
    """The layout, with how terms are tagged if that is seen, and not what the release says that it is."""
    number = re.match(r"\d+", identity.otp_release or "")
    if number is None:
        return layout
    try:
        scheme, how = tags.prove(seen, found, int(number[0]), identity.build == "debug")
    except (NotProved, Unreadable):
        return layout
    return layout if scheme.release == int(number[0]) else replace(layout, tags=scheme, tags_proof=how)


def prove_more(memory: CachedMemory, symbol: Symbol, identity: Identity, layout: Layout, is_seen: bool) -> Layout:
    """A layout that was proved, with what this stop shows besides; the same if that is nothing. Quick, but where a user
    has seen the stop."""
    seen = _seen(memory, symbol, identity, nearest(identity), needed.FEW_SLOTS, no_image)
    found = Findings.of(layout)
    _try(_sample, seen, found)
    _try(schedulers.prove_running, seen, found)
    if is_seen and not needed.has(layout, needed.BY_TERMS):
        for prover in (modules.prove, terms.prove, process_list.prove):
            _try(prover, seen, found)
    if seen.is_interpreter:
        _try(interpreter.prove_arity, seen, found)
    return layout if found.how == layout.evidence else replace(layout, structs=found.structs(), evidence=found.how)


def _seen(
    memory: CachedMemory,
    symbol: Symbol,
    identity: Identity,
    near: Layout,
    slots: int,
    image: Callable[[], Image | None],
) -> Seen:
    is_interpreter, has_musl = identity.flavour == "emu", is_musl(identity.triplet)
    return Seen(memory, symbol, identity.arch or "", is_interpreter, near, slots, image, has_musl)


def _try(prover: Prover, seen: Seen, found: Findings) -> None:
    """What is given up is not missed by the rest."""
    try:
        prover(seen, found)
    except (NotProved, Unreadable) as error:
        found.given_up.append(str(error))


def _sample(seen: Seen, found: Findings) -> None:
    found.processes = process_table.sample(seen, found)


def _require(found: Findings, is_interpreter: bool) -> None:
    """Raise NoLayout if something is missing without which nothing can be told."""
    for struct, names in (*needed.ALWAYS, *(needed.BY_THE_INTERPRETER if is_interpreter else needed.BY_THE_JIT)):
        for name in names.split():
            if found.how.get(struct, {}).keys().isdisjoint(name.split("|")):
                why = next((f": {one}" for one in found.given_up if f"{struct}." in one), "")
                raise NoLayout(f"{struct}.{name} is not proved on this target{why}")


def _origin(found: Findings, near: Layout) -> str:
    """What the layout is called."""
    moved = sum(
        not near.has(struct, name) or near.field(struct, name) != field
        for struct, fields in found.fields.items()
        for name, field in fields.items()
    ) + sum(not near.has(struct) or near.size(struct) != size for struct, size in found.sizes.items())
    total = sum(map(len, found.how.values()))
    if not moved:
        return f"fields of {near.erts_version}, proved on this target"
    return f"{total} fields proved on this target, {moved} of them not as in {near.erts_version} {near.arch}"
