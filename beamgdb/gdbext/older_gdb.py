"""What GDBs back to 10 lack of what this extension uses, by the means that they have.

What a GDB has is taken as it is, but for what ends it. Besides, `printf "%s", $_eterm(x0)` is beyond GDB 10, which
wants to put the string into the target's memory; `set $text = $_eterm(x0)` before it helps.
"""

from __future__ import annotations

import atexit
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import gdb

from beamgdb.gdbext import front_end, gdb_version
from beamgdb.gdbext.temporary_settings import temporarily
from beamgdb.late import dataclass

_REGISTER = re.compile(r"^ *(\w+) .* 0x([0-9a-f]+)$", re.M)
_PLACE = re.compile(r"^(-?\d+(?:\.\d+)?)\s.*?\s([yn])\s+(0x[0-9a-f]+)", re.M)
_TEXT_OR_NOTHING = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|({\s*})""")
_PC, _SP = ("pc", "rip", "eip"), ("sp", "rsp", "esp")
HARDWARE_BREAKPOINT: Final = 2
"""`gdb.BP_HARDWARE_BREAKPOINT` (since 11)."""

_UNSIGNED = {1: "unsigned char", 2: "unsigned short", 4: "unsigned int", 8: "unsigned long long"}


def level(frame: gdb.Frame) -> int:
    """`Frame.level` (since 11)."""
    if hasattr(frame, "level"):
        return frame.level()
    number = 0
    newer = frame.newer()
    while newer is not None:
        number, newer = number + 1, newer.newer()
    return number


class FirstFrames:
    """Which frames that are being unwound are the innermost of their thread: `PendingFrame.level` (since 13) tells.

    Without it, the first one is that GDB asks for after the thread has run, and whatever has the same pc and stack
    pointer. In between GDB may stop a thread of which it tells nobody: then the registers themselves decide, which GDB
    prints without a frame.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, int]] = {}
        """The pc and stack pointer of the innermost frame, by thread."""

    def connect(self) -> None:
        """Follow GDB's events."""
        if hasattr(gdb.PendingFrame, "level"):
            return
        for registry in (gdb.events.cont, gdb.events.inferior_call, gdb.events.register_changed, gdb.events.exited):
            registry.connect(lambda _: self._known.clear())

    def is_first(self, frame: gdb.PendingFrame) -> bool:
        """Whether a frame is the innermost."""
        if hasattr(frame, "level"):
            return frame.level() == 0
        thread = gdb.selected_thread()
        if thread is None:
            return False
        place = int(frame.read_register("pc")), int(frame.read_register("sp"))
        known = self._known.get(thread.global_num)
        # Of a thread that stands still for GDB's user no frame is older than what is known. (And commands of a
        # breakpoint would be run now: GDB 10 looks for such after each command that Python gives.)
        if known is None or (known != place and thread.is_running() and place == _raw_place()):
            self._known[thread.global_num] = known = place
        return place == known


def _raw_place() -> tuple[int, int] | None:
    """The pc and the stack pointer of the selected thread."""
    said = front_end.taken("maintenance print raw-registers")
    values = {name: int(value, 16) for name, value in _REGISTER.findall(said)}
    pc, sp = (next((values[name] for name in names if name in values), None) for names in (_PC, _SP))
    return (pc, sp) if pc is not None and sp is not None else None


def closes_quotes() -> bool:
    """Whether GDB itself closes a quote that is open where it completes a word (since 16)."""
    return gdb_version.is_from(16)


def tells_of_its_end() -> bool:
    """Whether GDB says that it is about to quit, while it still holds the target (since 12)."""
    return hasattr(gdb.events, "gdb_exiting")


def at_exit(act: Callable[[], None]) -> None:
    """Have something done when GDB quits: before it lets go of the target only if it `tells_of_its_end`."""
    if tells_of_its_end():
        gdb.events.gdb_exiting.connect(lambda _: act())
    else:
        atexit.register(act)


@dataclass
class _Location:
    """One place of a breakpoint, as `gdb.BreakpointLocation` has it."""

    number: str
    address: int
    is_enabled: bool

    @property
    def enabled(self) -> bool:
        return self.is_enabled

    @enabled.setter
    def enabled(self, wanted: bool) -> None:
        front_end.taken(f"{'enable' if wanted else 'disable'} {self.number}")
        self.is_enabled = wanted


