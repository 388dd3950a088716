"""Boot scripts with which a node runs kernel and stdlib natively: its first modules are loaded after the glue.

A boot script is a term in the external format: ``{script, {Name, Version}, Instructions}`` (OTP, systools, script(4)).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jit.beam.chunks import LARGEST, Chunk
from jit.beam.external import decode_term, encode_term
from jit.beam.terms import NIL, Atom, List, Term, Tuple
from jit.system import whole_files

#: The name of the boot script, without ``.boot``, and of the glue's module.
NAME: Final = "native"

_GLUE: Final = (
    Tuple((Atom("primLoad"), List((Atom(NAME),)))),
    Tuple((Atom("apply"), Tuple((Atom(NAME), Atom("start"), NIL)))),
)


class BootError(Exception):
    """A boot script is none. The message is one line."""


def write_boot(original: Path, folder: Path) -> Path:
    """Write the boot script *original* into *folder*, so that it loads the glue first; the path of the new one.

    *original* is of the release that is to run it, such as ``bin/start.boot`` of its root. Raises BootError, BeamError
    and OSError.
    """
    term = decode_term(Chunk(str(original), "boot script", whole_files.read(original, LARGEST)))
    path = folder / f"{NAME}.boot"
    whole_files.write(path, encode_term(_with_glue(term, original)))
    return path


def arguments(folder: Path) -> list[str]:
    """Arguments of ``erl`` for a node that runs what is compiled in *folder* natively, from its boot on.

    In the folder are the glue (``glue.build``), the boot script (``write_boot``), and .beam files that carry native
    code: those of kernel and stdlib are found there too, as the folder is the first in the path.
    """
    folder = folder.absolute()
    return ["-boot", str(folder / NAME), "-pa", str(folder)]


def _with_glue(script: Term, original: Path) -> Term:
    if not isinstance(script, Tuple) or len(script.elements) != 3 or script.elements[0] != Atom("script"):
        raise BootError(f"{original}: not a boot script")
    kind, name, instructions = script.elements
    if not isinstance(instructions, List):
        raise BootError(f"{original}: not a boot script")
    rows = instructions.elements
    for index, row in enumerate(rows, 1):
        if isinstance(row, Tuple) and row.elements[0] == Atom("path"):
            return Tuple((kind, name, List((*rows[:index], *_GLUE, *rows[index:]))))
    raise BootError(f"{original}: the boot script sets no path")
