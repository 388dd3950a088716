"""To be sourced by GDB: from now on the session uses what is proved on its VM, without the tables of that release."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from beamgdb.evidence.needed import ALL_SLOTS, ALWAYS, BY_THE_INTERPRETER, BY_THE_JIT, FEW_SLOTS, LATER
from beamgdb.evidence.proof import prove
from beamgdb.gdbext import session
from beamgdb.gdbext.connection import is_remote
from beamgdb.node import Node
from beamgdb.terms.fields import FIELDS
from jit.otp.layouts.layout import TABLES, Layout


def needed(is_interpreter: bool) -> set[tuple[str, str]]:
    """What stacks, terms, registers and a list of processes need."""
    groups = (*ALWAYS, *LATER, *(BY_THE_INTERPRETER if is_interpreter else BY_THE_JIT))
    names = {(struct, name) for struct, fields in groups for name in fields.split()}
    return {*names, *FIELDS, ("ErtsPTab", "vola.tile.count"), ("beam_catch_t", "cp"), ("Process", "def_arg_reg")}


def told(layout: Layout) -> dict[tuple[str, str], object]:
    """All that a layout tells: fields, and sizes."""
    fields = {(name, path): field for name, one in layout.structs.items() for path, field in one.fields.items()}
    sizes = {(name, "sizeof"): one.size for name, one in layout.structs.items() if one.size is not None}
    return {**fields, **sizes}


def hidden(current: session.Session) -> Layout:
    """What is proved where only tables of other releases are there."""
    node = current.node
    with tempfile.TemporaryDirectory() as name:
        for table in TABLES.glob("*.json"):
            if f"erts-{node.identity.erts_version}-" not in table.name:
                shutil.copy(table, name)
        slots = FEW_SLOTS if is_remote() else ALL_SLOTS
        return prove(node.memory, node.symbol, node.identity, slots, Path(name))


def main() -> None:
    """Prove, compare, print, and go on with what is proved."""
    current = session.require()
    truth, proved = current.node.layout, hidden(current)
    here, known = told(truth), told(proved)
    wanted = {one for one in needed(current.node.is_interpreter) if one in here}
    wrong = [one for one, value in known.items() if here.get(one) != value]
    report = {"right": len(known) - len(wrong), "wrong": wrong, "wanted": len(wanted), "unknown": [*wanted - {*known}]}
    print(json.dumps(report))
    node = current.node
    _go_on_with(Node(node.memory, node.symbol, node.identity, proved, "", node.build))


def restore() -> None:
    """Have the session use the tables again."""
    _go_on_with(KNOWN)


def _go_on_with(node: Node) -> None:
    current = session.require()
    current.node = node
    current.code_is_stale, current.code_is_checked = True, False
    current.refresh_code()


KNOWN = session.require().node
main()
