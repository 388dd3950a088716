"""The Erlangs that the same tests run on, and GDB sessions with a node of each: attached, remote, or on a core file.

Each is one of Debian's, as `beamgdb.sandbox` fetches it. Those for ARM run under qemu-user, to which GDB connects from
the first instruction on; that is also what writes their core files. The others run natively, and are remote through
gdbserver. Builds of one's own are more of them: see `builds`.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

from jit.otp.layouts.layout import load_table
from jit.sandbox.debuggee import debuggee
from jit.sandbox.sandbox import Sandbox
from tests.harness import builds, built, gdbserver, releases
from tests.harness.core import thread_that_died, write_core
from tests.harness.erl import READY, SETTINGS, compile_beams, compile_nifs, installed_release, running
from tests.harness.gdb import Gdb
from tests.harness.patience import PATIENCE
from tests.harness.stub import run_until

Mode = Literal["attached", "remote", "core"]

_COMPILERS = {"armhf": "arm-linux-gnueabihf-gcc", "arm64": "aarch64-linux-gnu-gcc", "amd64": "gcc"}
_ARCHITECTURES = {"armhf": "arm32, 32 bits", "arm64": "aarch64, 64 bits", "amd64": "x86_64, 64 bits"}

#: One scheduler of each kind, for qemu's stub stops only the thread that reports and lets others go on; and no more
#: memory than needed, for GDB writes all of it to a core.
FLAGS = ("+S", "1:1", "+SDcpu", "1:1", "+SDio", "1", "+MIscs", "32", "+pc", "unicode")


@dataclass(frozen=True)
class Target:
    """An Erlang/OTP release for an architecture, by Debian's name."""

    arch: str
    otp: int
    build: Path | None = None
    """A beam.smp that is not Debian's."""
    frame_pointers: bool = False
    """Whether frames on stacks have frame pointers."""

    def __str__(self) -> str:
        if self.build is None:
            return f"{self.arch}-{self.otp}{'-frame-pointers' if self.frame_pointers else ''}"
        return f"{self.arch}-{self.otp}-{self.build.stem}-{builds.identity(self.build).flavour}"

    @cached_property
    def sandbox(self) -> Sandbox:
        """Where it is; fetched if it was not."""
        return Sandbox(self.arch, self.otp).ensure() if self.build is None else builds.sandbox(self.build)

    @property
    def architecture(self) -> str:
        """As `beam-info` calls it."""
        return _ARCHITECTURES[self.arch]

    @property
    def emulated(self) -> bool:
        """Whether it runs under qemu."""
        return self.arch != "amd64"

    @property
    def interpreted(self) -> bool:
        """Whether it has no JIT."""
        return self.arch == "armhf" if self.build is None else builds.identity(self.build).flavour == "emu"

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags of `erl` without which a node is not what it should be, or does not run."""
        if self.frame_pointers:
            return ("+JPperf", "fp")
        # The JIT of OTP 25 crashes under qemu-aarch64 where it maps its code twice.
        is_old = self.build is not None and (self.arch, self.otp, self.interpreted) == ("arm64", 25, False)
        return ("+JPperf", "true") if is_old else ()

    @property
    def kind(self) -> str:
        """Of which kind the build is: "opt" for a usual one."""
        return "opt" if self.build is None else str(builds.identity(self.build).build)

    @property
    def modes(self) -> tuple[Mode, ...]:
        """How GDB is to see a node of it here: qemu-user is no process that GDB could attach to. What a release is has
        nothing to do with how memory is read: of one all are seen."""
        first: Mode = "remote" if self.emulated else "attached"
        if self.otp != DEBIAN[-1].otp and self.build is None and not releases.EVERYTHING:
            return (first,)
        # (Nor is it anything to a stub which frames there are.)
        return (first, "core") if self.emulated or self.frame_pointers else (first, "remote", "core")

    @property
    def missing(self) -> list[str]:
        """Programs that it needs and this machine does not have."""
        needed = [_COMPILERS[self.arch], "erlc"]
        qemu = {"armhf": "qemu-arm", "arm64": "qemu-aarch64", "amd64": "gdbserver"}[self.arch]
        return [program for program in (*needed, qemu) if shutil.which(program) is None]

    @property
    def unknown(self) -> str | None:
        """The version of erts where there is no table for it: Debian's unstable suite goes on to newer ones."""
        version = self.sandbox.beam.parent.parent.name.removeprefix("erts-")
        arch, flavour = self.architecture.partition(",")[0], "emu" if self.interpreted else "jit"
        return version if load_table(version, arch, flavour) is None else None

    @property
    def erlc(self) -> str:
        """A compiler of modules that it can load."""
        is_older = self.otp < installed_release().otp
        return str(Sandbox("amd64", self.otp).ensure().bindir / "erlc") if is_older else "erlc"

    def compile(self, ebin: Path) -> None:
        """Compile the modules and native functions of the tests for it into a folder."""
        compile_beams(ebin, self.erlc)
        compile_nifs(ebin, _COMPILERS[self.arch])

    @property
    def ebin(self) -> Path:
        """The folder of what is compiled so, for all tests of a run: none writes into it."""
        return built.once(f"ebin-{self.arch}-{self.otp}", self.compile)


