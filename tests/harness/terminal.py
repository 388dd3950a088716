"""A terminal that a test sits at: it types, and looks at the screen."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.harness.patience import PATIENCE

COLUMNS, LINES = 80, 24

#: How often it is looked until tmux (3.3) is helped: it may miss that a program has ended, until another one does.
LOOKS = 20


@dataclass(frozen=True)
class Terminal:
    """One of tmux, whose server is reached by a socket of its own."""

    socket: Path

    def ask(self, *words: str) -> str:
        """What tmux answers to a command of its own."""
        command = ("tmux", "-u", "-S", str(self.socket), "-f", "/dev/null", *words)
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE).stdout

    def type(self, line: str) -> None:
        """Type a line."""
        self.ask("send-keys", "-l", line)
        self.press("Enter")

    def press(self, *keys: str) -> None:
        """Press keys, by the names that tmux has for them."""
        self.ask("send-keys", *keys)

    def click(self, row: int) -> None:
        """Click the mouse at the beginning of a row, counted from 0 (SGR mode of xterm: pressed, let go)."""
        self.ask("send-keys", "-l", "".join(f"\x1b[<0;3;{row + 1}{letter}" for letter in "Mm"))

    def roll(self, row: int, *, down: bool) -> None:
        """Roll its wheel there."""
        self.ask("send-keys", "-l", f"\x1b[<{65 if down else 64};3;{row + 1}M")

    def resize(self, columns: int, lines: int) -> None:
        """Make the terminal larger or smaller."""
        self.ask("resize-window", "-x", str(columns), "-y", str(lines))

    def screen(self) -> str:
        """What is on the screen."""
        return self.ask("capture-pane", "-p")

    def awaited(self, pattern: str) -> str:
        """The screen, once it has what is awaited. Raises TimeoutError."""
        deadline, looks = time.monotonic() + PATIENCE, 0
        while not re.search(pattern, screen := self.screen(), re.M):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {pattern!r} on the screen:\n{screen}")
            time.sleep(0.05)
            looks += 1
            if looks % LOOKS == 0:
                self.ask("run-shell", "true")
        return screen


@contextmanager
def terminal(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None, folder_of: Path | None = None
) -> Iterator[Terminal]:
    """A terminal in which a program runs, in the folder `folder_of`; both end with the block. The socket is in
    `folder`. What the program has printed is still on the screen when it has ended."""
    found = Terminal(folder / "tmux")
    variables = {"LC_ALL": "C.UTF-8", "HOME": str(folder), **(environment or {})}
    options = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
    size = ("-x", str(COLUMNS), "-y", str(LINES))
    found.ask(
        "set-option", "-g", "remain-on-exit", "on", ";", "set-option", "-g", "status", "off", ";",
        "new-session", "-d", *size, *options, "-c", str(folder_of or Path.cwd()), *command,
    )  # fmt: skip
    try:
        yield found
    finally:
        subprocess.run(["tmux", "-S", str(found.socket), "kill-server"], stderr=subprocess.DEVNULL, timeout=PATIENCE)
