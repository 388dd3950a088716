"""Native code for 32-bit ARM against the interpreter, under the same qemu, and how fast and how large it is made.

Run from the repository's root: ``python -m bench.native [ROUNDS]``. Three tables:

1.  The programs of ``native_programs.erl``, in microseconds: interpreted and native in OTP 27 for 32-bit ARM, with the
    modules of stdlib native that they call; how many times native is as fast; and beside them OTP's own JIT in OTP 27
    for 64-bit ARM. Nodes take turns, ROUNDS times (3), and the shortest time of each program counts.
2.  All of Debian's erlang-nox for the same Erlang compiled: seconds, and what share of functions is native.
3.  Bytes of native code per byte of bytecode, both of all functions that are native.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from time import perf_counter

from jit.__main__ import main as jit
from jit.beam.module import Module, read_module
from jit.codegen.compile import compile_module
from jit.erts.arm32.runtime import StockErts
from jit.sandbox import Sandbox
from tests.codegen.native_node import erlc, library
from tests.harness.erl import SETTINGS

OTP = 27
PROGRAMS = Path(__file__).with_name("native_programs.erl")
#: Modules that the programs spend their time in beside their own.
STDLIB = ("gen", "gen_server", "lists", "maps")
RUNS = 10
ROUNDS = 3

_LOAD = """
    lists:foreach(fun(M) ->
        code:unstick_mod(M), code:purge(M), {module, M} = code:load_abs(filename:join("%s", M))
    end, [%s]),
"""
_MAIN = f"native_programs:main({RUNS})."


@dataclass(frozen=True)
class Node:
    """How the programs are run: by which Erlang, with which arguments."""

    sandbox: Sandbox
    arguments: tuple[str, ...]

    def run(self) -> dict[str, float]:
        """Microseconds by program. Raises CalledProcessError."""
        # One scheduler: whether two processes share one is chance, and makes more difference than all the rest.
        command = self.sandbox.command(["-noinput", "+S", "1:1", *self.arguments])
        environment = {**os.environ, **SETTINGS}
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600, env=environment)
        rows = (line.rsplit(" ", 1) for line in done.stdout.splitlines())
        return {name: float(time) for name, time in rows}


def nodes(folder: Path) -> tuple[Node, Node, Node]:
    """The nodes to compare: interpreted, native, and with OTP's JIT. Their code is made in *folder*."""
    arm, arm64 = Sandbox("armhf", OTP).ensure(), Sandbox("arm64", OTP).ensure()
    plain, native = folder / "plain", folder / "native"
    beams = [erlc(PROGRAMS, plain), *(library(OTP, "stdlib") / f"{name}.beam" for name in STDLIB)]
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as told:
        failed = jit(["compile", *map(str, beams), "-o", str(native), "--otp", str(OTP)])
        failed = jit(["glue", "-o", str(native)]) or failed
    if failed:
        raise SystemExit(f"bench.native: {told.getvalue()}")
    exchange = _LOAD % (native, ",".join(STDLIB))
    return (
        Node(arm, ("-pa", str(plain), "-eval", _MAIN)),
        Node(arm, ("-pa", str(native), "-s", "native", "-eval", exchange + _MAIN)),
        Node(arm64, ("-pa", str(plain), "-eval", _MAIN)),
    )


def shortest(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """The shortest time of each program in some runs."""
    return {name: min(times[name] for times in runs) for name in runs[0]}


def compare(rounds: int) -> None:
    """Print the first table."""
    with tempfile.TemporaryDirectory() as name:
        compared = nodes(Path(name))
        runs = [[node.run() for node in compared] for _ in range(rounds)]
    interpreted, native, other = map(shortest, zip(*runs))
    print(f"{'program':16}{'interpreted':>12}{'native':>10}{'times':>8}{'arm64 JIT':>12}{'times':>8}")
    for program, before in interpreted.items():
        now, jitted = native[program], other[program]
        print(f"{program:16}{before:12.0f}{now:10.0f}{before / now:8.2f}{jitted:12.0f}{before / jitted:8.2f}")


def compile_all() -> None:
    """Print the other tables."""
    functions = natives = code = native_code = files = 0
    begin = perf_counter()
    for path in sorted(Sandbox("armhf", OTP).ensure().otp_root.glob("lib/*/ebin/*.beam")):
        module = read_module(path)
        shares = _bytes_of_functions(module)
        native = compile_module(module, StockErts(OTP))
        if native.functions:
            StockErts(OTP).beam_file(native)
            native_code += len(native.code.data)
        files += 1
        functions += len(native.functions) + len(native.interpreted)
        natives += len(native.functions)
        code += sum(shares[one.function.entry] for one in native.functions)
    seconds = perf_counter() - begin
    share = f"{natives} of {functions} functions ({natives / functions:.1%})"
    print(f"\n{files} modules compiled in {seconds:.0f} s, {share} native")
    print(f"\n{native_code / code:.2f} bytes of native code per byte of bytecode ({native_code} of {code})")


def _bytes_of_functions(module: Module) -> dict[int, int]:
    """Bytes of bytecode by the label of a function's entry."""
    starts = [function.operations[0].offset for function in module.functions]
    code = next(chunk for chunk in module.chunks if chunk.name == "Code")
    ends = [*starts[1:], len(code.data)]
    return {function.entry: end - start for function, start, end in zip(module.functions, starts, ends)}


def main() -> None:
    """Print the tables."""
    compare(int(sys.argv[1]) if sys.argv[1:] else ROUNDS)
    compile_all()


if __name__ == "__main__":
    main()
