# Erlang in GDB. Use it as  gdb-multiarch -ix /path/to/gdbinit ...  or  (gdb) source /path/to/gdbinit

python
def _load_beamgdb():
    import fcntl, os

    def is_this_script(number):
        # GDB tells a script no name, but keeps it open while it reads it: as it opens all files, with a flag that no
        # descriptor has which GDB was started with. Nothing but a script that is being read begins as this one does.
        try:
            opened_here = fcntl.fcntl(number, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
            return opened_here and os.pread(number, 17, 0) == b"# Erlang in GDB. "
        except (OSError, IOError):
            return False

    try:
        numbers = sorted(map(int, os.listdir("/proc/self/fd")), reverse=True)
    except OSError:
        numbers = []
    scripts = [os.readlink("/proc/self/fd/%d" % number) for number in numbers if is_this_script(number)]
    homes = [os.path.dirname(script) for script in scripts] + [os.environ.get("BEAMGDB_HOME", "")]
    loaders = [os.path.join(home, "beamgdb", "loader.py") for home in homes if os.path.isabs(home)]
    loader = next((path for path in loaders if os.path.isfile(path)), None)
    if loader is None:
        gdb.write("beamgdb: its folder is not found; set BEAMGDB_HOME to it and source again\n", gdb.STDERR)
        return
    # Not by `source`, which would take a path apart.
    with open(loader, "rb") as file:
        code = compile(file.read(), loader, "exec")
    exec(code, {"__name__": "__main__", "__file__": loader})

try:
    _load_beamgdb()
finally:
    del _load_beamgdb
end
