"""The extension inside GDB: the only part of beamgdb that imports gdb."""


def install() -> None:
    """Define commands, parameters and printers, and connect to GDB's events. Harmless when done again."""
    from beamgdb.gdbext import errors, events, frames, functions, printers, quiet, unwinder
    from beamgdb.gdbext.commands import beam_bt, beam_info, eterm, registers

    global _installed
    if _installed:
        return
    _installed = True
    quiet.silence()
    errors.install()
    for module in (beam_bt, beam_info, eterm, registers):
        module.install()
    functions.install()
    printers.install()
    frames.install()
    unwinder.install()
    events.install()


_installed = False
