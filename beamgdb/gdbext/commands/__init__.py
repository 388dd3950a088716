"""The commands, one file each."""


def install() -> None:
    """Define all commands."""
    from beamgdb.gdbext.commands import beam_bt, beam_info, eterm, registers

    for module in (beam_bt, beam_info, eterm, registers):
        module.install()
