"""``compile``: .beam files that carry native code."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jit.beam.chunks import LARGEST
from jit.beam.module import decode_module
from jit.codegen.compile import compile_module
from jit.commands import arguments, targets
from jit.commands.beam_files import find, plain, refuse_to_overwrite, write_whole
from jit.commands.errors import CommandError
from jit.commands.side_by_side import Failure, over_files
from jit.system import whole_files
from jit.system.command_line import one_line, say

_DESCRIPTION = """\
Write .beam files that carry native code, under the names of those that are read.

For Erlang/OTP they have it beside their bytecode. A node that has loaded the glue (see `{program} glue --help`) runs
the native code, if it is of the release and build that it was compiled for. Everywhere else, and with other releases,
the files load and run as bytecode, as before.
Functions that have no native code stay bytecode; a file without any native function is copied as it is.

For AtomVM the native code takes the place of the bytecode, in a chunk avmN of format 1, for one or several processors.
A file that cannot be native as a whole is copied as it is, and told of; AtomVM cannot call such a module from native
code.

  {program} glue -o native
  {program} compile -o native ebin
  {program} compile --otp 25 -o native my_module.beam
  {program} compile --runtime atomvm --dwarf -o native my_module.beam
  {program} compile --runtime atomvm --target arm32,x86_64 -o native ebin"""


@dataclass(frozen=True)
class Compiled:
    """A file to be written. Of its ``functions`` so many are ``native``.

    ``interpreted`` has a line on each function that cannot be so; ``broken`` are those of these lines that tell of a
    mistake of the compiler, or of operands that no compiler makes; ``left`` those by which the whole file is bytecode.
    """

    name: str
    data: bytes
    functions: int
    native: int
    interpreted: list[str]
    broken: list[str]
    left: list[str]


def add_to(commands: arguments.Commands) -> None:
    """Declare the command."""
    parser = arguments.add(commands, "compile", "write .beam files that carry native code", _DESCRIPTION)
    arguments.add_target(parser, several=True)
    arguments.add_files(parser)
    text = "where to write them; made if it is not there (default: the current folder)"
    parser.add_argument("-o", dest="out", metavar="DIR", type=Path, default=Path(), help=text)
    text = "say of each file how many functions are native, and of each other function why not"
    parser.add_argument("-v", "--verbose", action="store_true", help=text)
    text = "AtomVM only: with debugging information, of which AtomVM tells a debugger"
    parser.add_argument("--dwarf", action="store_true", help=text)
    text = "for tests: native code that collects garbage and yields wherever that can happen"
    parser.add_argument("--stress", action="store_true", help=text)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compile all files. Those that cannot be compiled are told of, and the others compiled all the same."""
    paths = find(options.files)
    wanted = arguments.each_wanted(options)
    targets.check_several(wanted)
    _check_names(paths, options.out)
    options.out.mkdir(parents=True, exist_ok=True)
    written: list[Compiled] = []
    work = partial(compile_file, wanted=wanted, stress=options.stress)
    for result in over_files(work, paths, options.jobs):
        if isinstance(result, Failure):
            say(f"jit: {result.message}\n")
            continue
        write_whole(options.out / result.name, result.data)
        for line in result.broken:
            say(f"jit: {one_line(result.name)}: {line}: the compiler or this file is wrong: stays interpreted\n")
        for line in result.left[:1]:
            more = f" (and {len(result.left) - 1} more functions)" if len(result.left) > 1 else ""
            say(f"jit: {one_line(result.name)}: {line}{more}: the file stays bytecode\n")
        written.append(result)
        if options.verbose:
            print(f"{one_line(result.name)}: {result.native} of {result.functions} functions native")
            print("".join(f"    {line}\n" for line in result.interpreted), end="")
    _sum_up(written, options.out)
    return int(len(written) < len(paths))


def compile_file(path: Path, *, wanted: Sequence[targets.Wanted], stress: bool = False) -> Compiled:
    """A file with native code for one or several targets, or the same as it was where that is not possible.

    Raises CommandError, BeamError and OSError.
    """
    read = whole_files.read(path, LARGEST)
    files: list[bytes] = []
    interpreted: dict[tuple[str, int], str] = {}
    broken: set[tuple[str, int]] = set()
    for runtime in map(targets.runtime, wanted):
        module = plain(decode_module(read, str(path)))
        native = compile_module(module, runtime, stress=stress)
        interpreted |= {at: one_line(f"{at[0]}/{at[1]}: {why}") for at, why in native.interpreted.items()}
        broken |= native.broken
        files.append(runtime.beam_file(native) if native.functions else read)
    lines, count = list(interpreted.values()), len(native.functions) + len(native.interpreted)
    mistakes = [line for at, line in interpreted.items() if at in broken]
    the = wanted[0].targets
    if the.whole and interpreted:
        return Compiled(path.name, read, count, 0, lines, mistakes, lines)
    data = the.joined(files) if the.joined and len(files) > 1 else files[0]
    return Compiled(path.name, data, count, count - len(interpreted), lines, mistakes, [])


def _check_names(paths: Sequence[Path], out: Path) -> None:
    """Raise CommandError where a file would be lost."""
    names: dict[str, Path] = {}
    for path in paths:
        other = names.setdefault(path.name, path)
        if other is not path:
            raise CommandError(f"{path} and {other} have the same name: compile them into different folders")
        refuse_to_overwrite(path, out / path.name, "folder")


def _sum_up(written: Sequence[Compiled], out: Path) -> None:
    if not written:
        return
    native, functions = sum(file.native for file in written), sum(file.functions for file in written)
    what = one_line(written[0].name) if len(written) == 1 else f"{len(written)} files"
    share = f" ({native / functions:.0%})" if functions else ""
    print(f"{what}: {native} of {functions} functions native{share}, written to {one_line(str(out))}")
