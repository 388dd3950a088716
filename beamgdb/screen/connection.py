"""A GDB that is spoken to by GDB/MI, in the background: nothing here waits for it but who awaits an answer."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from asyncio.subprocess import SubprocessStreamProtocol
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from typing import Any, Final

from pygdbmi.gdbmiparser import parse_response

from beamgdb.late import dataclass
from beamgdb.screen.printed import Printed

PIECE: Final = 1 << 12
"""Bytes that are read at a time: while they are taken apart keys wait."""

READ_AHEAD: Final = 1 << 16
"""About as many are taken from GDB before that."""

PATIENCE: Final = 20.0
"""Seconds that GDB is given to end, once it was told to. It first lets go of its target."""

HASTE: Final = 1.0
"""The same where there is nothing to let go of."""

QUIET: Final = 0.2
"""Seconds without a word after which a prompt for a line is one."""

PROGRESS: Final = "beam-progress: "
"""What a record of the log begins with that tells how far a question has come."""

LONGEST: Final = 64 << 20
"""Bytes of a record, and characters of an answer, that are taken: none is longer."""

MORE: Final = re.compile(r" *>")
PROMPTS: Final = re.compile(rb"[ >]*>")
BEHIND_PROMPTS: Final = re.compile(rb"^[ >]*>(?=[0-9]*[\^*=~@&])")
"""The prompt for a further line of a command: a record, but in GDB 18, which writes them before the next record."""

RECORD: Final = re.compile(rb"[0-9]*[\^*+=~@&]")
BARE: Final = re.compile(rb"[\x80-\xff]")
"""With what a record begins; and bytes of letters beyond ASCII, of which GDB escapes some and others not."""

OF_SHELL: Final = re.compile(r"(shell|make|pipe)(\s|$)|[!|]")
"""Commands for which GDB runs another program, and waits for it."""

DIE: Final = f"python import ctypes; ctypes.CDLL(None).prctl(1, {int(signal.SIGTERM)})"
"""What has GDB end with this process (PR_SET_PDEATHSIG of prctl(2)), and let go of its target, from when it is given,
behind the attaching: that SIGTERM would cut short where GDB has not yet taken back the signal that stops the target,
which would then stand still for ever. Until then GDB goes on, and ends as nothing more is to be read."""

NO_PYTHON: Final = b")(\nend\n"
"""What ends a block of Python so that none of it is run."""


class Ended(Exception):
    """GDB is no more; the text says how it has ended."""


@dataclass(frozen=True)
class Reply:
    """What GDB has said to a command: the text of its console, notes of its log, the error if it failed, and what
    GDB/MI has for results."""

    text: str
    notes: str = ""
    error: str | None = None
    results: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Happened:
    """Something that GDB tells unasked: what is `running`, `stopped` (then with what GDB/MI says of it), `selected`
    (another thread or frame, likewise), a program has `begun` (likewise, as with its process) or is `gone` (GDB's id of
    it in `text`), a `text` for the console, `progress` of the question that is asked, that the command which is asked
    wants `more` lines, or that it has `ended`."""

    what: str
    text: str = ""
    results: Mapping[str, Any] = field(default_factory=dict)


class Watched(SubprocessStreamProtocol):
    """What asyncio reads of a process: all that it has said, and no more soon after it has ended, although another
    program, as of `shell COMMAND &`, may hold its output, and go on."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._read_by = transport

    def process_exited(self) -> None:
        super().process_exited()
        asyncio.get_running_loop().call_later(HASTE, self._read_by.close)


