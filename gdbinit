# Erlang in GDB. Use it as  gdb-multiarch -ix /path/to/gdbinit ...  or  (gdb) source /path/to/gdbinit

python
def _find_beamgdb():
    import os
    # GDB tells a script its name only as the user typed it, but keeps the file open while it reads it.
    try:
        numbers = sorted((int(number) for number in os.listdir("/proc/self/fd")), reverse=True)
    except OSError:
        numbers = []
    homes = []
    for number in numbers:
        try:
            homes.append(os.path.dirname(os.readlink("/proc/self/fd/%d" % number)))
        except OSError:
            pass
    homes += [os.environ.get("BEAMGDB_HOME", ""), os.getcwd()]
    loaders = (os.path.join(home, "beamgdb", "loader.py") for home in homes if home.startswith("/"))
    return next((loader for loader in loaders if os.path.isfile(loader)), None)

def _load_beamgdb(loader):
    if loader:
        gdb.execute("source " + loader)
    else:
        gdb.write("beamgdb: its folder is not found; set BEAMGDB_HOME to it and source again\n", gdb.STDERR)

_load_beamgdb(_find_beamgdb())
del _load_beamgdb, _find_beamgdb
end
