"""An Erlang node that answers questions: terms on its standard input, lines on its standard output."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from jit.sandbox.debuggee import die_with_parent
from tests.harness import patience
from tests.harness.erl import SETTINGS

#: Seconds for an answer.
PATIENCE: Final = 2 * patience.PATIENCE


class Silence(Exception):
    """A node has ended, or does not answer. The message tells of its end."""


class Session:
    """A running node. To be used in a ``with`` statement, which ends it."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **SETTINGS},
            preexec_fn=die_with_parent,  # even one that never reads its input again
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _value: object, _trace: TracebackType | None) -> None:
        self.close()

    def ask(self, term: str) -> None:
        """Send a term."""
        assert self._process.stdin
        try:
            self._process.stdin.write(f"{term}.\n")
            self._process.stdin.flush()
        except OSError:
            pass  # `line` tells of the end

    def line(self, patience: float = PATIENCE) -> str:
        """The next line. Raises Silence."""
        try:
            line = self._lines.get(timeout=patience)
        except queue.Empty:
            raise Silence(f"no answer within {patience:.0f} s") from None
        if line is None:
            self._lines.put(None)
            raise Silence(f"ended with status {self._process.wait()}")
        return line

    def lines(self, last: str) -> Iterator[str]:
        """The lines before the one that is *last*. Raises Silence."""
        while (line := self.line()) != last:
            yield line

    def close(self) -> None:
        """End the node."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                try:
                    stream.close()
                except OSError:  # what was to be written to a node that is gone
                    pass

    def _read(self) -> None:
        assert self._process.stdout
        try:
            for line in self._process.stdout:
                self._lines.put(line.rstrip("\n"))
        except ValueError:  # closed
            pass
        self._lines.put(None)


def path_term(path: Path) -> str:
    """A path as a string of Erlang."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
