"""Debian's Erlang for other architectures and releases, fetched once and run here: `python -m beamgdb.sandbox --help`.

Programs for ARM run under qemu-user, those for amd64 natively with their own C library. Nothing here imports `gdb`.
"""

from beamgdb.sandbox.debuggee import Debuggee, debuggee
from beamgdb.sandbox.errors import SandboxError
from beamgdb.sandbox.pairs import PAIRS, Pair
from beamgdb.sandbox.sandbox import Sandbox

__all__ = ["PAIRS", "Debuggee", "Pair", "Sandbox", "SandboxError", "debuggee"]
