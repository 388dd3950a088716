"""A client of GDB's debug adapter (`gdb -i dap`), which speaks as editors do (Debug Adapter Protocol)."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from tests.harness.gdb import arguments
from tests.harness.patience import PATIENCE

Body = dict[str, Any]


class DapError(Exception):
    """The adapter answered a request with an error."""


class Dap:
    """One session, with all capabilities that VS Code has. It ends at the end of a `with` block."""

    def __init__(self, gdb: str, *rest: str, environment: Mapping[str, str] | None = None) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the session
        self._process = subprocess.Popen(
            arguments(gdb, "-ix", "-i=dap", *rest),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, env=environment, start_new_session=True,
        )  # fmt: skip
        self._buffer = b""
        self._sequence = 0
        #: All events so far that no one has waited for.
        self.events: list[Body] = []
        own = {"supportsVariableType": True, "supportsVariablePaging": True, "supportsMemoryReferences": True}
        self.capabilities = self.ask("initialize", clientID="vscode", adapterID="gdb", pathFormat="path", **own)
        self.wait("initialized")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self, request: str, *, functions: Sequence[str] = (), lines: Mapping[str, Sequence[int]] | None = None,
              condition: str | None = None, **options: object) -> list[Body]:  # fmt: skip
        """`launch` or `attach`, with the breakpoints that a user has set before, all with the same condition if any;
        what the adapter says of those."""
        given = {} if condition is None else {"condition": condition}
        begun = self._send(request, options)
        found: list[Body] = []
        for path, numbers in (lines or {}).items():
            places = [{"line": line, **given} for line in numbers]
            found += self.ask("setBreakpoints", source={"path": path}, breakpoints=places)["breakpoints"]
        named = [{"name": name, **given} for name in functions]
        found += self.ask("setFunctionBreakpoints", breakpoints=named)["breakpoints"]
        self.ask("setExceptionBreakpoints", filters=[])
        self.ask("configurationDone")
        self._answer(begun)
        return found

    def ask(self, command: str, **options: object) -> Body:
        """Send a request; the body of the answer. Raises DapError."""
        return self._answer(self._send(command, options))

    def wait(self, event: str) -> Body:
        """Wait for an event; its body. Raises TimeoutError."""
        deadline = time.monotonic() + 2 * PATIENCE
        while True:
            for at, one in enumerate(self.events):
                if one["event"] == event:
                    del self.events[at]
                    body: Body = one.get("body", {})
                    return body
            self._take(self._next(deadline))

    def go(self, command: str, **options: object) -> Body:
        """Send a request that resumes the target, and wait until it has stopped."""
        self.ask(command, **options)
        return self.wait("stopped")

    def frames(self, thread: int, levels: int = 20) -> list[Body]:
        """The frames of a thread."""
        found: list[Body] = self.ask("stackTrace", threadId=thread, startFrame=0, levels=levels)["stackFrames"]
        return found

    def variables(self, frame: int) -> Iterator[Body]:
        """Arguments and locals of a frame."""
        for scope in self.ask("scopes", frameId=frame)["scopes"]:
            if scope["name"] in ("Arguments", "Locals"):
                yield from self.children(scope)

    def children(self, variable: Body) -> list[Body]:
        """What is in a scope or a variable that can be expanded."""
        found: list[Body] = self.ask("variables", variablesReference=variable["variablesReference"])["variables"]
        return found

    def repl(self, command: str, frame: int | None = None) -> str:
        """What a command prints that is typed into the debug console."""
        options = {} if frame is None else {"frameId": frame}
        text: str = self.ask("evaluate", expression=command, context="repl", **options)["result"]
        return text

    def close(self) -> None:
        """End it. The adapter lets go of what it attached to."""
        try:
            if self._process.poll() is None:
                self.ask("disconnect")
                self._process.wait(PATIENCE / 4)
        except (OSError, EOFError, TimeoutError, DapError, subprocess.TimeoutExpired):
            pass
        finally:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout, self._said):
                if stream:
                    stream.close()

    def _send(self, command: str, options: Mapping[str, object]) -> int:
        self._sequence += 1
        message = {"seq": self._sequence, "type": "request", "command": command, "arguments": options}
        data = json.dumps(message).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(data), data))
        self._process.stdin.flush()
        return self._sequence

    def _answer(self, sequence: int) -> Body:
        deadline = time.monotonic() + 2 * PATIENCE
        while True:
            message = self._next(deadline)
            if message["type"] == "response" and message["request_seq"] == sequence:
                if not message["success"]:
                    raise DapError(f"{message['command']}: {message.get('message')}")
                body: Body = message.get("body") or {}
                return body
            self._take(message)

    def _take(self, message: Body) -> None:
        if message["type"] == "event":
            self.events.append(message)

    def _next(self, deadline: float) -> Body:
        head = self._until(b"\r\n\r\n", deadline)
        size = int(head.rpartition(b"Content-Length:")[2])
        while len(self._buffer) < size:
            self._read(deadline)
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        message: Body = json.loads(data)
        return message

    def _until(self, end: bytes, deadline: float) -> bytes:
        while end not in self._buffer:
            self._read(deadline)
        head, _, self._buffer = self._buffer.partition(end)
        return head

    def _read(self, deadline: float) -> None:
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        if not readable:
            raise TimeoutError(f"the adapter said nothing in time; events: {self.events!r}")
        chunk = os.read(self._process.stdout.fileno(), 1 << 16)
        if not chunk:
            self._said.seek(0)
            raise EOFError(f"GDB ended; it said {self._said.read().decode(errors='replace')!r}")
        self._buffer += chunk
