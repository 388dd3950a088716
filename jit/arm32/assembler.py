"""The assembler: all families of instructions over one buffer."""

from __future__ import annotations

from jit.arm32.bits import Bits
from jit.arm32.branches import Branches
from jit.arm32.constants import Constants
from jit.arm32.float_arithmetic import FloatArithmetic
from jit.arm32.load_store_multiple import LoadStoreMultiple
from jit.arm32.multiply import Multiply
from jit.arm32.synchronization import Synchronization
from jit.arm32.system import System


class Assembler(Constants, Multiply, Bits, LoadStoreMultiple, Branches, Synchronization, System, FloatArithmetic):
    """Each method appends the instruction of its name (``and_`` is and); ``finish`` gives the code.

    *features* are extensions that the processor is known to have: ``idiv``. A method raises OperandError, and appends
    nothing, when its instruction does not exist with these operands or is unpredictable. Literal pools are placed where
    the code jumps away, or are jumped over when it does not do so in time.
    """
