"""Pids of this node as text, of very many processes."""

from __future__ import annotations

from beamgdb.records import arrays
from beamgdb.records.arrays import Column
from beamgdb.vm.model import Vm
from jit.otp.tags import IMMED1_BITS


class Pids:
    """Those of one VM; raises `Unavailable` where processes are not known."""

    def __init__(self, vm: Vm) -> None:
        self._vm = vm
        self._order = vm.processes.slot_order()
        self._mask, self._low = (1 << vm.tags.id_bits) - 1, (1 << vm.tags.pid_number_bits) - 1

    def texts(self, words: Column) -> list[str]:
        """Of these pids, as terms are written."""
        together, mask, low, bits = arrays.is_array(words), self._mask, self._low, self._vm.tags.pid_number_bits
        data: Column = words >> IMMED1_BITS & mask if together else [word >> IMMED1_BITS & mask for word in words]
        if self._vm.tags.ids_by_slot:
            if self._order is None:
                return list(map(self._vm.term, arrays.numbers(words)))
            data = self._order.number_of(data) if together else list(map(self._order.number_of, data))
        return [f"<0.{one & low}.{one >> bits}>" for one in arrays.numbers(data)]
