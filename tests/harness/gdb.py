"""A GDB that a test talks to as a user would, through GDB/MI; and GDB run once over given arguments."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from pygdbmi.gdbmiparser import parse_response

from tests.harness.patience import PATIENCE

REPOSITORY = Path(__file__).resolve().parent.parent.parent
GDBINIT = REPOSITORY / "gdbinit"

#: What runs where a test names no GDB. Another one: BEAMGDB_TEST_GDB="$(python -m beamgdb.sandbox fetch --gdb 10)".
GDB = os.environ.get("BEAMGDB_TEST_GDB", "gdb-multiarch")

#: How the extension is loaded: by `-ix` (before GDB attaches or reads a core), by `-x` (after), or not at all.
Load = Literal["-ix", "-x", None]

_SETTINGS = ("confirm off", "pagination off", "width 0", "height 0", "auto-load no")

#: Times that Ctrl-C is pressed, and seconds before it is pressed again.
INTERRUPTS = 3
INTERRUPT_PATIENCE = PATIENCE / 10

#: What GDB says of each thread of a core that GDB from 16 on has written, whose part for vector registers is shorter
#: than GDB itself expects on some processors: also without the extension, when it first needs a register.
SHORT_PART = re.compile(
    r"^(?:\S+ )?warning: (?:Section `\.reg-xstate/\d+' in core file too small|"
    r"Unexpected size of section `\.reg-xstate/\d+' in core file)\.\n",
    re.M,
)

#: What the extension says once of each VM that it has found, at whatever command that is.
GREETING = re.compile(r"^beamgdb [\d.]+: Erlang/OTP .*\n", re.M)

#: What GDB says where a stub, or what it ran, has ended in the middle of something.
LOST = "Remote connection closed"

Record = dict[str, Any]


class GdbError(Exception):
    """GDB answered a command with an error."""


@dataclass(frozen=True)
class Stop:
    """The target has stopped. `text` is what GDB printed on the way; `results` are those of the MI record."""

    reason: str
    text: str
    results: Mapping[str, Any]


def arguments(gdb: str, load: Load, *rest: str) -> list[str]:
    """A command line of GDB that reads no one's init files."""
    settings = [word for setting in _SETTINGS for word in ("-iex", f"set {setting}")]
    return [gdb, "-nx", "-q", *settings, *([load, str(GDBINIT)] if load else []), *rest]


def batch(
    *rest: str,
    gdb: str = GDB,
    load: Load = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout: float = 2 * PATIENCE,
) -> str:
    """What `gdb -batch` with these further arguments prints, errors included."""
    done = subprocess.run(
        arguments(gdb, load, "-batch", *rest),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        cwd=folder,
        text=True,
        errors="replace",
        timeout=timeout,
    )
    return done.stdout


@cache
def installed_version() -> int | None:
    """The major version of the GDB that runs where a test names none; None where there is none."""
    if shutil.which(GDB) is None:
        return None
    said = subprocess.run([GDB, "--version"], stdout=subprocess.PIPE, text=True, timeout=PATIENCE).stdout
    found = re.search(r"^GNU gdb .* (\d+)\.", said)
    return int(found[1]) if found else None


