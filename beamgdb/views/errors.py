"""What users are told of errors."""

from __future__ import annotations

from beamgdb import dependencies
from beamgdb.interpreter.operations import Unsupported
from beamgdb.memory import Unreadable
from beamgdb.terms.quoting import bare
from beamgdb.vm.model import Unavailable


def one_line(error: BaseException, *meant: type[BaseException]) -> str:
    """What to tell of an error; `meant`: of which more types the text is for users. Names in it may be the target's:
    nothing comes out raw."""
    return bare(" ".join(_text(error, meant).splitlines()))


def _text(error: BaseException, meant: tuple[type[BaseException], ...]) -> str:
    if isinstance(error, (Unavailable, Unsupported, *meant)):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    if isinstance(error, Unreadable):
        return f"cannot read memory: {error.size} bytes at {error.address:#x}"
    if isinstance(error, KeyError):
        return f"not in the layout of this VM: {error.args[0] if error.args else error}"
    if isinstance(error, ImportError) and (broken := dependencies.broken()):
        return broken
    return f"internal error, {type(error).__name__}: {error} (set beam-debug on shows where)"
