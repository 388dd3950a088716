"""Modules from source to an answer: compiled by Erlang, compiled to native code, run both ways, and compared."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol

from jit.arm32.cpus import ARMV7_A, Cpu
from jit.beam.module import read_module
from jit.codegen.compile import compile_module
from jit.erts.arm32.emitters import EMITTERS
from jit.erts.arm32.native import MixedNative
from jit.erts.arm32.runtime import StockErts
from jit.sandbox import Sandbox
from tests.differential.session import PATIENCE, Session, Silence, path_term
from tests.harness.glue import put_glue

_ERLANG: Final = Path(__file__).with_name("erlang")
#: Modules that one node runs, before a fresh one does.
_PER_NODE: Final = 400
#: Modules whose bytecode is asked for at once.
_BATCH: Final = 20
#: Milliseconds until a module is given up that has not been compiled, and one with a case that has not ended.
_COMPILING: Final = str(round(200 * PATIENCE))
_INTERPRETING: Final = str(round(50 * PATIENCE))


class Module(Protocol):
    """Source of a module, and options of the compiler as Erlang text."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def options(self) -> str:
        """Options of the compiler."""
        ...

    @property
    def without(self) -> frozenset[str]:
        """Operations to compile as if they had no emitter: functions with them stay interpreted."""
        ...

    def text(self) -> str:
        """Its source."""
        ...


@dataclass
class Outcome:
    """What became of a module.

    ``wrong``: lines that tell how native code differs, or crashes; empty where all is well. ``refused``: why the
    module was not run, or not to its end. ``interpreted``: what functions without native code lack.
    """

    name: str
    stress: bool = False
    wrong: list[str] = field(default_factory=list)
    refused: str = ""
    functions: int = 0
    native: int = 0
    interpreted: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    cases: int = 0
    values: int = 0

    def count(self, native: MixedNative) -> None:
        """What a module has of native code."""
        self.native = len(native.functions)
        self.functions = self.native + len(native.interpreted)
        self.interpreted.update(native.interpreted.values())
        self.operations.update(one.name for each in native.functions for one in each.function.operations)

    def read(self, line: str) -> None:
        """A line of the node's answer: see compare.erl."""
        if line in ("case value", "case exception"):
            self.cases += 1
            self.values += line == "case value"
        elif line == "skipped":
            self.refused = "too slow or too large"
        elif line == "late" and self.stress:
            self.refused = "too slow where garbage is collected at each heap test"
        elif line != "native":
            self.wrong.append(line)


@contextmanager
def _emitters_without(names: frozenset[str]) -> Iterator[None]:
    """As if operations of these names had no emitter."""
    kept = dict(EMITTERS)
    for name in names:
        EMITTERS.pop(name, None)
    try:
        yield
    finally:
        EMITTERS.update(kept)


