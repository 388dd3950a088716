"""The command `beam-info`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import gdb

from beamgdb.beamasm.registrations import FrameLayout
from beamgdb.gdbext import errors, session, symbols
from beamgdb.gdbext.commands.command import Command
from beamgdb.interpreter.operations import Unsupported
from beamgdb.interpreter.special_code import INTERPRETER
from beamgdb.memory import Unreadable
from beamgdb.vm.node import Node, Unavailable
from beamgdb.vm.ranges import is_permanent
from beamgdb.vm.schedulers import KINDS

MAX_NAMES = 12
"""Modules with native code that are named."""


class BeamInfo(Command):
    """Show which Erlang VM this is, and what beamgdb knows of it.

    Release, flavour and architecture, schedulers, counts of processes, atoms and loaded code; where field offsets,
    variables without a symbol, the state of the interpreter and symbols came from, and how long that took. What is not
    known is said, with the reason."""

    name = "beam-info"
    category = gdb.COMMAND_STATUS

    def run(self, arguments: argparse.Namespace) -> None:
        current = session.require()
        rows = [*_identity(current.node), *_model(current.node), *_found(current.node), *_symbols(current)]
        width = max(len(name) for name, _ in rows) + 1
        for name, text in rows:
            gdb.write(f"{name + ':':<{width}} {text}\n")


def _identity(node: Node) -> Iterator[tuple[str, str]]:
    identity = node.identity
    flavours = {"jit": "JIT (BeamAsm)", "emu": "interpreter"}

    def known(name: str) -> str:
        value = getattr(identity, name)
        return str(value) if value is not None else f"unknown ({identity.unknown.get(name, 'no reason known')})"

    yield "Erlang/OTP", f"{known('otp_release')}, erts {known('erts_version')}"
    yield "flavour", flavours.get(identity.flavour or "", known("flavour")) + _build(identity.build)
    yield "architecture", f"{known('arch')}, {8 * (identity.word_size or node.memory.word_size)} bits"


def _build(build: str | None) -> str:
    return "" if build in (None, "opt") else f", {build} build"


def _model(node: Node) -> Iterator[tuple[str, str]]:
    def asked(question: Callable[[], object]) -> str:
        try:
            return str(question())
        except (Unreadable, Unavailable, KeyError) as error:
            return f"unknown ({error})"

    def schedulers() -> str:
        counts = ((kind, node.schedulers.count(kind)) for kind, _, _ in KINDS)
        return ", ".join(f"{'unknown' if count is None else count} {kind}" for kind, count in counts)

    yield "schedulers", asked(schedulers)
    yield "processes", asked(lambda: node.processes.count())
    yield "atoms", asked(lambda: node.atoms.count())
    yield "layouts", node.layout.origin if node.has_layout else f"none: {node.no_layout}"


def _found(node: Node) -> Iterator[tuple[str, str]]:
    """What no symbol tells, and how it was found."""
    for variable in node.recovered():
        yield f"static {variable.name}", f"{variable.address:#x}, {variable.how}"
    if node.is_interpreter and node.has_layout:
        yield "interpreter", _interpreter(node)


def _interpreter(node: Node) -> str:
    try:
        roles = node.process_main.roles
    except (Unreadable, Unsupported, KeyError) as error:
        return errors.one_line(error)
    places = (
        ("I", roles.instruction),
        ("E", roles.stack),
        ("HTOP", roles.heap_top),
        ("FCALLS", roles.reductions),
        ("x registers", roles.x_registers),
        ("c_p", roles.process),
    )
    return f"{', '.join(f'{name} in {place}' for name, place in places)}; {node.process_main.origin}"


def _symbols(current: session.Session) -> Iterator[tuple[str, str]]:
    node = current.node
    modules = [module for module in node.code if not is_permanent(module) and module.name != INTERPRETER]
    functions = sum(1 for module in modules for code in module.ranges if code.arity is not None)
    if not len(node.code):
        yield "code", "not found" if node.is_interpreter else "none registered with GDB's JIT interface"
        return
    frames = "frame pointers" if node.frame_layout is FrameLayout.FRAME_POINTER else "return addresses only"
    mine = symbols.state()
    source = "the VM's tables of code" if node.is_interpreter else "BeamAsm's registrations"
    yield "code", f"{len(modules)} modules, {functions} functions"
    if len(node.native):
        yield "native code", _native(node)
    yield "frames", frames
    yield (
        "symbols",
        f"from {source}, {len(mine.files)} symbol file(s): "
        f"read in {current.code_seconds:.2f} s, made in {mine.seconds:.2f} s",
    )


def _native(node: Node) -> str:
    """Which modules have native code, of those that the interpreter runs."""
    names = node.native.names()
    listed = ", ".join(names[:MAX_NAMES]) + (", ..." if len(names) > MAX_NAMES else "")
    functions = sum(1 for module in node.native for code in module.ranges if code.arity is not None)
    return f"{len(names)} module{'s' if len(names) > 1 else ''}, {functions} functions: {listed}"


def install() -> None:
    """Define the command."""
    BeamInfo()
