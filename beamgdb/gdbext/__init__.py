"""The extension inside GDB: the only part of beamgdb that imports gdb."""


def install() -> None:
    """Define commands, parameters and printers, and connect to GDB's events. Harmless when done again."""
    from beamgdb.gdbext import errors, events, frames, functions, printers, quiet, unwinder
    from beamgdb.gdbext.breakpoints import announce, interpreted, process_condition
    from beamgdb.gdbext.commands import beam_break, beam_bt, beam_disas, beam_info, beam_step, eterm, registers

    global _installed
    if _installed:
        return
    _installed = True
    quiet.silence()
    errors.install()
    for module in (beam_break, beam_bt, beam_disas, beam_info, beam_step, eterm, registers):
        module.install()
    functions.install()
    process_condition.install()
    printers.install()
    frames.install()
    unwinder.install()
    interpreted.install()
    events.install()
    announce.install()


_installed = False
