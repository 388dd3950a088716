"""``dump``: the annotated listing of a module's native code."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from jit.atomvm import chunk as atomvm
from jit.beam.chunks import Chunk
from jit.beam.module import Module
from jit.beam.operations import Function
from jit.beam.text import atom_text
from jit.codegen.compile import compile_module
from jit.commands import arguments, targets
from jit.commands.beam_files import has_native_code, native_chunk, read_any
from jit.commands.carried import list_carried
from jit.commands.errors import CommandError
from jit.commands.listing import Listing

_DESCRIPTION = """\
List native code, as the VM's +JDdump does for BeamAsm: each operation of the bytecode, the source line where it
changes, and the machine code that was made of it. What constants and operands stand for is told behind them: 687 = 42.

Of a file that carries native code for AtomVM, whoever has compiled it, that code is listed, by functions and labels.

  {program} dump my_module.beam
  {program} dump my_module.beam my_module:start/2
  {program} dump my_module.beam start"""

_FUNCTION = "only this function: M:F/A, or F/A, or F, which is of any arity"


def add_to(commands: arguments.Commands) -> None:
    """Declare the command."""
    parser = arguments.add(commands, "dump", "list bytecode and native code side by side", _DESCRIPTION)
    arguments.add_target(parser)
    parser.add_argument("file", metavar="FILE", type=Path, help="a .beam file")
    parser.add_argument("function", metavar="M:F/A", nargs="?", help=_FUNCTION)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the listing."""
    runtime = targets.runtime(arguments.wanted(options))
    module, chunks = read_any(options.file)
    if module is None:
        for line in _carried(options.file, chunks, options.function):
            print(line)
        return 0
    wanted = wanted_functions(module, options.function) if options.function else None
    native = compile_module(module, runtime)
    listing = Listing(native, runtime.disassemble(native))
    lines = listing.all() if wanted is None else (line for one in wanted for line in listing.function(one))
    for line in lines:
        print(line)
    return 0


def _carried(path: Path, chunks: Sequence[Chunk], function: str | None) -> Iterator[str]:
    """The listing of native code in a file. Raises CommandError for that which is made beside bytecode."""
    chunk = native_chunk(chunks)
    assert chunk is not None
    if chunk.name != atomvm.CHUNK:
        raise has_native_code(str(path))
    return list_carried(str(path), chunk, chunks, function)


_NAME = re.compile(r"(?:(?P<module>'(?:[^'\\]|\\.)*'|[^':]+):)?(?P<name>'(?:[^'\\]|\\.)*'|.+?)(?:/(?P<arity>\d+))?")


def wanted_functions(module: Module, text: str) -> list[Function]:
    """The functions that ``M:F/A``, ``F/A`` or ``F`` names, with quotes or without. Raises CommandError for none."""
    found = _NAME.fullmatch(text)
    if not found:
        raise CommandError(f"{text} does not name a function: give M:F/A, F/A or F")
    if found["module"] is not None and not _names(found["module"], module.name):
        raise CommandError(f"{module.file} holds {atom_text(module.name)}, not {found['module']}")
    functions = [
        function
        for function in module.functions
        if _names(found["name"], function.name) and found["arity"] in (None, str(function.arity))
    ]
    if not functions:
        raise CommandError(f"{module.file}: there is no function {text}{_similar(module, found['name'])}")
    return functions


def _names(text: str, atom: str) -> bool:
    return text in (atom, atom_text(atom), f"'{atom}'")


def _similar(module: Module, name: str) -> str:
    """Functions of the same name and another arity."""
    arities = [f"{atom_text(one.name)}/{one.arity}" for one in module.functions if _names(name, one.name)]
    return f"; there is {', '.join(arities)}" if arities else ""
