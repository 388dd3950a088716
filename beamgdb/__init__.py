"""A GDB extension that shows Erlang inside a running or dead BEAM: terms, processes, stacks, code.

GDB loads it by `loader.py`. Scripts inside GDB have the VM as objects by `api`, see API.md; others may import what
needs no GDB, such as `views`.
`jit` imports none of it."""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """`beamgdb.api` without importing that: it needs a GDB."""
    if name != "api":
        raise AttributeError(f"module 'beamgdb' has no attribute {name!r}")
    import beamgdb.api

    return beamgdb.api