def locations(point: gdb.Breakpoint) -> Iterable[Any]:
    """`Breakpoint.locations` (since 13): the places of a breakpoint, with `address` and `enabled`."""
    return point.locations if hasattr(point, "locations") else printed_locations(point.number)


def printed_locations(number: int) -> Iterable[Any]:
    """The same of what has this number, as GDB prints it: of a `dprintf` too, of which no GDB tells Python."""
    command = "info breakpoints" if number > 0 else "maintenance info breakpoints"
    said = front_end.taken(f"{command} {number}")
    found = [_Location(number, int(address, 16), on == "y") for number, on, address in _PLACE.findall(said)]
    # Where there is a line for each place, it stands behind one for the breakpoint. Its only place has a number too.
    places = [one for one in found if "." in one.number]
    if not places and number > 0:
        return [replace(one, number=f"{one.number}.1") for one in found]
    return places or found


def dies_of_frame_filters() -> bool:
    """Whether `bt` ends GDB itself (SIGSEGV, up to 18 at least), whatever the frame filter, at a frame without source:
    where it is set to print the source of each, it looks for that in no file."""
    return str(gdb.parameter("print frame-info")) in ("source-line", "source-and-location")


def fill(window: gdb.TuiWindow, lines: Sequence[str]) -> None:
    """`TuiWindow.write` that fills the window (since 11), with lines narrower than that. GDB 10 loses the end of a line
    unless another one follows."""
    try:
        window.write("\n".join(lines), True)
    except TypeError:
        window.erase()
        window.write("\n\n".join(lines))


def host_charset() -> str:
    """`gdb.host_charset` (since 12)."""
    if hasattr(gdb, "host_charset"):
        return gdb.host_charset()
    said = front_end.taken("show host-charset")
    return said.rpartition('"')[0].rpartition(" ")[2].rpartition('"')[2]


def unsigned(architecture: gdb.Architecture, size: int) -> gdb.Type:
    """`Architecture.integer_type` (since 12), of the unsigned integers of so many bytes."""
    if hasattr(architecture, "integer_type"):
        return architecture.integer_type(8 * size, False)
    with temporarily("language", "c"):
        return type_named(_UNSIGNED[size])


def value(expression: str) -> gdb.Value:
    """`gdb.parse_and_eval`, of what is `sound`."""
    return gdb.parse_and_eval(sound(expression))


def sound(expression: str) -> str:
    """An expression that GDB may be given; raises `gdb.error`. An array of nothing ends GDB 16 itself (SIGSEGV), and is
    an error to others; to who types it, it is the empty tuple."""
    if any(found[1] for found in _TEXT_OR_NOTHING.finditer(expression)):
        raise gdb.error('{} is no expression of GDB; terms are compared as text: $_streq($_eterm(x0), "{}")')
    return expression


def type_named(name: str) -> gdb.Type:
    """`gdb.lookup_type`, which heeds a `set language` of the same command (since 12)."""
    return gdb.parse_and_eval(f"({name}) 0").type


def mappings(pid: int, is_remote: bool) -> list[tuple[int, int, str]]:
    """What `info proc mappings` tells (with permissions since 12, else /proc/PID/maps does): start, end and
    permissions. Empty where nothing tells."""
    try:
        rows = [line.split() for line in front_end.taken("info proc mappings").splitlines()]
        if any("Perms" in row for row in rows):
            return [(int(row[0], 16), int(row[1], 16), row[4]) for row in rows if len(row) > 4 and row[0][:2] == "0x"]
        if not any(row and row[0][:2] == "0x" for row in rows):
            return []  # as where a stub knows no files
        text = _remote_file(f"/proc/{pid}/maps") if is_remote else Path(f"/proc/{pid}/maps").read_text()
    except (gdb.error, OSError):
        return []
    found = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) (\S+)", text, re.M)
    return [(int(start, 16), int(end, 16), permissions) for start, end, permissions in found]


def _remote_file(path: str) -> str:
    """What a file holds where the target is."""
    with tempfile.NamedTemporaryFile(prefix="beamgdb-") as copy:
        front_end.taken(f"remote get {path} {copy.name}")
        return Path(copy.name).read_text()
