"""The same work on many files, by several processes."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from jit.commands.errors import CommandError, told_of_work
from jit.commands.progress import Progress

T = TypeVar("T")


@dataclass(frozen=True)
class Failure:
    """What is wrong with a file."""

    message: str


def over_files(work: Callable[[Path], T], paths: Sequence[Path], jobs: int | None = None) -> Iterator[T | Failure]:
    """What *work* gives for each file, in their order. Tells of the progress.

    *work* and what it gives must be picklable. *jobs* processes do it, by default one for each processor; they end with
    the iteration, also when that is left early. Raises CommandError when one of them is killed.
    """
    progress = Progress(len(paths))
    with _mapping(min(jobs or len(os.sched_getaffinity(0)), len(paths))) as mapped:
        try:
            for path, result in zip(paths, mapped(partial(_guarded, work), paths)):
                progress.clear()  # something may be told of it
                yield result
                progress.done(path.name)
        finally:
            progress.clear()


def _guarded(work: Callable[[Path], T], path: Path) -> T | Failure:
    # Nearly all that is made of a file is wanted until it is done: to look there for garbage takes a fifth of the time.
    gc.disable()
    try:
        return work(path)
    except Exception as error:
        # Told here, as not every exception finds its way from one process to another.
        return Failure(told_of_work(error, str(path)))
    finally:
        gc.enable()


@contextmanager
def _mapping(jobs: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """The function ``map``, or one like it by several processes."""
    if jobs < 2:
        yield map
        return
    pool = ProcessPoolExecutor(jobs, initializer=_leave_interrupts_to_parent)
    try:
        yield partial(_in_order, pool)
    except BaseException as error:
        for process in multiprocessing.active_children():
            process.terminate()
        if isinstance(error, BrokenProcessPool):
            raise CommandError("a process was killed, perhaps for want of memory: try it with --jobs 1") from None
        raise
    finally:
        pool.shutdown()


def _in_order(pool: ProcessPoolExecutor, work: Callable[[Path], T], paths: Sequence[Path]) -> Iterator[T]:
    """As ``pool.map``, which cancels what is left when it ends early: the pool stumbles over that when it is broken."""
    waiting = deque(pool.submit(work, path) for path in paths)
    while waiting:
        yield waiting.popleft().result()


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
