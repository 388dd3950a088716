"""``coverage``: the emitters that are still to be written, and what each would bring."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from jit.beam.module import Module
from jit.beam.operations import Function
from jit.codegen.compile import compile_module, lacking
from jit.codegen.runtime import Runtime
from jit.commands import arguments, targets
from jit.commands.beam_files import find, read_plain
from jit.commands.side_by_side import Failure, over_files
from jit.system.command_line import say

_DESCRIPTION = """\
Count what would run natively, and what keeps functions interpreted: the "emitters to go". For each:

  times      how many operations lack it
  functions  how many functions lack it, be it among others
  alone      how many functions lack nothing else: they become native with it

  {program} coverage ebin
  {program} coverage --otp 25 --json /usr/lib/erlang/lib/stdlib-*/ebin"""

#: These make no code, nor are they executed as such.
_MARKS: Final = ("label", "line", "func_info", "int_code_end")


@dataclass
class Need:
    """How much an emitter to go is wanted."""

    times: int = 0
    functions: int = 0
    alone: int = 0


@dataclass
class Count:
    """Of one file or many. ``operations`` are without labels and lines; native are those in native functions."""

    files: int = 0
    functions: int = 0
    native_functions: int = 0
    operations: int = 0
    native_operations: int = 0
    needs: dict[str, Need] = field(default_factory=dict)

    def add(self, other: Count) -> None:
        """Count those too."""
        for name in ("files", "functions", "native_functions", "operations", "native_operations"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for what, need in other.needs.items():
            sum_ = self.needs.setdefault(what, Need())
            sum_.times += need.times
            sum_.functions += need.functions
            sum_.alone += need.alone

    def add_function(self, function: Function, lacks: list[str] | None) -> None:
        """Count a function; *lacks* is None if it has native code."""
        operations = sum(operation.name not in _MARKS for operation in function.operations)
        self.functions += 1
        self.operations += operations
        if lacks is None:
            self.native_functions += 1
            self.native_operations += operations
            return
        times = Counter(lacks)
        for what, count in times.items():
            need = self.needs.setdefault(what, Need())
            need.times += count
            need.functions += 1
            need.alone += len(times) == 1

    def by_need(self) -> list[tuple[str, Need]]:
        """What is wanted most first."""
        return sorted(self.needs.items(), key=lambda row: (-row[1].alone, -row[1].functions, -row[1].times, row[0]))


def add_to(commands: arguments.Commands) -> None:
    """Declare the command."""
    parser = arguments.add(commands, "coverage", "count what keeps functions interpreted", _DESCRIPTION)
    arguments.add_target(parser)
    arguments.add_files(parser)
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the counts over all files that can be read."""
    status, total = 0, Count()
    wanted = arguments.wanted(options)
    targets.runtime(wanted)
    work = partial(count_file, wanted=wanted)
    for result in over_files(work, find(options.files), options.jobs):
        if isinstance(result, Failure):
            say(f"jit: {result.message}\n")
            status = 1
        else:
            total.add(result)
    print(json.dumps(_as_json(total), indent=2) if options.json else "\n".join(_table(total)))
    return status


def count_file(path: Path, *, wanted: targets.Wanted) -> Count:
    """The counts of a file. Raises CommandError, BeamError and OSError."""
    return count_module(read_plain(path), targets.runtime(wanted))


def count_module(module: Module, runtime: Runtime[Any, Any]) -> Count:
    """The counts of a module."""
    native = compile_module(module, runtime)
    having = {id(one.function) for one in native.functions}
    count = Count(files=1)
    for function in module.functions:
        if id(function) in having:
            count.add_function(function, None)
        else:
            reason, lacks = native.interpreted[function.name, function.arity], lacking(function, module, runtime)
            # One that is none of its operations concerns the whole module.
            count.add_function(function, lacks if reason in lacks else [reason, *lacks])
    return count


def _as_json(count: Count) -> dict[str, Any]:
    told = {**asdict(count), "lacking": [{"what": what, **asdict(need)} for what, need in count.by_need()]}
    del told["needs"]
    return told


def _table(count: Count) -> Iterable[str]:
    yield f"{count.files} {'file' if count.files == 1 else 'files'}"
    yield _share("functions", count.native_functions, count.functions)
    yield _share("operations", count.native_operations, count.operations)
    if count.needs:
        yield ""
        yield "  times  functions   alone  emitters to go"
    for what, need in count.by_need():
        yield f"{need.times:7}{need.functions:11}{need.alone:8}  {what}"


def _share(what: str, native: int, total: int) -> str:
    return f"{native} of {total} {what} native" + (f" ({native / total:.1%})" if total else "")