class Gdb:
    """One GDB session. It ends, leaving nothing stopped, with `close` or at the end of a `with` block."""

    def __init__(
        self,
        *rest: str,
        gdb: str = GDB,
        load: Load = "-ix",
        environment: Mapping[str, str] | None = None,
        timeout: float = PATIENCE,
    ) -> None:
        self.timeout = timeout
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the session
        self._process = subprocess.Popen(
            arguments(gdb, load, "--interpreter=mi3", *rest),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=environment,
            start_new_session=True,  # a Ctrl-C for the tests is not one for this GDB
        )
        self._partial = b""
        self._records: list[Record] = []
        self._stops: list[Stop] = []
        self._text: list[str] = []
        self._token = 0
        #: Lines that are still to come before Ctrl-C does; 0: none comes.
        self._ctrl_c_after = 0
        self.running = False
        #: What is known of the target where GDB says no more than that a stub has closed the connection.
        self.last_words: Callable[[], str] = str
        self._lost = False
        #: What GDB printed while it started.
        self.greeting = self.cmd("echo")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def cmd(self, command: str, *, timeout: float | None = None, check: bool = True) -> str:
        """What a CLI command prints. Raises GdbError if it fails, or with `check` false adds the error to the text.

        A command that resumes the target returns at once; `go` waits.
        """
        quoted = command.replace("\\", "\\\\").replace('"', '\\"')
        answer = self._ask(f'-interpreter-exec console "{quoted}"', timeout)
        text = self._take_text()
        if answer["message"] != "error":
            return text
        message = answer["payload"].get("msg", "")
        if check:
            raise GdbError(f"{command}: {message}\n{text}")
        # GDB prints the error besides returning it, for some commands.
        return text if message in text else f"{text}{message}\n"

    def cmd_interrupted(self, command: str, *, after: int) -> str:
        """What a CLI command prints when Ctrl-C comes as soon as there are so many lines, the error included."""
        self._ctrl_c_after = after
        try:
            return self.cmd(command, check=False)
        finally:
            self._ctrl_c_after = 0

    def cmd_running(self, command: str, *, timeout: float | None = None, check: bool = True) -> str:
        """What a CLI command prints that lets the target run by itself, any number of times, and waits."""
        text = self.cmd(command, timeout=timeout, check=check)
        # GDB tells of the last stop after it has answered.
        text += self.cmd("echo", timeout=timeout)
        text = "".join(stop.text for stop in self._stops) + text
        self._stops.clear()
        return text

    def mi(self, command: str, *, timeout: float | None = None) -> Any:
        """The results of an MI command, as lists and dicts. Raises GdbError."""
        answer = self._ask(command, timeout)
        if answer["message"] == "error":
            raise GdbError(f"{command}: {answer['payload'].get('msg', '')}")
        return answer["payload"]

    def go(self, command: str, *, timeout: float | None = None) -> Stop:
        """Give a command that resumes the target, and wait until it stops."""
        text = self.cmd(command, timeout=timeout)
        stop = self.wait_stop(timeout=timeout)
        return Stop(stop.reason, text + stop.text, stop.results)

    def attach(self, pid: int) -> str:
        """Attach to a process; the text that GDB prints."""
        # GDB/MI answers before the target has stopped and its symbols are read.
        return self.go(f"attach {pid}").text

    def interrupt(self) -> Stop:
        """Stop the running target, as Ctrl-C does; as a person would, again if nothing happens."""
        # GDB that runs a target in the foreground reads no command, but heeds the signal. It is lost in GDB 13 if it
        # comes just when GDB unwinds a frame through Python, as it does while it steps off a breakpoint to continue.
        for _ in range(INTERRUPTS - 1):
            os.kill(self._process.pid, signal.SIGINT)
            with suppress(TimeoutError):
                return self.wait_stop(timeout=INTERRUPT_PATIENCE)
        os.kill(self._process.pid, signal.SIGINT)
        return self.wait_stop()

    def ctrl_c_in(self, function: str, *, raised: bool) -> None:
        """Have Ctrl-C come while the extension works, once, when it calls a function next, `MODULE:NAME`; with `raised`
        just before that has begun."""
        self._know_moments()
        self.cmd(f'python ctrl_c_once("beamgdb.gdbext.{function}", raised={raised})')

    def ended_in(self, function: str, stub: int) -> None:
        """Have a stub, the process `stub`, be killed once, when the extension calls a function next, `MODULE:NAME`."""
        self._know_moments()
        self.cmd(f'python end_once("beamgdb.gdbext.{function}", {stub})')

    def _know_moments(self) -> None:
        self.cmd(f"source {Path(__file__).with_name('moments_in_gdb.py')}")

    def interrupted(self) -> str:
        """Interrupt the running target; all that is printed, also by what GDB calls after it has told of the stop."""
        return self.interrupt().text + self.cmd("echo")

    def wait_stop(self, *, timeout: float | None = None) -> Stop:
        """Wait until the target stops or ends; stops are taken in order. Raises TimeoutError, and EOFError when a stub
        has closed the connection, of which GDB/MI makes no stop."""
        deadline = self._deadline(timeout)
        while not self._stops:
            if self._lost:
                raise EOFError(f"the stub is gone; GDB printed {self._take_text()!r}; {self.last_words()}")
            self._take(self._next_record(deadline))
        stop = self._stops.pop(0)
        return Stop(stop.reason, stop.text + self._take_text(), stop.results)

    def close(self) -> None:
        """End GDB. It lets go of what it attached to and kills what it started."""
        process = self._process
        try:
            if process.poll() is None:
                if self.running:
                    self.interrupt()
                self._write("-gdb-exit")
                process.wait(PATIENCE / 4)
        except (OSError, EOFError, TimeoutError, subprocess.TimeoutExpired):
            pass
        finally:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, self._said):
                with suppress(BrokenPipeError):  # What was not taken of the last command.
                    if stream:
                        stream.close()

    def _deadline(self, timeout: float | None) -> float:
        return time.monotonic() + (self.timeout if timeout is None else timeout)

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def _ask(self, command: str, timeout: float | None) -> Record:
        """Send an MI command; its result record."""
        self._token += 1
        self._write(f"{self._token}{command}")
        deadline = self._deadline(timeout)
        while True:
            record = self._next_record(deadline)
            if record["type"] == "result" and record.get("token") == self._token:
                self.running = self.running or record["message"] == "running"
                return record
            self._take(record)

    def _take(self, record: Record) -> None:
        kind, payload = record["type"], record["payload"]
        if kind in ("console", "log", "target", "output"):
            self._text.append(payload or "")
            self._lost = self._lost or LOST in self._text[-1]
            if self._ctrl_c_after:
                # (A record may have many.)
                self._ctrl_c_after = max(0, self._ctrl_c_after - max(1, self._text[-1].count("\n")))
                if not self._ctrl_c_after:
                    os.kill(self._process.pid, signal.SIGINT)
        elif record["message"] == "running":
            self.running = True
        elif record["message"] == "stopped":
            self.running = False
            results = payload or {}
            self._stops.append(Stop(results.get("reason", ""), self._take_text(), results))

    def _take_text(self) -> str:
        text = SHORT_PART.sub("", GREETING.sub("", "".join(self._text)))
        self._text.clear()
        return text

    def _next_record(self, deadline: float) -> Record:
        while not self._records:
            *lines, self._partial = (self._partial + self._read(deadline)).split(b"\n")
            texts = (line.decode(errors="replace") for line in lines)
            self._records += [parse_response(text) for text in texts if text.strip() not in ("", "(gdb)")]
        return self._records.pop(0)

    def _read(self, deadline: float) -> bytes:
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        if not readable:
            raise TimeoutError(f"GDB gave no answer in time; it printed {self._take_text()!r}")
        chunk = os.read(self._process.stdout.fileno(), 1 << 16)
        if not chunk:
            self._said.seek(0)
            raise EOFError(f"GDB ended; it said {self._said.read().decode(errors='replace')!r}")
        return chunk


def one_line_error(gdb: Gdb, command: str) -> str:
    """The one line of GDB's answer to a command that fails, which is no error of the extension itself."""
    try:
        said = gdb.cmd(command)
    except GdbError as error:
        message = str(error).removeprefix(f"{command}: ").strip()
    else:
        raise AssertionError(f"{command} does not fail: {said}")
    assert "Traceback" not in message
    assert "internal error" not in message
    # By GDB/MI it comes twice, which GDB 18 marks in one case.
    lines = {line.removeprefix("\u274c\ufe0f ") for line in message.splitlines()}
    assert len(lines) == 1, message
    return message


def command_line(program: Path, program_arguments: Sequence[str]) -> list[str]:
    """The arguments of GDB that debug `program` with its arguments; they come last."""
    return ["--args", str(program), *program_arguments]
