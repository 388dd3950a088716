"""Takes a session from stage to stage of stages.erl, and reads what GDB prints there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness.erl import TESTS
from tests.harness.gdb import Gdb, Stop
from tests.harness.patience import PATIENCE

#: A round of stages.erl takes milliseconds.
SOON = PATIENCE / 2
TRIES = 20


@dataclass
class Shown:
    """A function in the output of `beam-bt`: its y registers and arguments by name, as text."""

    function: str
    file: str = ""
    line: int = 0
    registers: dict[str, str] = field(default_factory=dict)


@dataclass
class Backtrace:
    """The output of `beam-bt` for one process."""

    heading: str
    functions: list[Shown]

    def names(self) -> list[str]:
        return [shown.function for shown in self.functions]

    def first(self, function: str) -> Shown:
        """The innermost call of a function."""
        return next(shown for shown in self.functions if shown.function == function)


_LEVEL = re.compile(r"#\d+ +0x[0-9a-f]+ in (?P<function>.+?)(\+\d+)?( at (?P<file>\S+):(?P<line>\d+))?")
_REGISTER = re.compile(r" +(?P<name>[xy]\d+) = (?P<text>.*)")


def read_backtraces(text: str) -> list[Backtrace]:
    """What `beam-bt` printed. Every line must be understood."""
    found: list[Backtrace] = []
    for line in text.splitlines():
        level, register = _LEVEL.fullmatch(line), _REGISTER.fullmatch(line)
        if line.startswith("Process "):
            found.append(Backtrace(line, []))
        elif level:
            found[-1].functions.append(Shown(level["function"], level["file"] or "", int(level["line"] or 0)))
        elif register:
            found[-1].functions[-1].registers[register["name"]] = register["text"]
        elif line:
            raise AssertionError(f"beam-bt printed {line!r}")
    return found


def read_backtrace(text: str) -> Backtrace:
    """What `beam-bt` printed of one process."""
    (backtrace,) = read_backtraces(text)
    return backtrace


@dataclass
class Frame:
    """A frame in the output of `bt`."""

    function: str
    arguments: dict[str, str]
    note: str
    place: str


_FRAME = re.compile(
    r"#\d+ +(0x[0-9a-f]+ in )?(?P<function>.+?)( \[(?P<note>.*?)\])? \((?P<arguments>.*)\)( at (?P<place>\S+))?"
    r"( from \S+)?"
)
_ARGUMENT = re.compile(r"(?:^|, )(\w+)=")


def read_frames(text: str) -> list[Frame]:
    """What `bt` printed."""
    frames = []
    for line in text.splitlines():
        match = _FRAME.fullmatch(line)
        if match:
            _, *parts = _ARGUMENT.split(match["arguments"])
            arguments = dict(zip(parts[::2], parts[1::2]))
            # Of the names that glibc's debug information has for one place GDB chooses another since 16.
            function = match["function"].removeprefix("__GI___")
            frames.append(Frame(function, arguments, match["note"] or "", match["place"] or ""))
        else:
            assert not line.startswith("#"), line
    return frames


def functions(frames: list[Frame]) -> list[str]:
    return [frame.function for frame in frames]


def go_to(gdb: Gdb, function: str, below: str, *, resume: str = "continue") -> Stop:
    """Run until a C or Erlang function is called on behalf of an Erlang one; what it is called by others passes."""
    number = breakpoint_number(gdb.cmd(f"break -function {function}"))
    try:
        for _ in range(TRIES):
            stop = gdb.go(resume, timeout=SOON)
            assert stop.reason == "breakpoint-hit", stop.text
            if below in gdb.cmd("bt 12"):
                return stop
    finally:
        gdb.cmd(f"delete {number}")
    raise AssertionError(f"{function} was not called by {below}")


def local_variables(gdb: Gdb) -> dict[str, str]:
    """What `info locals` shows of the selected frame, but for what is optimized out; nothing is an error."""
    found = dict(line.split(" = ", 1) for line in gdb.cmd("info locals").splitlines())
    assert found.keys() == {f"{kind}{number}" for kind in "xy" for number in range(16)}
    return {name: text for name, text in found.items() if text != "<optimized out>"}


def breakpoint_number(text: str) -> int:
    """The number that GDB gave to a breakpoint, or watchpoint, that it has told of."""
    # A note about others at the same place may come before.
    match = re.search(r"^(?:Breakpoint|Temporary breakpoint|Hardware watchpoint) (\d+)\b", text, re.M)
    assert match, text
    return int(match[1])


def line_of(module: str, text: str) -> int:
    """The number of the first line of a module of tests/erl that has this text."""
    lines = (TESTS / "erl" / f"{module}.erl").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def source_line(text: str) -> str:
    """The first line of the demo's shop that begins so, as it is marked where the program is there."""
    lines = (TESTS.parent / "demo" / "shop.erl").read_text(encoding="utf-8").splitlines()
    number, line = next((number, line) for number, line in enumerate(lines, 1) if line.startswith(text))
    return f"=> {number}  {line}"


@contextmanager
def cleared_perf_files(pid: int) -> Iterator[None]:
    """Remove what `+JPperf true` writes."""
    try:
        yield
    finally:
        for path in (f"/tmp/perf-{pid}.map", f"/tmp/jit-{pid}.dump"):
            Path(path).unlink(missing_ok=True)
