"""What GDB runs to load this extension: `source .../beamgdb/loader.py`, or `gdb -ix .../beamgdb/loader.py`.

It makes this package and the packages it needs importable in the Python that GDB embeds, and installs the commands.
It runs in the user's `__main__`, so it leaves no name there; and the syntax up to the version check must stay
readable to any Python 3.
"""
# ruff: noqa: F821 - the names are deleted at the end, but not before the last call

import sys


def _complain(problem: str) -> None:
    import gdb

    gdb.write("beamgdb: " + problem + "\n", gdb.STDERR)


def _dependency_folders(home: str) -> "list[str]":
    """Existing site-packages that may hold our dependencies, best first; *home* is the folder of this package.

    GDB embeds the system's Python, the dependencies are often in a virtual environment of another minor version.
    That is acceptable, being Python and ctypes only; the same version is preferred.
    """
    import os
    from pathlib import Path

    same = "python{}.{}".format(*sys.version_info[:2])
    named = Path(os.environ.get("VIRTUAL_ENV", ""))
    environments = [Path(home) / ".venv", *([named] if named.is_absolute() else [])]
    found = [folder for venv in environments for folder in sorted(venv.glob("lib/python3*/site-packages"))]
    return [str(folder) for folder in sorted(found, key=lambda folder: folder.parent.name != same)]


def _make_importable() -> "list[str]":
    """Returns the packages that are not found."""
    from pathlib import Path

    home = str(Path(__file__).resolve().parent.parent)
    # First, for another folder may hold something of the same name.
    if sys.path[:1] != [home]:
        sys.path.insert(0, home)
    from beamgdb import dependencies

    missing = dependencies.missing()
    for folder in _dependency_folders(home) if missing else ():
        if all((Path(folder) / name).is_dir() for name in missing):
            # At the end: nothing of the environment may take the place of what GDB's own Python has.
            sys.path.append(folder)
            return []
    return missing


def _load() -> None:
    import gc
    import os

    if sys.version_info < (3, 9):  # noqa: UP036 - GDB's Python is whatever its builder had
        _complain("needs a GDB with Python 3.9 or later; this one has {}.{}".format(*sys.version_info[:2]))
        return
    try:
        missing = _make_importable()
        if missing:
            from beamgdb import dependencies

            _complain("not loaded: " + dependencies.advice(missing))
            return
        # All that is loaded stays: to look through it for garbage, again and again, takes a tenth of the time.
        is_collecting = gc.isenabled()
        gc.disable()
        try:
            from beamgdb import gdbext

            gdbext.install()
        finally:
            if is_collecting:
                gc.enable()
    except KeyboardInterrupt:
        _complain("Ctrl-C came while it was being loaded: source it again")
    except Exception as error:
        if os.environ.get("BEAMGDB_DEBUG") == "1":
            import traceback

            # Were it raised, GDB from 16 on would not show where.
            _complain("not loaded\n" + traceback.format_exc())
            return
        _complain(f"not loaded: {type(error).__name__}: {error} (BEAMGDB_DEBUG=1 shows where)")


_load()
del _load, _make_importable, _dependency_folders, _complain
