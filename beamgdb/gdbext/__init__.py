"""The extension inside GDB: the only part of beamgdb that imports gdb. Nothing else of beamgdb imports it but
`loader.py`, which GDB runs."""

from __future__ import annotations


def install() -> None:
    """Define commands, parameters and printers, and connect to GDB's events. Harmless when done again.

    Ctrl-C ends it only before anything has been installed; later it raises `KeyboardInterrupt` at the end."""
    from beamgdb.gdbext import (
        context,
        ctrl_c,
        events,
        frames,
        functions,
        points,
        printers,
        stop_reason,
        thread_names,
        unwinder,
        windows,
    )
    from beamgdb.gdbext.atomvm import breakpoints as atomvm_breakpoints
    from beamgdb.gdbext.atomvm import events as atomvm_events
    from beamgdb.gdbext.atomvm import frames as atomvm_frames
    from beamgdb.gdbext.breakpoints import adopted, announce, interpreted, lines, process_condition
    from beamgdb.gdbext.commands import (
        beam,
        beam_allocators,
        beam_binaries,
        beam_break,
        beam_bt,
        beam_context,
        beam_crashdump,
        beam_disas,
        beam_ets,
        beam_exceptions,
        beam_fds,
        beam_heap,
        beam_info,
        beam_locks,
        beam_memory,
        beam_nodes,
        beam_persistent_terms,
        beam_ports,
        beam_process,
        beam_ps,
        beam_purge,
        beam_refs,
        beam_resources,
        beam_schedulers,
        beam_stacks,
        beam_step,
        beam_timers,
        beam_top,
        beam_tree,
        beam_verify,
        beam_waits,
        beam_why,
        eterm,
        registers,
    )
    from beamgdb.gdbext.debug_adapter import DebugAdapter
    from beamgdb.gdbext.extension import extension

    if extension().is_installed:
        return
    with ctrl_c.held():
        extension().is_installed = True
        commands = (
            beam, beam_allocators, beam_binaries, beam_break, beam_bt, beam_context, beam_crashdump, beam_disas,
            beam_ets, beam_exceptions, beam_fds, beam_heap, beam_info, beam_locks, beam_memory, beam_nodes,
            beam_persistent_terms, beam_ports, beam_process, beam_ps, beam_purge, beam_refs, beam_resources,
            beam_schedulers, beam_stacks, beam_step, beam_timers, beam_top, beam_tree, beam_verify, beam_waits,
            beam_why, eterm, registers,
        )  # fmt: skip
        for module in commands:
            module.install()
        functions.install()
        process_condition.install()
        printers.install()
        frames.install()
        unwinder.install()
        points.install()
        interpreted.install()
        adopted.install()
        interpreted.breakpoints().connect()
        events.install()
        announce.install()
        lines.install()
        context.install()
        windows.install()
        stop_reason.install()
        thread_names.install()
        atomvm_events.install()
        atomvm_frames.install()
        atomvm_breakpoints.install()
        extension().part(DebugAdapter).connect()
