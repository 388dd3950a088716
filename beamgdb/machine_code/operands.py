"""Disassemblers that take operands apart, by architecture as `Identity.arch` names it.

That is slow: for what is shown, stepped over, or followed once for a build. What follows whole functions on the way
reads capstone's text instead (`arm32`, `beamasm/x86_64.py`, `beamasm/aarch64_instructions.py`), each distinct one once.
"""

from __future__ import annotations

from functools import cache

import capstone

_MODES = {
    "arm32": (capstone.CS_ARCH_ARM, capstone.CS_MODE_ARM),
    "aarch64": (capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN),
    "x86_64": (capstone.CS_ARCH_X86, capstone.CS_MODE_64),
}


@cache
def disassembler(arch: str, *, with_data: bool = False) -> capstone.Cs:
    """The disassembler. `with_data`: what is no instruction comes as data, with the id 0.

    Raises KeyError for an architecture without one.
    """
    found = capstone.Cs(*_MODES[arch])
    found.detail = True
    found.skipdata = with_data
    return found
