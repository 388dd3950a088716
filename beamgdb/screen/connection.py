"""A GDB that is spoken to by GDB/MI, in the background: nothing here waits for it but who awaits an answer."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from pygdbmi.gdbmiparser import parse_response

PIECE: Final = 1 << 16
"""Bytes that are read at a time."""

PATIENCE: Final = 20.0
"""Seconds that GDB is given to end, once it was told to. It first lets go of its target."""

PROGRESS: Final = "beam-progress: "
"""What a record of the log begins with that tells how far a question has come."""

LONGEST_RECORD: Final = 64 << 20
"""Bytes of a record that is taken: no answer has a longer line."""


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
    """Something that GDB tells unasked: what is `running`, `stopped` (then with what GDB/MI says of it), a `text` for
    the console, `progress` of the question that is asked, or that it has `ended`."""

    what: str
    text: str = ""
    results: Mapping[str, Any] = field(default_factory=dict)


class Connection:
    """One GDB, from `start` to its end. `tell` is called with what happens, in the order in which it does."""

    def __init__(self, tell: Callable[[Happened], None]) -> None:
        self._tell = tell
        self._process: asyncio.subprocess.Process | None = None
        self._waits: tuple[int, asyncio.Future[Mapping[str, Any]]] | None = None
        self._text: list[str] = []
        self._notes: list[str] = []
        self._token = 0
        self._turn = asyncio.Lock()
        self.ended: str | None = None
        """How GDB has ended, None while it runs."""

    @property
    def pid(self) -> int | None:
        """GDB's process."""
        return self._process.pid if self._process is not None else None

    async def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it. Raises OSError."""
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT, env=dict(environment),
            start_new_session=True,  # Ctrl-C is for us, and a key
        )  # fmt: skip
        self._reader = asyncio.create_task(self._read())

    async def ask(self, command: str) -> Reply:
        """Give a command to the console, when all that were given before are answered. Raises `Ended`."""
        quoted = command.replace("\\", "\\\\").replace('"', '\\"')
        return await self.ask_mi(f'-interpreter-exec console "{quoted}"')

    async def ask_mi(self, command: str) -> Reply:
        """Give a command of GDB/MI likewise; it is one line, whatever was pasted into it."""
        async with self._turn:
            if self.ended is not None or self._process is None or self._process.stdin is None:
                raise Ended(self.ended or "GDB was not started")
            self._token += 1
            answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
            self._waits = self._token, answer
            self._text, self._notes = [], []
            line = " ".join(command.splitlines())
            self._process.stdin.write(f"{self._token}{line}\n".encode("utf-8", "replace"))
            try:
                record = await answer
            finally:
                self._waits = None
            payload = record["payload"] or {}
            error = str(payload.get("msg", "")) if record["message"] == "error" else None
            return Reply("".join(self._text), "".join(self._notes), error, payload)

    def interrupt(self) -> None:
        """End the question that is asked, or stop the program that runs."""
        if self._process is not None and self.ended is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGINT)

    async def end(self) -> None:
        """Have GDB end. It lets go of what it was attached to, and ends what it has started."""
        if self._process is None or self.ended is not None:
            return
        if self._process.stdin is not None:
            with suppress(ConnectionError):
                self._process.stdin.write(b"-gdb-exit\n")
                self._process.stdin.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._reader), PATIENCE)
                return
            with suppress(ProcessLookupError):
                self._process.send_signal(number)
        await self._reader

    async def _read(self) -> None:
        """Take what GDB says until it ends."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        partial = b""
        while piece := await process.stdout.read(PIECE):
            *lines, partial = (partial + piece).split(b"\n")
            partial = partial[-LONGEST_RECORD:]
            for line in lines:
                text = line.decode(errors="replace").strip()
                if text not in ("", "(gdb)"):
                    self._take_safely(text)
        status = await process.wait()
        self.ended = _how(status)
        if self._waits is not None and not self._waits[1].done():
            self._waits[1].set_exception(Ended(self.ended))
        self._tell(Happened("ended", self.ended))

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
        else:
            self._take_text(kind, payload if isinstance(payload, str) else "")

    def _take_text(self, kind: str, text: str) -> None:
        if kind == "log" and text.startswith(PROGRESS):
            self._tell(Happened("progress", text[len(PROGRESS) :].strip()))
        elif self._waits is None:
            self._tell(Happened("text", text))
        else:
            (self._notes if kind == "log" else self._text).append(text)


def _how(status: int) -> str:
    """How a program has ended."""
    if status >= 0:
        return f"GDB has ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"GDB was ended by {name}"
