"""Debug information that GDB has of the program, from wherever: the program's file, a separate debug file that GDB has
found by itself, or one that a user has given it. And that of a similar build, which only beamgdb reads."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import gdb

from beamgdb.gdbext import core_program, gdb_text, gdb_types, program_file
from beamgdb.gdbext.c_expressions import in_c
from beamgdb.gdbext.extension import extension
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.terms.quoting import bare
from beamgdb.vm.model import Unavailable
from beamgdb.vm.processes import Process
from jit.otp.layouts.identity import Identity
from jit.otp.layouts.layout import Layout, as_in, of_identity

TYPE = "Process"
"""A type of the VM: whoever has it has the others."""

DOMAINS = (gdb.SYMBOL_VAR_DOMAIN, gdb.SYMBOL_STRUCT_DOMAIN)
"""Where GDB has names of types, by typedef and by tag."""

CHECKED = 1000
"""Processes that are looked at to see whether fields may lie as they do in a similar build."""


FEW = 8
"""The same where it is a table of the very release: fewer tell nothing, for memory may be damaged."""

WITHOUT_STACK = ("GC", "EXITING", "FREE")
"""States in which a process may have none, or one that is just being moved."""


class _Told(set[str]):
    """Files of which the user has been told that they are of no use."""


def layout(identity: Identity) -> Layout | None:
    """Where fields lie by the program's debug information, None where GDB has none. Raises `ValueError` where the word
    size of the VM is unknown."""
    for objfile in _having_types():
        why = _foreign(objfile)
        name = bare(gdb_text.file_name(objfile))
        if why is None:
            is_program = gdb_text.file_name(objfile) == program_file.name()
            origin = f"debug information of {'the program' if is_program else name}"
            structs, constants = gdb_types.structs(objfile, identity.byteorder), gdb_types.constants(objfile)
            return of_identity(structs, constants, identity, origin)
        if name not in extension().part(_Told):
            extension().part(_Told).add(name)
            gdb.write(f"beamgdb: the debug information of {name} is not used: {why}\n", gdb.STDERR)
    return None


def similar(identity: Identity, config: Callable[[], str | None]) -> Layout | None:
    """Where fields lie by the file or table that the user has set, None without one. Raises `ValueError` and
    `NoLayout`, with one line."""
    path, version = extension().parameters.layout_from, extension().parameters.layout_version
    if version is not None:
        return as_in(version, identity)
    if path is None:
        return None
    # Not before it is needed: what reads DWARF takes time to load.
    from jit.otp.layouts.similar import of_file

    return of_file(path, identity, _program_build_id(), config())


def has_few_processes(node: Node) -> bool:
    """Whether there are too few processes to tell, as where a node has just begun."""
    try:
        return sum(1 for _ in islice(node.processes, FEW)) < FEW
    except (Unreadable, Unavailable, KeyError):
        return True


def makes_sense(node: Node) -> bool:
    """Whether the processes may be as the table of the release says: not, if most of the first ones cannot. Somebody
    may have built that release from other sources."""
    try:
        first = list(islice(node.processes, FEW))
        return len(first) < FEW or sum(_is_sound(node, process) for process in first) > FEW // 2
    except (Unreadable, Unavailable, KeyError):
        return True


def _is_sound(node: Node, process: Process) -> bool:
    is_sound = process.has_sound_stack() or any(map(process.has, WITHOUT_STACK))
    return is_sound and node.processes.holds(process)


def contradiction(node: Node) -> str | None:
    """What of the processes cannot be as a layout says, None where nothing speaks against it."""
    count = 0
    try:
        for process in islice(node.processes, CHECKED):
            count += 1
            if not _is_sound(node, process):
                return f"process {count} at {process.address:#x} makes no sense by it"
    except (Unreadable, Unavailable, KeyError) as error:
        return f"the table of processes makes no sense by it: {error}"
    if count != min(node.processes.count(), CHECKED):
        return f"{node.processes.count()} processes are counted, but {count} found by it"
    return None


def disproof(layout: Layout, proved: Layout | None) -> str | None:
    """What of that which is proved on the VM is not as a layout says, None where all is."""
    if proved is None:
        return "nothing is proved on this target that could be compared with it, as before there are processes"
    for struct, one in proved.structs.items():
        for name, field in one.fields.items():
            if layout.has(struct, name) and layout.offset(struct, name) != field.offset:
                return f"{struct}.{name} is at {field.offset} here, and at {layout.offset(struct, name)} by it"
    return None


def offers(objfile: gdb.Objfile) -> bool:
    """Whether a file that GDB has just read has types of a VM. No library has, and to look takes time."""
    return ".so" not in gdb_text.file_name(objfile) and objfile in _having_types()


def _having_types() -> list[gdb.Objfile]:
    """The files with types of a VM."""
    found: list[gdb.Objfile] = []
    for domain in DOMAINS:
        try:
            with in_c():
                symbols = gdb.lookup_static_symbols(TYPE, domain)
        except gdb.error:
            continue
        for symbol in symbols:
            objfile = symbol.symtab.objfile if symbol.symtab is not None else None
            if objfile is not None and objfile not in found:
                found.append(objfile)
    return found


def _foreign(objfile: gdb.Objfile) -> str | None:
    """Why a file is not, or may not be, of the program; None if it is: the program's own, one that GDB has found for
    that and has compared, or of the same build."""
    path = program_file.name()
    if path in [gdb_text.file_name(one) for one in (objfile, objfile.owner) if one is not None]:
        return None
    theirs, ours = objfile.build_id, _program_build_id()
    advice = "for another build there is `set beam-layout-from`"
    if path is not None and not program_file.has_own_symbols(path):
        # `symbol-file` puts its symbols, too, in the place of the program's.
        advice += f", and `symbol-file {path}` for the program's own symbols again"
    if theirs is None or ours is None:
        return f"{'it' if theirs is None else 'the program'} has no build id, so it may be of another build; {advice}"
    return None if theirs == ours else f"it is of another build than the program; {advice}"


def _program_build_id() -> str | None:
    path = program_file.name()
    return core_program.build_id(path) if path is not None else None
