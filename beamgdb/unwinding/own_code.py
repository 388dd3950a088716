"""What the VM's own code runs for: BIFs and NIFs have no frame of their own on the Erlang stack."""

from __future__ import annotations

from beamgdb.vm import trace_frames
from beamgdb.vm.calls import Named, mfa, spawned_as, trace_note
from beamgdb.vm.frame import ErlangFrame
from beamgdb.vm.model import Vm
from jit.otp.code import MAX_ARG

NOTED_IN_PROCESS = frozenset(
    f"global::{name}"
    for name in ("call_nif_shared", "call_nif_early", "call_bif_shared", "dispatch_nif", "dispatch_bif")
)
"""Shared fragments that put the function into `Process.current` before they call it (instr_bif.cpp)."""

CALL_NIF = frozenset(("global::call_nif_shared", "global::dispatch_nif"))
"""Those that give a NIF its arguments where x registers are in memory."""

LIGHT_BIF = "global::call_light_bif_shared"
"""The shared fragment for BIFs that keeps the BIF's export entry in a scratch word of the scheduler's registers."""

EXPORT_SCRATCH = 1
"""That word's index in `TMP_MEM` (instr_bif.cpp, `export_mem`)."""


def _tells_export(node: Vm) -> bool:
    """Whether it is known where the export entry is noted, and what it has in it."""
    names = ("ErtsSchedulerRegisters", "aux_regs.d.TMP_MEM"), ("Export", "info.mfa.arity")
    return all(node.layout.has(struct, name) for struct, name in names)


def nif_arguments(node: Vm, frame: ErlangFrame, innermost: bool) -> tuple[int, ...] | None:
    """The arguments of the NIF that a frame of the VM's own code has called, None where it has called none. May raise
    `Unreadable`."""
    if innermost or frame.process is None or frame.x_registers is None or frame.place.code.name not in CALL_NIF:
        return None
    call = frame.process.current_call()
    return node.memory.words(frame.x_registers, call[2]) if call is not None and call[2] <= MAX_ARG else None


def note(node: Vm, frame: ErlangFrame, named: Named = str, *, registered_as: Named = str) -> str | None:
    """What a frame of the VM's own code is for, None where there is nothing to say. `named` and `registered_as` tell
    how functions and registered names are written. May raise `Unreadable`."""
    name, process = frame.place.code.name, frame.process
    if process is None:
        return None
    kind = trace_frames.kind(frame.place)
    if kind is not None:
        return trace_note(node, kind, (node.memory.word(frame.top),), named)
    if frame.place.is_internal:
        return spawned_as(node, process, named, registered_as=registered_as)
    if name in NOTED_IN_PROCESS:
        call = process.current_call()
        return named(mfa(node, *call)) if call else None
    if name == LIGHT_BIF and frame.x_registers is not None and _tells_export(node):
        registers = frame.x_registers - node.layout.offset("ErtsSchedulerRegisters", "x_reg_array.d")
        scratch = registers + node.layout.offset("ErtsSchedulerRegisters", "aux_regs.d.TMP_MEM")
        export = node.record("Export", node.memory.word(scratch + EXPORT_SCRATCH * node.memory.word_size))
        module, function, arity = (export[f"info.mfa.{part}"] for part in ("module", "function", "arity"))
        return named(mfa(node, module, function, arity))
    return None
