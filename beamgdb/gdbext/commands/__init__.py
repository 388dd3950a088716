"""The commands, one file each: they parse arguments, ask the session, have `beamgdb.views` make what is shown, and
print it. Only `gdbext` itself imports them, to install them."""
