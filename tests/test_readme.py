"""What README.md shows is what is printed: its sessions are run, and compared line by line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from jit.sandbox import Sandbox
from tests.harness import gdb_facts
from tests.harness.erl import installed_release
from tests.harness.gdb import REPOSITORY
from tests.harness.patience import PATIENCE

README: Final = (REPOSITORY / "README.md").read_text(encoding="utf-8")
#: What stands for lines that are left out.
LEFT_OUT: Final = "..."
#: What differs from one time, or machine, to the next: addresses, times, and atoms, some of which are names of folders.
CHANGING: Final = re.compile(r"0x[0-9a-f]+|\d+\.\d+ s\b|(?<=^atoms:            )\d+")

#: What a command says meanwhile that takes long.
PROGRESS: Final = re.compile(r"^jit: \d+ of \d+ files\n", re.MULTILINE)


def block(start: str) -> list[str]:
    """The lines of the block of code that has a line which begins so."""
    blocks = re.findall(r"(?:^(?: {4}.*)?\n)+", README, re.MULTILINE)
    (found,) = (text for text in blocks if f"\n    {start}" in text)
    return [line.removeprefix("    ") for line in found.strip("\n").split("\n")]


def exchanges(lines: list[str], prompt: str) -> Iterator[tuple[str, list[str]]]:
    """Each command after a prompt, and the lines that follow."""
    starts = [number for number, line in enumerate(lines) if line.startswith(prompt)]
    for start, end in zip(starts, [*starts[1:], len(lines)]):
        yield lines[start].removeprefix(prompt), lines[start + 1 : end]


def assert_shown(expected: list[str], printed: str) -> None:
    """Each line is there, in order, with others between them only where the README says so."""
    lines = [CHANGING.sub("N", line.rstrip()) for line in printed.rstrip("\n").split("\n")]
    at, anywhere = 0, False
    for line in expected:
        if line == LEFT_OUT:
            anywhere = True
            continue
        wanted = CHANGING.sub("N", line)
        place = lines.index(wanted, at) if anywhere and wanted in lines[at:] else at
        assert place < len(lines), f"{wanted!r} is missing in:\n{printed}"
        assert lines[place] == wanted, printed
        at, anywhere = place + 1, False
    assert anywhere or at == len(lines), f"the README ends before {lines[at:]}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program of the README."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "fib.erl").write_text("\n".join(block("-module(fib).")) + "\n")
    return folder


def shell(command: str, folder: Path, said: str = "") -> str:
    """What a command prints that succeeds."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**os.environ, "PATH": path, "VIRTUAL_ENV": sys.prefix, "TERM": "dumb"}
    root = str(Sandbox("armhf", 27).ensure().otp_root)
    done = subprocess.run(
        command.replace("ROOT", root), shell=True, cwd=folder, env=environment, input=said, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=4 * PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return PROGRESS.sub("", done.stdout)


def test_lines_fit_a_terminal() -> None:
    """But for tables, and for what programs print."""
    for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"):
        lines = (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if len(line) > 120 and not line.startswith(("|", "    "))] == []


def test_each_package_is_in_the_table_of_folders() -> None:
    folders = {f"{path.parent.relative_to(REPOSITORY)}/" for half in ("beamgdb", "jit")
               for path in REPOSITORY.glob(f"{half}/*/__init__.py")}  # fmt: skip
    table = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert folders <= set(re.findall(r"^\| `(.*?)` \|", table, re.MULTILINE))


COMMANDS: Final = ("$ python -m jit run --otp", "$ python -m jit dump", "$ python -m jit coverage")


@pytest.mark.parametrize("start", COMMANDS)
def test_commands_of_the_compiler(folder: Path, start: str) -> None:
    for command, expected in exchanges(block(start), "$ "):
        printed = shell(command, folder)
        if expected or printed:
            assert_shown(expected, printed)


def test_gdb_with_native_code(folder: Path) -> None:
    lines = block("$ python -m jit run --gdb")
    ((command, _),) = exchanges(lines, "$ ")
    session = list(exchanges(lines, "(gdb) "))
    typed = "".join(f"{one}\n" for one, _ in session)
    _, _, *answers = shell(command, folder, f"set height 0\n{typed}kill\n").split("(gdb) ")
    assert len(answers) >= len(session)
    for (_, expected), printed in zip(session, answers):
        if gdb_facts.is_true("names no condition that waits"):
            expected = [re.sub(r" if .*\) pending\.$", ") pending.", line) for line in expected]
        assert_shown(expected, printed)


def test_the_node_of_the_demo() -> None:
    """Where its process is stopped is chance; what is known of the node is not, nor of the code."""
    printed = dict(exchanges(shell("python -m demo", REPOSITORY).splitlines(), "(gdb) "))
    shown = dict(exchanges(block("==> erlc demo/shop.erl"), "(gdb) "))
    # The README shows Debian 12; another one has other numbers.
    is_shown = shown["beam-info"][0].endswith(f"erts {installed_release().erts}")
    varying = re.compile(r"(?!)" if is_shown else r"\d+(\.\d+)*")
    for command in ("beam-info", "break -function shop:price/1"):
        expected = [varying.sub("N", CHANGING.sub("N", line)) for line in shown[command]]
        assert_shown(expected, varying.sub("N", CHANGING.sub("N", "\n".join(printed[command]))))
