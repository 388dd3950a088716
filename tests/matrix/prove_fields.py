"""To be sourced by GDB: from now on the session uses what is proved on its VM, without the tables of that release."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from beamgdb.evidence.needed import ALL_SLOTS, ALWAYS, BY_THE_INTERPRETER, BY_THE_JIT, FEW_SLOTS, LATER
from beamgdb.evidence.proof import prove
from beamgdb.gdbext import session, unnamed
from beamgdb.gdbext.connection import is_remote
from beamgdb.node import Node
from beamgdb.roots.finder import Roots
from beamgdb.terms.fields import FIELDS
from jit.otp.layouts.identity import Identity
from jit.otp.layouts.layout import TABLES, Layout, nearest

KNOWN = session.require().node

PROCESS_LIST = {("Process", name) for name in ("heap_sz", "parent", "group_leader", "sig_qs.first")}


def needed(is_interpreter: bool) -> set[tuple[str, str]]:
    """What stacks, terms, registers and a list of processes need."""
    groups = (*ALWAYS, *LATER, *(BY_THE_INTERPRETER if is_interpreter else BY_THE_JIT))
    names = {(struct, name) for struct, fields in groups for name in fields.replace("|", " ").split()}
    names |= {*FIELDS, *PROCESS_LIST, ("ErtsPTab", "vola.tile.count"), ("beam_catch_t", "cp")}
    return names | {("Process", "def_arg_reg")}


def told(layout: Layout) -> dict[tuple[str, str], object]:
    """All that a layout tells: fields, and sizes. An array that ends a structure has one element or none, as its
    declaration says, and goes on."""
    fields = {
        (name, path): field._replace(elements=0) if field.elements == 1 else field
        for name, one in layout.structs.items() for path, field in one.fields.items()
    }  # fmt: skip
    sizes = {(name, "sizeof"): one.size for name, one in layout.structs.items() if one.size is not None}
    return {**fields, **sizes}


def hidden(near: str, identity: Identity = KNOWN.identity) -> tuple[Layout, Roots | None]:
    """What is proved where only tables of another version of the runtime system are there, and what has found variables
    without symbols, by that table too."""
    with tempfile.TemporaryDirectory() as name:
        for table in TABLES.glob(f"erts-{near}-*.json"):
            shutil.copy(table, name)
        image = unnamed.program().image if KNOWN.roots is not None else None
        roots = Roots(KNOWN.memory, image) if image is not None else None
        if roots is not None:
            roots.layout = nearest(KNOWN.identity, Path(name))
        _use(roots)
        slots = FEW_SLOTS if is_remote() else ALL_SLOTS
        return prove(KNOWN.memory, KNOWN.symbol, identity, slots, unnamed.program_image, Path(name)), roots


def _use(roots: Roots | None) -> None:
    KNOWN.symbol.roots = roots  # type: ignore[attr-defined]


def report(near: str) -> None:
    """Prove, compare, print, and go on with what is proved."""
    proved, roots = hidden(near)
    here, known = told(KNOWN.layout), told(proved)
    wanted = {one for one in needed(KNOWN.is_interpreter) if one in here}
    wrong = [(*one, here.get(one), value) for one, value in known.items() if here.get(one) != value]
    unknown = [".".join(one) for one in wanted - {*known}]
    print(json.dumps({"right": len(known) - len(wrong), "wrong": wrong, "wanted": len(wanted), "unknown": unknown}))
    _go_on_with(Node(KNOWN.memory, KNOWN.symbol, KNOWN.identity, proved, "", KNOWN.build, roots))


def tags(near: str) -> None:
    """Print the release whose terms are seen here, in a VM that says that it is of one that nobody knows."""
    layout, _ = hidden(near, replace(KNOWN.identity, otp_release="39"))
    print(layout.tags.release if layout.tags else None)


def restore() -> None:
    """Have the session use the tables again."""
    _use(KNOWN.roots)
    _go_on_with(KNOWN)


def _go_on_with(node: Node) -> None:
    current = session.require()
    current.node = node
    current.code_is_stale, current.code_is_checked = True, False
    current.refresh_code()
