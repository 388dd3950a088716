"""What helps one who types commands: completion by GDB, and history."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from pathlib import Path

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from beamgdb.screen.model import Model


class Commands(Completer):
    """What GDB offers for a command line."""

    def __init__(self, model: Callable[[], Model]) -> None:
        self._model = model

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> list[Completion]:
        """None at once: GDB is asked in the background."""
        return []

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        text = document.text_before_cursor
        for one in await self._model().completed(text):
            yield Completion(one, -len(text), display=one.rpartition(" ")[2])


def history() -> History:
    """Of the command line, kept as other programs keep theirs; only in memory where that cannot be."""
    folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "beamgdb"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "history").touch(0o600)
    except OSError:
        return InMemoryHistory()
    return _Kept(str(folder / "history"))


class _Kept(FileHistory):
    """In a file, to which nothing is added where that cannot be, as on a disk that is full: what is typed is done."""

    def store_string(self, string: str) -> None:
        with suppress(OSError):
            super().store_string(string)
