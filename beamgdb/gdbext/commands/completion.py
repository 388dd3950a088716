"""Completion of what commands take."""

from __future__ import annotations

from beamgdb.gdbext import session


def functions(text: str, word: str) -> list[str]:
    """Names of Erlang functions that the last word of a command line may become."""
    current = session.find()
    if current is None:
        return []
    code = current.node.code
    start = text.split(" ")[-1]
    names = (one.name for module in code for one in code.functions(module))
    # GDB completes the last word only, and takes a colon for the end of one.
    return [name[len(start) - len(word) :] for name in names if name.startswith(start)]
