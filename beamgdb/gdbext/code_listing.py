"""What listings of code draw on in GDB."""

from __future__ import annotations

from functools import partial

from beamgdb.gdbext import beam_files, term_printing
from beamgdb.gdbext.c_names import c_name
from beamgdb.gdbext.session import Session
from beamgdb.gdbext.unwinder import unwinder_of
from beamgdb.views.disassembly.listing import ListingSources


def sources(current: Session) -> ListingSources:
    """Of the VM of a session."""
    node = current.node
    return ListingSources(term_printing.terms(node), c_name, unwinder_of(current), partial(beam_files.candidates, node))
