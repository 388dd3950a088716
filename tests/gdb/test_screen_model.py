"""What the screen knows of a GDB, without the screen: a real one, which has nothing to look at but small programs."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from beamgdb.asked_gdb import Gdb
from beamgdb.screen.command import command
from beamgdb.screen.connection import HASTE
from beamgdb.screen.model import ENDED, GONE, STARTING, STOPPED, Model
from beamgdb.screen.targets import Target
from tests.harness.gdb import GDB, REPOSITORY
from tests.harness.patience import PATIENCE

LOADER = REPOSITORY / "beamgdb" / "loader.py"
TRUE = shutil.which("true") or "true"


async def until(look: Callable[[], bool]) -> None:
    """Look until it is so."""
    for _ in range(int(PATIENCE / 0.02)):
        if look():
            return
        await asyncio.sleep(0.02)
    raise TimeoutError


def with_model(
    use: Callable[[Model], Awaitable[None]], *words: str, gdb: str = GDB, environment: dict[str, str] | None = None
) -> Model:
    """A model of a GDB that has started, as long as it is used."""
    asked = command(Gdb(gdb, LOADER), words)
    target = Target("test", asked, {**os.environ, **(environment or {})}, is_started="--args" in words, loader=LOADER)
    model = Model(target, lambda: None)

    async def used() -> None:
        await model.start()
        try:
            await use(model)
        finally:
            await model.end(kill=True)

    asyncio.run(used())
    return model


def is_idle(model: Model) -> bool:
    """Whether all is done that was given."""
    return model.state != STARTING and model.asked is None and not model._commands


def test_a_gdb_that_dies_while_others_hold_its_output() -> None:
    """It is seen, although a program that GDB has begun could still write there."""

    async def use(model: Model) -> None:
        await until(lambda: is_idle(model))
        model.do("shell sleep 60 & echo $! >&2")
        await until(lambda: is_idle(model) and model.log[-1].isdecimal())
        gdb = model._connection.pid
        assert gdb is not None
        os.kill(gdb, signal.SIGKILL)
        try:
            await asyncio.wait_for(until(lambda: model.state == ENDED), 10 * HASTE)
        finally:
            os.kill(int(model.log[-1]), signal.SIGKILL)

    assert with_model(use).where == "GDB was ended by SIGKILL"


def test_lines_that_are_typed_ahead() -> None:
    """They are of the command that they stand behind, also before GDB has come to ask for them."""

    async def use(model: Model) -> None:
        await until(lambda: is_idle(model))
        for line in (
            "shell sleep 0.3",
            "python",
            "for one in range(2):",
            "  print(one + 40)",
            "",
            "end",
            "define twice",
        ):
            model.do(line)
        await until(lambda: model.asked == "define twice")
        model.more("if 1", "echo two\\n", "end", "end", "twice")
        await until(lambda: is_idle(model))

    log = list(with_model(use).log)
    assert [one for one in log if not one.startswith(("(gdb)", ">"))][-3:] == ["40", "41", "two"]
    assert not any("Undefined" in one for one in log)


def test_no_server_is_asked() -> None:
    """By any GDB; a program that it starts has the variable as ever."""

    async def use(model: Model) -> None:
        await until(lambda: is_idle(model))
        model.do("python import os; print('own', repr(os.environ.get('DEBUGINFOD_URLS', '')))")
        model.do("show environment DEBUGINFOD_URLS")
        model.do("show debuginfod enabled")
        await until(lambda: is_idle(model))

    log = "\n".join(with_model(use, environment={"DEBUGINFOD_URLS": "http://127.0.0.1:9/"}).log)
    assert "DEBUGINFOD_URLS = http://127.0.0.1:9/" in log
    assert "own ''" in log or "set to off" in log.replace('"', "")


def test_the_extension_is_there_after_ctrl_c(tmp_path: Path) -> None:
    """Which has come while it was being loaded: it is loaded again."""
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import sys, time\n"
        "class Slow:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'beamgdb.gdbext':\n"
        "            sys.meta_path.remove(self)\n"
        "            print('it is loaded', flush=True)\n"
        "            time.sleep(1000)\n"
        "sys.meta_path.insert(0, Slow())\n"
    )
    gdb = tmp_path / "gdb"
    gdb.write_text(f'#!/bin/sh\nexec {GDB} -iex "source {slow}" "$@"\n')
    gdb.chmod(0o755)

    async def use(model: Model) -> None:
        await until(lambda: "it is loaded" in model.log)
        model.interrupt()
        await until(lambda: is_idle(model))
        model.do("beam-context -json")
        await until(lambda: is_idle(model))

    assert not re.search("Undefined", "\n".join(with_model(use, "--args", TRUE, gdb=str(gdb)).log))


def test_a_program_that_does_not_run() -> None:
    async def use(model: Model) -> None:
        await until(lambda: is_idle(model))
        assert (model.state, model.where) == (GONE, "GDB has no program that runs")

    with_model(use, TRUE)


def test_another_program_is_still_there() -> None:
    """Only the last one that ends leaves none."""

    async def use(model: Model) -> None:
        await until(lambda: is_idle(model))
        for line in ("starti", "add-inferior -exec " + TRUE, "inferior 2", "starti", "continue"):
            model.do(line)
            await until(lambda: is_idle(model) and model.state in (STOPPED, GONE))
        assert (model.state, model.where) == (STOPPED, "a program has ended, and another one is there")
        assert model.pid is not None
        for line in ("inferior 1", "continue"):
            model.do(line)
            await until(lambda: is_idle(model) and model.state in (STOPPED, GONE))
        await until(lambda: model.state == GONE)

    with_model(use, "--args", TRUE)


def test_the_process_of_a_program_that_gdb_starts() -> None:
    async def use(model: Model) -> None:
        await until(lambda: is_idle(model))
        model.do("starti")
        await until(lambda: is_idle(model) and model.state == STOPPED)
        assert model.pid is not None
        assert Path(f"/proc/{model.pid}/cmdline").read_text().split("\0")[0] == TRUE

    with_model(use, "--args", TRUE)
