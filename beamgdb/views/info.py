"""Which VM this is, and what is known of it, as `beam-info` shows it and the line that greets it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from textwrap import wrap
from typing import TYPE_CHECKING

from beamgdb import __version__
from beamgdb.code.ranges import is_permanent
from beamgdb.code.registrations import FrameLayout
from beamgdb.interpreter.operations import Unsupported
from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.terms.quoting import bare
from beamgdb.views.errors import one_line
from beamgdb.vm.model import Unavailable
from beamgdb.vm.nodes import this_node
from beamgdb.vm.schedulers import KINDS
from jit.otp.layouts.identity import CONFIG_LIMIT, FLAGS_LIMIT
from jit.otp.layouts.layout import AS_YOU_SAY

if TYPE_CHECKING:
    from beamgdb.roots.finder import Roots

MAX_NAMES = 12
"""Modules with native code that are named."""

MAX_ALIKE = 3
"""Variables found in the same way that are named."""

FLAVOURS = {"jit": "JIT", "emu": "interpreter"}


BUILT_WITH = (("erts_build_flags_CFLAGS", FLAGS_LIMIT), ("erts_build_flags_CONFIG_H", CONFIG_LIMIT))
"""Pointers to texts that a VM has of how it was built (erl_compile_flags.h), and what such a text has at most."""


@dataclass(frozen=True)
class Fact:
    """Something that is known of a VM, or why it is not."""

    name: str
    text: str


@dataclass(frozen=True)
class SymbolsMade:
    """What a debugger was given: how many symbol files, and how long it took to read and to make what is in them."""

    files: int
    read_seconds: float
    made_seconds: float


def greeting(node: Node) -> str:
    """One line on a VM that was found."""
    identity = node.identity
    flavour = FLAVOURS.get(identity.flavour or "", "unknown flavour")
    try_this = "try `beam-bt all`" if node.has_layout else "see `beam-info`"
    release = f"Erlang/OTP {identity.otp_release}, erts {identity.erts_version}"
    return f"beamgdb {__version__}: {release}, {flavour}; {try_this}, `help beam`"


PROVED_AS = re.compile(r"fields of (?P<version>(?P<release>\d+)\.\S+), proved ")
"""What a layout is called of which all that is proved is as in a built-in table."""


def layout_given(node: Node) -> str:
    """What to tell of where fields lie, nothing where that is as it always is."""
    origin = node.layout.origin
    usual = ("built-in table", "debug information of the program")
    if origin.startswith(usual) and AS_YOU_SAY not in origin:
        return ""
    like = PROVED_AS.match(origin)
    # Much of a VM is shown by fields that nothing proves.
    is_near = like is not None and like["release"] == str(node.identity.erts_version).partition(".")[0]
    rest = f"; `set beam-layout-from {like['version']}` takes all others from its table" if like and is_near else ""
    return f"layouts: {origin}{rest}"


def without_layout(node: Node) -> str:
    """Why the structures of a VM are not known, and what can be done with it all the same."""
    return (
        f"{node.no_layout}; names, lines and code work, frames as far as the stack shows them; processes and atoms do "
        f"not; other terms are shown as in {node.terms_of}, which is not proved here"
    )


def facts(node: Node, symbols: SymbolsMade) -> Iterator[Fact]:
    """All that is known. What is not is said, with the reason."""
    for part in (_identity(node), _model(node), _found(node), _symbols(node, symbols)):
        yield from (Fact(name, text) for name, text in part)


def lines(facts: Iterable[Fact], most: int | None = None) -> Iterator[str]:
    """Their text, one a line, or if that has more than `most` characters as many lines as it takes."""
    found = list(facts)
    width = max(len(one.name) for one in found) + 1
    for one in found:
        line = f"{one.name + ':':<{width}} {one.text}"
        indent = " " * (width + 1)
        yield from [line] if most is None else wrap(line, max(most, 2 * width), subsequent_indent=indent)


def _identity(node: Node) -> Iterator[tuple[str, str]]:
    identity = node.identity
    flavours = FLAVOURS | {"jit": "JIT (BeamAsm)"}

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
            return f"unknown ({error})" if node.has_layout else "unknown (see layouts)"

    def schedulers() -> str:
        counts = ((kind, node.schedulers.count(kind)) for kind, _, _ in KINDS)
        return ", ".join(f"{'unknown' if count is None else count} {kind}" for kind, count in counts)

    def others() -> str:
        counts = [(kind, count) for kind, count in node.schedulers.others() if count is not None]
        return ", ".join(f"{count} {kind}" for kind, count in counts) or "unknown (this beam.smp exports no numbers)"

    yield "node", asked(lambda: node.term(this_node(node)))
    yield "schedulers", asked(schedulers)
    yield "other threads", asked(others)
    yield "processes", asked(lambda: node.processes.count())
    yield "atoms", asked(lambda: node.atoms.count())
    yield "layouts", node.layout.origin if node.has_layout else f"none: {node.no_layout}"
    if not node.has_layout or not node.term_tags.is_whole:
        yield "terms", f"as in {node.terms_of}, which is not proved here; atoms and processes are not known"
    elif node.term_tags.is_proved:
        yield "terms", f"as in {node.terms_of}, proved on this target by {node.layout.tags_proof}"


def _found(node: Node) -> Iterator[tuple[str, str]]:
    """What no symbol tells, and how it was found."""
    for variable in node.recovered():
        yield f"static {variable.name}", f"{variable.address:#x}, {variable.how}"
    if node.roots is not None:
        yield from _roots(node.roots)
    if node.is_interpreter and node.has_layout:
        yield "interpreter", _interpreter(node)


def _roots(roots: Roots) -> Iterator[tuple[str, str]]:
    """Those that other VMs export: by how they were found, and what was not."""
    ways: dict[str, list[str]] = {}
    for root in roots.recovered():
        ways.setdefault(root.how, []).append(f"{root.name} {root.address:#x}")
    yield from (("found", f"{_some(found)}: {how}") for how, found in ways.items())
    reasons: dict[str, list[str]] = {}
    for name, why in roots.not_found().items():
        reasons.setdefault(why, []).append(name)
    yield from (("not found", f"{_some(names)}: {why}") for why, names in reasons.items())


def _some(names: list[str]) -> str:
    return ", ".join(names[:MAX_ALIKE]) + (f" and {len(names) - MAX_ALIKE} more" if len(names) > MAX_ALIKE else "")


def _interpreter(node: Node) -> str:
    try:
        roles = node.process_main.roles
    except (Unreadable, Unsupported, KeyError) as error:
        return one_line(error)
    places = (
        ("I", roles.instruction),
        ("E", roles.stack),
        ("HTOP", roles.heap_top),
        ("FCALLS", roles.reductions),
        ("x registers", roles.x_registers),
        ("c_p", roles.process),
    )
    return f"{', '.join(f'{name} in {place}' for name, place in places)}; {node.process_main.origin}"


def _symbols(node: Node, made: SymbolsMade) -> Iterator[tuple[str, str]]:
    modules = [module for module in node.code if not is_permanent(module)]
    functions = sum(1 for module in modules for code in module.ranges if code.arity is not None)
    if not len(node.code):
        yield "code", "not found" if node.is_interpreter else "none registered with GDB's JIT interface"
        return
    source = "the VM's tables of code" if node.is_interpreter else "BeamAsm's registrations"
    yield "code", f"{len(modules)} modules, {functions} functions"
    if len(node.native):
        yield "native code", _native(node)
    yield "frames", "frame pointers" if node.frame_layout is FrameLayout.FRAME_POINTER else "return addresses only"
    times = f"read in {made.read_seconds:.2f} s, made in {made.made_seconds:.2f} s"
    yield "symbols", f"from {source}, {made.files} symbol file(s): {times}"


def _native(node: Node) -> str:
    """Which modules have native code, of those that the interpreter runs."""
    names = node.native.names()
    listed = ", ".join(names[:MAX_NAMES]) + (", ..." if len(names) > MAX_NAMES else "")
    functions = sum(1 for module in node.native for code in module.ranges if code.arity is not None)
    return f"{len(names)} module{'s' if len(names) > 1 else ''}, {functions} functions: {listed}"


def built_with(node: Node) -> Iterator[str]:
    """The flags of the C compiler that made the VM, then the config.h that it was made with, in lines. Raises
    `Unavailable` where they are not found, `Unreadable` where they cannot be read."""
    for name, limit in BUILT_WITH:
        pointer = node.symbol(name)
        if pointer is None:
            raise Unavailable(f"what the VM was built with is not found: it has no {name}")
        text = node.memory.cstring(node.memory.word(pointer), limit)
        yield from map(bare, text.decode(errors="replace").splitlines())
