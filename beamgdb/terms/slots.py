"""How the numbers of local pids and ports are hidden in their words (erl_ptab.h, OTP 25 and 27).

The process table spreads consecutive numbers over cache lines. 64-bit OTP 25 keeps the plain number in a pid's word;
32-bit OTP 25 and all of OTP 27 keep the number of the table slot in its lowest bits, so that the pid's number cannot
be told without knowing how the table spreads them. The port table does the same.
"""

from __future__ import annotations

from collections.abc import Callable

from beamgdb.late import dataclass

#: Tables have at most 2^27 slots (ERTS_PTAB_MAX_SIZE).
MAX_TABLE_BITS = 27


@dataclass(frozen=True)
class SlotOrder:
    """How one table spreads ids over its slots: the fields `pix_*` of `ErtsPTabReadOnlyData`."""

    mask: int
    cl_mask: int
    cl_shift: int
    cli_mask: int
    cli_shift: int

    @classmethod
    def of(cls, field: Callable[[str], int]) -> SlotOrder | None:
        """From an `ErtsPTab`, the value of whose field (such as "r.o.pix_mask") `field` gives; None if corrupt."""
        names = ("pix_mask", "pix_cl_mask", "pix_cl_shift", "pix_cli_mask", "pix_cli_shift")
        order = cls(*[field("r.o." + name) for name in names])
        return order if order.cl_shift + order.cli_shift <= MAX_TABLE_BITS else None

    def number_of(self, slotted: int) -> int:
        """The data of an id (number and serial) from the form with the slot in its lowest bits."""
        line, place = slotted >> self.cl_shift & self.cl_mask, slotted & self.cli_mask
        # (Also of arrays, whose words have no sign.)
        return slotted - (slotted & self.mask) | line | place << self.cli_shift

    def slot_of(self, data: int) -> int:
        """The table slot of an id's data."""
        return ((data & self.cl_mask) << self.cl_shift) + (data >> self.cli_shift & self.cli_mask)

    def slotted(self, data: int) -> int:
        """The reverse of `number_of`."""
        return data & ~self.mask | self.slot_of(data)