class Connection:
    """One GDB, from `start` to its end. `tell` is called with what happens, in the order in which it does."""

    def __init__(self, tell: Callable[[Happened], None]) -> None:
        self._tell = tell
        self._process: asyncio.subprocess.Process | None = None
        self._waits: tuple[int, asyncio.Future[Mapping[str, Any]]] | None = None
        self._text: list[str] = []
        self._notes: list[str] = []
        self._size = 0
        self._asked = ""
        self._is_told = self._has_prompted = False
        self._last = ""
        self._pieces = 0
        self._token = 0
        self._turn = asyncio.Lock()
        self.ended: str | None = None
        """How GDB has ended, None while it runs."""

    @property
    def pid(self) -> int | None:
        """GDB's process."""
        return self._process.pid if self._process is not None else None

    async def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it. A program that it starts has a terminal of its own: it would read GDB's commands, and write between
        its answers. Raises OSError."""
        pipe, (variables, settings) = asyncio.subprocess.PIPE, _without_servers(environment)
        self._printed = Printed(lambda text: self._tell(Happened("text", text)))
        name, *words = command
        loop = asyncio.get_running_loop()
        try:
            transport, protocol = await loop.subprocess_exec(
                lambda: Watched(limit=READ_AHEAD, loop=loop),
                name, "-iex", f"set inferior-tty {self._printed.name}", *settings, "-ex", DIE, *words,
                stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT, env=variables,
                start_new_session=True,  # Ctrl-C is for us, and a key
            )  # fmt: skip
            self._process = asyncio.subprocess.Process(transport, protocol, loop)
        except OSError:
            self._printed.close()
            raise
        self._reader = asyncio.create_task(self._read())

    async def ask(self, command: str, *, is_told: bool = False) -> Reply:
        """Give a command to the console, when all that were given before are answered. With `is_told` what it says is
        told as it comes, and not in the reply, and it may want more lines. Raises `Ended`."""
        quoted = command.replace("\\", "\\\\").replace('"', '\\"')
        return await self.ask_mi(f'-interpreter-exec console "{quoted}"', is_told=is_told, command=command)

    async def ask_mi(self, text: str, *, is_told: bool = False, command: str = "") -> Reply:
        """Give a command of GDB/MI likewise; it is one line, whatever was pasted into it."""
        async with self._turn:
            if self.ended is not None or self._process is None or self._process.stdin is None:
                raise Ended(self.ended or "GDB was not started")
            self._token += 1
            answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
            self._waits = self._token, answer
            self._text, self._notes, self._size, self._last = [], [], 0, ""
            self._asked, self._is_told, self._has_prompted = command, is_told, False
            line = " ".join(text.splitlines())
            self._process.stdin.write(f"{self._token}{line}\n".encode("utf-8", "replace"))
            try:
                record = await answer
            finally:
                self._waits = None
            payload = record["payload"] or {}
            error = str(payload.get("msg", "")) if record["message"] == "error" else None
            return Reply("".join(self._text), "".join(self._notes), error, payload)

    def more(self, line: str) -> None:
        """Give the line that the command wants."""
        self._last = ""
        self._write(f"{' '.join(line.splitlines())}\n".encode("utf-8", "replace"))

    def give_up(self) -> None:
        """End a command that wants more lines, as if it had not been given. Python looks for signals only when a line
        has come, and that of GDB 10 not at all."""
        self.interrupt()
        waits, loop = self._waits, asyncio.get_running_loop()

        def go_on(*rest: bytes) -> None:
            if rest and waits is not None and self._waits is waits:
                self._write(rest[0])
                loop.call_later(QUIET, go_on, *rest[1:])

        loop.call_later(QUIET, go_on, b"\n", NO_PYTHON)

    def interrupt(self) -> None:
        """End the question that is asked, or stop the program that runs."""
        if self._process is not None and self.ended is None:
            is_of_shell = self._waits is not None and OF_SHELL.match(self._asked)
            with suppress(ProcessLookupError):
                (os.killpg if is_of_shell else os.kill)(self._process.pid, signal.SIGINT)

    async def end(self, *, has_target: bool, is_busy: bool) -> None:
        """Have GDB end. It lets go of what it was attached to, and ends what it has started, if it `has_target`. While
        it `is_busy` it takes no command, and is told by a signal."""
        if self._process is None or self.ended is not None:
            return
        if not is_busy:
            self._write(b"-gdb-exit\n")
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.close()
        patience = PATIENCE if has_target else HASTE
        if is_busy:
            self.interrupt()  # else what it does first is not ended by the other signal
        for number, seconds in ((signal.SIGTERM, HASTE if is_busy else patience), (signal.SIGKILL, patience)):
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._reader), seconds)
                return
            with suppress(ProcessLookupError):
                self._process.send_signal(number)
        with suppress(asyncio.TimeoutError):
            # Its output may have been left to another program, which goes on.
            await asyncio.wait_for(self._reader, HASTE)

    def _write(self, data: bytes) -> None:
        if self._process is not None and self._process.stdin is not None and self.ended is None:
            with suppress(ConnectionError, RuntimeError):
                self._process.stdin.write(data)

    async def _read(self) -> None:
        """Take what GDB says until it ends."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        partial = bytearray()
        while piece := await process.stdout.read(PIECE):
            first, *others = piece.split(b"\n")
            partial += first
            for other in others:
                self._take_line(bytes(partial))
                partial = bytearray(other)
            del partial[:-LONGEST]
            self._pieces += 1
            if self._is_told and (PROMPTS.fullmatch(partial) if partial else MORE.fullmatch(self._last)):
                asyncio.get_running_loop().call_later(QUIET, self._quiet, self._pieces)
            # A read that has not to wait lets nothing else run, such as keys.
            await asyncio.sleep(0)
        status = await process.wait()
        self.ended = _how(status)
        self._printed.close()
        if self._waits is not None and not self._waits[1].done():
            self._waits[1].set_exception(Ended(self.ended))
        self._tell(Happened("ended", self.ended))

    def _take_line(self, line: bytes) -> None:
        if self._has_prompted:
            line = BEHIND_PROMPTS.sub(b"", line)
        if RECORD.match(line):
            line = BARE.sub(lambda found: b"\\%03o" % found[0][0], line)
        text = line.decode(errors="replace").strip()
        if text not in ("", "(gdb)"):
            self._take_safely(text)

    def _quiet(self, pieces: int) -> None:
        """GDB has shown a prompt, and perhaps said nothing since."""
        if pieces == self._pieces and self._is_told and self._waits is not None:
            self._has_prompted = True
            self._tell(Happened("more"))

    def _take_safely(self, line: str) -> None:
        """Take a record; what makes no sense is text for people, for what follows is still to be taken."""
        try:
            self._take(line)
        except Exception:
            self._tell(Happened("text", line + "\n"))

    def _take(self, line: str) -> None:
        record = parse_response(line)
        kind, message, payload = record["type"], record["message"], record["payload"]
        if kind == "result":
            if self._waits is not None and record.get("token") == self._waits[0] and not self._waits[1].done():
                if message == "running":
                    self._tell(Happened("running"))
                self._waits[1].set_result(record)
        elif kind == "notify":
            if message in ("running", "stopped"):
                self._tell(Happened(message, results=payload or {}))
            elif message in ("thread-group-started", "thread-group-exited"):
                what = "begun" if message.endswith("started") else "gone"
                self._tell(Happened(what, str((payload or {}).get("id")), payload or {}))
            elif message == "thread-selected":
                self._tell(Happened("selected", results=payload or {}))
        else:
            text = payload if isinstance(payload, str) else ""
            # What is no record is a line that another program has printed.
            self._take_text(kind, f"{text}\n" if kind == "output" else text)

    def _take_text(self, kind: str, text: str) -> None:
        self._last = text
        if kind == "log" and text.startswith(PROGRESS):
            self._tell(Happened("progress", text[len(PROGRESS) :].strip()))
        elif self._waits is None or self._is_told:
            if not MORE.fullmatch(text):
                self._tell(Happened("text", text))
        elif self._size < LONGEST:
            self._size += len(text)
            (self._notes if kind == "log" else self._text).append(text)


def _without_servers(environment: Mapping[str, str]) -> tuple[dict[str, str], Sequence[str]]:
    """An environment by which GDB asks no server for debug information, as GDB 10 and 11 do unless told so here, and
    options by which a program that GDB starts has its own value, and `set debuginfod enabled on` of a later GDB too."""
    servers = environment.get("DEBUGINFOD_URLS")
    if not servers:
        return dict(environment), ()
    told = (f"set environment DEBUGINFOD_URLS {servers}", f"set debuginfod urls {servers}")
    return {**environment, "DEBUGINFOD_URLS": ""}, [word for one in told for word in ("-iex", one)]


def _how(status: int) -> str:
    """How a program has ended."""
    if status >= 0:
        return f"GDB has ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"GDB was ended by {name}"
