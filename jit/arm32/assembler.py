"""The assembler: all families of instructions over one buffer."""

from __future__ import annotations

from jit.arm32.branches import Branches
from jit.arm32.constants import Constants
from jit.arm32.float_arithmetic import FloatArithmetic
from jit.arm32.load_store_multiple import LoadStoreMultiple
from jit.arm32.substitutes import Substitutes
from jit.arm32.system import System


class Assembler(Constants, Substitutes, LoadStoreMultiple, Branches, System, FloatArithmetic):
    """Each method appends the instruction of its name (``and_`` is and); ``finish`` gives the code.

    A method raises OperandError, and appends nothing, when *cpu* has no such instruction, or none with these operands,
    or when it is unpredictable. Literal pools are placed where the code jumps away, or are jumped over when it does not
    do so in time.
    """
