"""A VM of which a scheduler runs processes."""

from __future__ import annotations

from beamgdb.vm.processes import Process
from jit.otp.tags import IMMED1_BITS, PID
from tests.vm.test_node import Vm

HEADER = 112
"""Bytes of a module's `BeamCodeHeader`, for one function."""


class RunningVm(Vm):
    """`x_array` is the address of x0 in memory, of the process that was made last."""

    def __init__(self) -> None:
        super().__init__()
        self.image.symbols["erts_proc"] = self.image.struct("ErtsPTab", {}).address
        self.x_array = 0

    def process(self, *stack: int) -> Process:
        """A process with this stack, run by a scheduler."""
        words = self.image.words(*stack)
        registers = self.image.struct("ErtsSchedulerRegisters", {})
        scheduler = self.image.struct("ErtsSchedulerData", {"registers": registers.address})
        fields = {
            "common.id": 5 << IMMED1_BITS | PID, "heap": words, "stop": words, "hend": words + 8 * len(stack),
            "scheduler_data": scheduler.address,
        }  # fmt: skip
        process = self.node.processes.at(self.image.struct("Process", fields).address)
        self.x_array = registers.field_address("x_reg_array.d")
        self.node.memory.forget()
        return process
