"""Stock Erlang nodes that run the modules of `tests/erl`, and only as long as they are wanted."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.harness.patience import PATIENCE

TESTS = Path(__file__).resolve().parent.parent
GLUE = TESTS.parent / "jit" / "erts" / "glue"
READY = "node is ready"
#: How far a node that is ready steps back for the tests that run beside it, as `nice`: a process that is always busy
#: would take a third of the time of two processors, also while nobody looks at it.
STEPS_BACK = 10

_NO_FLAGS = {"ERL_FLAGS": "", "ERL_AFLAGS": "", "ERL_ZFLAGS": ""}
#: No crash dump, nobody's own flags, and not 64 MiB that the C library reserves per thread: GDB writes them to a core.
SETTINGS = {"ERL_CRASH_DUMP": "/dev/null", "MALLOC_ARENA_MAX": "1", **_NO_FLAGS}


@dataclass(frozen=True)
class Release:
    """An installed Erlang/OTP: its folder, the version of erts, and the number of the release."""

    root: Path
    erts: str
    otp: int

    @property
    def bindir(self) -> Path:
        return self.root / f"erts-{self.erts}" / "bin"

    @property
    def beam(self) -> Path:
        """The emulator."""
        return self.bindir / "beam.smp"

    def environment(self) -> dict[str, str]:
        """What `beam` needs in its environment when it is started without `erl`."""
        own = {"ROOTDIR": str(self.root), "BINDIR": str(self.bindir), "EMU": "beam", "PROGNAME": "erl"}
        return {**os.environ, **SETTINGS, **own}

    def arguments(self, ebin: Path, expression: str, *flags: str) -> list[str]:
        """The arguments of `beam`, as `erl -noinput -pa EBIN -eval EXPRESSION` gives them; `flags` as `-S 2:2`."""
        system = ["-root", str(self.root), "-bindir", str(self.bindir), "-progname", "erl", "--", "-home", "/", "--"]
        return [*flags, "--", *system, "-noshell", "-noinput", "-pa", str(ebin), "-eval", expression]


@dataclass(frozen=True)
class Node:
    """A running node: `pid` is the process id of its emulator, `said` what it printed before it was ready."""

    pid: int
    release: Release
    ebin: Path
    said: str = ""


@cache
def installed_release() -> Release:
    """The release that `erl` runs."""
    values = "code:root_dir(), erlang:system_info(version), erlang:system_info(otp_release)"
    ask = f'io:format("~ts~n~ts~n~ts~n", [{values}]), halt().'
    answer = subprocess.run(["erl", "-noinput", "-eval", ask], capture_output=True, text=True, timeout=PATIENCE)
    root, erts, otp = answer.stdout.splitlines()
    return Release(Path(root), erts, int(otp))


def compile_beams(ebin: Path, erlc: str | Path = "erlc") -> None:
    """Compile `tests/erl` into the folder `ebin`, for any architecture and any release from that of the compiler on."""
    _succeed([str(erlc), "-o", str(ebin), *map(str, sorted((TESTS / "erl").glob("*.erl")))])


def compile_all(ebin: Path) -> None:
    """Compile `tests/erl` and `tests/nif` into a folder, for the installed Erlang/OTP."""
    compile_beams(ebin)
    compile_nifs(ebin)


def compile_demo(ebin: Path) -> Path:
    """Compile the module of `make demo` into a folder; that folder."""
    _succeed(["erlc", "-o", str(ebin), str(TESTS.parent / "demo" / "shop.erl")])
    return ebin


def compile_nifs(ebin: Path, compiler: str = "gcc") -> None:
    """Compile `tests/nif` into the folder `ebin`, for the architecture of a C compiler."""
    folders = [f"-I{installed_release().root / 'usr' / 'include'}", f"-I{GLUE}"]
    for source in sorted((TESTS / "nif").glob("*.c")):
        library = ebin / f"{source.stem}.so"
        _succeed([compiler, "-shared", "-fPIC", "-O1", "-g", *folders, str(source), "-o", str(library)])


@contextmanager
def running_node(ebin: Path, expression: str, *flags: str) -> Iterator[Node]:
    """A node that has evaluated `expression` (such as "busy:start()"); it is killed on the way out.

    `flags` are those of `erl`, such as `"+S", "2"`.
    """
    ready = f'{expression}, io:format("{READY}~n").'
    command = ["erl", "-noinput", "+S", "2", "-pa", str(ebin), *flags, "-eval", ready]
    with tempfile.NamedTemporaryFile() as file, running(command, Path(file.name)) as process:
        said = Path(file.name).read_text().partition(READY)[0]
        # `erl` and `erlexec` have become the emulator by exec: the process is still the one started here.
        yield Node(process.pid, installed_release(), ebin, said)


@contextmanager
def running(command: Sequence[str], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process of a node, from when it has printed READY to the file `output`, and it runs when others leave it the
    time; it is killed on the way out."""
    with (
        output.open("wb") as file,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, env=os.environ | SETTINGS
        ) as process,
    ):
        try:
            _await_ready(process, output)
            _step_back(process.pid)
            yield process
        finally:
            process.kill()


def _await_ready(process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while READY not in (said := output.read_text(errors="replace")):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the node ended or was not ready in {PATIENCE:.0f} s; it said: {said!r}")
        time.sleep(0.01)


def _step_back(pid: int) -> None:
    for thread in (int(folder.name) for folder in Path(f"/proc/{pid}/task").iterdir()):
        with suppress(ProcessLookupError):  # it may have ended
            os.setpriority(os.PRIO_PROCESS, thread, max(STEPS_BACK, os.getpriority(os.PRIO_PROCESS, thread)))


def _succeed(command: Sequence[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}")


def missing_programs() -> list[str]:
    """Programs that are needed to run nodes and are not installed."""
    return [program for program in ("erl", "erlc", "gcc") if shutil.which(program) is None]
