"""Debian's Erlang for other architectures and releases, fetched once and run here: `python -m beamgdb.sandbox --help`.

Programs for ARM run under qemu-user, those for amd64 natively with their own C library. Commands of both halves, the
demo, benchmarks and tests import it; it imports `jit.system` alone, and no `gdb`.
"""

from jit.sandbox.debuggee import Debuggee, debuggee
from jit.sandbox.errors import SandboxError
from jit.sandbox.gdbs import GdbSandbox
from jit.sandbox.pairs import PAIRS, Pair
from jit.sandbox.sandbox import Sandbox

__all__ = ["PAIRS", "Debuggee", "GdbSandbox", "Pair", "Sandbox", "SandboxError", "debuggee"]
