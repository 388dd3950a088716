"""A beam.smp that does not export its own symbols, only what NIFs and drivers call: recognised by its file.

Whether a program is a BEAM is asked at each stop of each program, so it is asked in this order: of programs that
export no function for NIFs nothing more is read.
"""

from __future__ import annotations

from collections.abc import Mapping

import gdb

from beamgdb.gdbext import c_expressions, program_file
from beamgdb.gdbext.extension import extension
from jit.image import constants
from jit.image.image import Image, Recovered

FIRST_CALLED = "enif_open_resource_type"
"""What every beam.smp exports, and one of its own modules calls when it is loaded, before any other can be: that of
prim_buffer, prim_socket or zlib, whose code is in every VM (erl_nif.c)."""

ANCHOR = "enif_make_atom"
"""What every beam.smp exports: NIFs need it."""


class Unnamed:
    """The program that was looked at last: of another one, or when it was moved, all is asked anew."""

    def __init__(self) -> None:
        self._asked: tuple[str | None, int, int] | None = None
        self.image: Image | None = None
        self.constants: Mapping[str, Recovered] = {}
        self.why = ""
        """Why it is not taken for a BEAM, although it exports the functions for NIFs."""

    def look(self) -> None:
        """Have the rest true of the selected inferior's program."""
        path, address = program_file.name(), anchor()
        asked = path, address or 0, gdb.selected_inferior().pid
        if self._asked == asked:
            return
        self.image, self.constants, self.why = None, {}, ""
        if path is None or address is None:
            self._asked = asked
            return
        if asked[2] and program_file.find(ANCHOR, address) is None:
            # The process is not of this file, or the program is still to be moved to where it belongs.
            return
        # Not before it is needed: it loads pyelftools.
        from jit.image.image_file import NoImage, open_image

        try:
            image = open_image(program_file.local(path), ANCHOR, address)
            found: Mapping[str, Recovered] | str = constants.find(image)
        except NoImage as error:
            found = str(error)
        if isinstance(found, str):
            self.why = found
        else:
            self.image, self.constants = image, found
        # Where Ctrl-C has ended it, it is asked again.
        self._asked = asked

    @property
    def is_interpreter(self) -> bool:
        """Whether it is a BEAM that interprets Erlang code."""
        found = self.constants.get("etp_beamasm")
        return self.image is not None and found is not None and self.image.read(found.address, 4) == bytes(4)


def program_image() -> Image | None:
    """The file of a BEAM that exports its symbols or not, None where it cannot be read."""
    if (found := program().image) is not None:
        return found
    from jit.image.image_file import NoImage, open_image

    path, address = program_file.name(), anchor()
    try:
        return open_image(program_file.local(path), ANCHOR, address) if path and address else None
    except NoImage:
        return None


def anchor() -> int | None:
    """The address of what every BEAM exports, None without it."""
    try:
        return int(c_expressions.evaluated(f"&'{ANCHOR}'")) & ~1
    except gdb.error:
        return None


def program() -> Unnamed:
    """The program of the selected inferior."""
    found = extension().part(Unnamed)
    found.look()
    return found


def beginning(function: str) -> str:
    """GDB's words for the first instruction of a function that is exported."""
    return f"*((char *) &{function})"


def location(address: int) -> str:
    """GDB's words for the instruction at an address of the program, wherever that is moved to."""
    base = anchor() or 0
    return f"*((char *) &'{ANCHOR}' + {address - base})"
