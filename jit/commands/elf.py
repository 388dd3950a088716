"""``elf``: the native code of a module as a file for the tools of C."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from jit.atomvm import chunk as atomvm
from jit.beam.chunks import Chunk
from jit.codegen.compile import compile_module
from jit.codegen.runtime import Runtime
from jit.commands import arguments, targets
from jit.commands.beam_files import native_chunk, read_any, refuse_to_overwrite, write_whole
from jit.commands.errors import CommandError

_DESCRIPTION = """\
Write the native code of a .beam file as a relocatable ELF file, with symbols and DWARF. Of a file that `compile` has
made it is the very code that it carries, whatever --otp says; so it is of a file for AtomVM that carries debugging
information, also from AtomVM's own compiler.

  {program} elf my_module.beam -o my_module.elf
  arm-linux-gnueabihf-objdump -dr my_module.elf
  gdb-multiarch -batch -ex "info functions" my_module.elf"""


def add_to(commands: arguments.Commands) -> None:
    """Declare the command."""
    parser = arguments.add(commands, "elf", "write the native code of a .beam file as ELF", _DESCRIPTION)
    arguments.add_target(parser)
    parser.add_argument("file", metavar="FILE", type=Path, help="a .beam file")
    parser.add_argument("-o", dest="out", metavar="OUT", type=Path, required=True, help="the file to write")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write it."""
    refuse_to_overwrite(options.file, options.out, "file")
    write_whole(options.out, native_elf(options.file, targets.runtime(arguments.wanted(options))))
    return 0


def native_elf(path: Path, runtime: Runtime[Any, Any]) -> bytes:
    """The ELF file. Raises CommandError where there is nothing native, BeamError and OSError."""
    module, chunks = read_any(path)
    if module is None:
        return _carried(path, native_chunk(chunks))
    native = compile_module(module, runtime)
    if not native.functions:
        raise CommandError(f"{path}: none of its functions can be compiled: `coverage` tells why")
    return runtime.elf_file(native)


def _carried(path: Path, chunk: Chunk | None) -> bytes:
    """The ELF file in a chunk; that for AtomVM has one only if it has been asked for, whoever has made it."""
    assert chunk is not None
    if chunk.name != atomvm.CHUNK:
        return chunk.data
    found = atomvm.decode_native(chunk).elf
    if found is None:
        raise CommandError(f"{path}: has native code without an ELF file: compile it with --dwarf")
    return found