DEBIAN = (
    Target("armhf", 25), Target("armhf", 27), Target("arm64", 27), Target("amd64", 25), Target("amd64", 27),
    Target("armhf", 29), Target("arm64", 29), Target("amd64", 29),
)  # fmt: skip

#: Builds of one's own, on which all is tested.
BUILT = tuple(
    Target(builds.architecture(beam), int(str(builds.identity(beam).otp_release)), beam) for beam in builds.paths()
)
TARGETS = (*DEBIAN, *BUILT)

#: With frame pointers, as BeamAsm has them on x86-64 since OTP 25; elsewhere the flag changes nothing.
WITH_FRAME_POINTERS = (Target("amd64", 27, frame_pointers=True), Target("amd64", 29, frame_pointers=True))

#: Those whose scene is looked at. With frame pointers no more is tested, for the time that it takes.
LOOKED_AT = (*TARGETS, *WITH_FRAME_POINTERS)


@dataclass(frozen=True)
class Session:
    """GDB with a node that runs, remote or attached. `pid` is that of the node's process on this machine."""

    target: Target
    mode: Mode
    gdb: Gdb
    pid: int
    output: Path
    folder: Path = field(compare=False)

    @property
    def said(self) -> str:
        """What the node has printed so far."""
        return self.output.read_text()

    def write_core(self, path: Path) -> None:
        """Write a core of the node as it is now. One under qemu dies of that."""
        if not self.target.emulated:
            write_core(self.gdb, path, self.pid)
            return
        self.gdb.go("signal SIGABRT")
        deadline = time.monotonic() + PATIENCE
        while not _has_ended(self.pid):
            assert time.monotonic() < deadline, "the node did not die"
            time.sleep(0.05)
        (core,) = self.folder.glob("qemu_*.core")
        shutil.move(core, path)


def _has_ended(pid: int) -> bool:
    """Whether a child process is no more than its exit status."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@contextmanager
def session(
    target: Target, mode: Mode, ebin: Path, expression: str, *flags: str, is_ready: bool = False
) -> Iterator[Session]:
    """GDB with a node that evaluates `expression`, as soon as it is ready; under qemu before it runs, unless it shall
    be ready there too."""
    run = ["-noinput", "-pa", str(ebin), "-eval", f'{expression}, io:format("{READY}~n").']
    arguments = [*FLAGS, *target.flags, *flags, *run]
    with tempfile.TemporaryDirectory(prefix="beamgdb-node-") as name:
        folder = Path(name)
        output = folder / "output"
        start = partial(_foreign, is_ready) if target.emulated else partial(_native, mode)
        with start(target, ebin, arguments, output) as (gdb, pid):
            yield Session(target, mode, gdb, pid, output, folder)


@contextmanager
def _foreign(
    is_ready: bool, target: Target, ebin: Path, arguments: list[str], output: Path
) -> Iterator[tuple[Gdb, int]]:
    first = partial(run_until, lambda: READY in output.read_text(errors="replace")) if is_ready else None
    with output.open("wb") as file, ExitStack() as running_now:
        # What is started has the folder and the limit for good; here other nodes are started before this one ends.
        with _cores_in(output.parent):
            started = debuggee(
                target.sandbox, arguments, stdout=file, stderr=subprocess.STDOUT, environment=SETTINGS, first=first
            )
            node = running_now.enter_context(started)
        gdb = running_now.enter_context(Gdb(str(target.sandbox.beam), *target.sandbox.gdb_settings(ebin)))
        gdb.last_words = lambda: (
            f"qemu's status is {node.process.poll()}, and the node said {output.read_text()[-2000:]}"
        )
        gdb.go(f"target remote {node.address}")
        yield gdb, node.process.pid


@contextmanager
def _native(mode: Mode, target: Target, ebin: Path, arguments: list[str], output: Path) -> Iterator[tuple[Gdb, int]]:
    program = [str(target.sandbox.beam)] if mode == "remote" else []
    settings = target.sandbox.gdb_settings(ebin)
    with ExitStack() as running_now:
        process = running_now.enter_context(running(target.sandbox.command(arguments), output))
        if mode == "remote":
            _, address = running_now.enter_context(gdbserver.attached(process.pid))
        gdb = running_now.enter_context(Gdb(*settings, *program))
        if mode == "remote":
            gdb.go(f"target remote {address}")
        else:
            gdb.attach(process.pid)
        yield gdb, process.pid


@contextmanager
def on_core(target: Target, core: Path, ebin: Path) -> Iterator[Gdb]:
    """GDB with a core file of the target, which ran the modules of the folder `ebin`, in the thread that died."""
    with Gdb(*target.sandbox.gdb_settings(ebin), str(target.sandbox.beam), str(core)) as gdb:
        # GDB/MI has no prompt: it is the first command of the extension that moves the program in a core by qemu.
        gdb.cmd("beam-info")
        gdb.cmd(f"thread {thread_that_died(core)}")
        yield gdb


@contextmanager
def _cores_in(folder: Path) -> Iterator[None]:
    """Allow what is started meanwhile to write core files into a folder."""
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    before = Path.cwd()
    resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        resource.setrlimit(resource.RLIMIT_CORE, limits)