class Workshop:
    """The programs at work, for one release. To be used in a ``with`` statement, which ends them."""

    def __init__(self, folder: Path, otp: int) -> None:
        self.folder, self.otp = folder, otp
        self._plain, self._native, own = folder / "plain", folder / "native", folder / "own"
        for each in (self._plain, self._native, own):
            each.mkdir(parents=True, exist_ok=True)
        put_glue(own)
        sources = [str(_ERLANG / f"{name}.erl") for name in ("compile_server", "mutate", "compare")]
        # The compiler of the release, on this machine's own processor.
        compiler = Sandbox("amd64", otp).ensure()
        subprocess.run([compiler.bindir / "erlc", "-o", own, *sources], check=True, timeout=PATIENCE)
        self._own = own
        arguments = ["-noshell", "-pa", str(own), "-s", "compile_server", "start", _COMPILING]
        self._compiler = Session(compiler.command(arguments))
        self._node: Session | None = None
        #: The modules that the node has run.
        self._before: list[str] = []

    def __enter__(self) -> Workshop:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _value: object, _trace: TracebackType | None) -> None:
        self._compiler.close()
        self.end_node()

    def run(self, modules: Sequence[Module], *, stress: bool = False, cpu: Cpu = ARMV7_A) -> Iterator[Outcome]:
        """Compile for a processor, with *stress* in that mode, and compare: an outcome of each."""
        for begin in range(0, len(modules), _BATCH):
            batch = modules[begin : begin + _BATCH]
            for module in batch:  # Erlang's compiler is ahead of the rest
                self._ask_for_bytecode(module)
            for module in batch:
                answer = self._compiler.line()
                refused = Outcome(module.name, stress, refused=answer)
                yield self.again(module, stress=stress, cpu=cpu) if answer == "ok" else refused

    def bytecode(self, modules: Sequence[Module]) -> Iterator[Outcome]:
        """Only compile, for ``again``; an outcome of each."""
        for module in modules:
            self._ask_for_bytecode(module)
        for module in modules:
            answer = self._compiler.line()
            yield Outcome(module.name, refused="" if answer == "ok" else answer)

    def plain_beam(self, module: Module) -> Path:
        """A module's bytecode, once it is compiled."""
        return self._plain / f"{module.name}.beam"

    def again(self, module: Module, *, stress: bool = False, cpu: Cpu = ARMV7_A) -> Outcome:
        """What becomes of a module whose bytecode is there."""
        outcome = Outcome(module.name, stress)
        if self._make_native(outcome, module.without, cpu, mutated="{mutated" in module.options):
            self._compare(outcome)
        return outcome

    # Compiling

    def _ask_for_bytecode(self, module: Module) -> None:
        source = self.folder / f"{module.name}.erl"
        source.write_text(module.text(), encoding="utf-8")
        self._compiler.ask(f"{{{path_term(source)}, {path_term(self._plain)}, [{module.options}]}}")

    def _make_native(self, outcome: Outcome, without: frozenset[str], cpu: Cpu, *, mutated: bool) -> bool:
        """Whether it succeeds."""
        beam, runtime = self._plain / f"{outcome.name}.beam", StockErts(self.otp, cpu)
        try:
            with _emitters_without(without):
                native = compile_module(read_module(beam), runtime, stress=outcome.stress)
            outcome.count(native)
            if not mutated:  # else there may be code that is never reached, which the validator does not look at
                outcome.wrong += [f"broken: {function} {native.interpreted[function]}" for function in native.broken]
            data = runtime.beam_file(native) if native.functions else beam.read_bytes()
        except Exception as error:  # whatever it is, it is an error of the compiler
            outcome.wrong = [f"compiler fails with {type(error).__name__}: {error}"]
            return False
        (self._native / beam.name).write_bytes(data)
        return True

    # Comparing

    def _compare(self, outcome: Outcome) -> None:
        """By a node that has run others before; if it crashes, by a fresh one, to know whose fault it is."""
        native = self._native if outcome.native else self._plain
        before = self._before[-8:]
        end = self._answer(outcome, native)
        if end and before:
            end = self._answer(outcome, native)
            if not end:
                outcome.wrong.append(f"damage: a fresh node does not crash, but one that had run {' '.join(before)}")
        if end and self._answer(outcome, self._plain):
            outcome.refused = "the interpreter itself crashes"
        elif end:
            outcome.wrong.append(end)

    def _answer(self, outcome: Outcome, native: Path) -> str:
        """Let the node run a module, whose other version is in a folder; what to say if it crashes."""
        if self._node is None:
            system = ["-noshell", "-pa", str(self._own), "-s", "native", "-s", "compare", "start", _INTERPRETING]
            self._node = Session(Sandbox("armhf", self.otp).ensure().command(system))
        paths = (path_term(folder / f"{outcome.name}.beam") for folder in (self._plain, native))
        self._node.ask(f"{{{outcome.name}, {', '.join(paths)}, {'true' if native == self._native else 'false'}}}")
        lines = []
        try:
            for line in self._node.lines("end"):
                lines.append(line)
        except Silence as silence:
            self.end_node()
            return f"crash: {silence}, behind {lines[-2:]}"
        for line in lines:
            outcome.read(line)
        self._before.append(outcome.name)
        if len(self._before) == _PER_NODE:
            self.end_node()
        return ""

    def end_node(self) -> None:
        """Let a fresh node run what comes next."""
        if self._node:
            self._node.close()
        self._node = None
        self._before = []
