"""Names of what native code refers to and only the glue knows: undefined symbols of the ELF file.

The glue (jit/erts/glue/native.c, ``resolve``) takes them apart. Any other name is an exported function of beam.smp.
"""

from __future__ import annotations

from typing import Final

from jit.arm32.relocations import External

#: The handler of the interpreter's instruction call_nif.
CALL_NIF: Final = External("call_nif")
#: The erl_module_nif of the glue: what the third word of a function with native code holds.
LIBRARY: Final = External("library")


def atom(index: int) -> External:
    """The term of an atom, by its index in the AtU8 chunk, from 1 on."""
    return External(f"atom:{index}")


def literal(index: int) -> External:
    """The term of a literal, by its index in the LitT chunk."""
    return External(f"literal:{index}")


def import_(index: int) -> External:
    """The export entry of an imported function, by its index in the ImpT chunk."""
    return External(f"import:{index}")


def bif(index: int) -> External:
    """The C function of an imported BIF, by its index in the ImpT chunk."""
    return External(f"bif:{index}")


def label(number: int) -> External:
    """Where a label of the bytecode has been loaded."""
    return External(f"label:{number}")
