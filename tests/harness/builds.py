"""Builds of beam.smp that `$BEAMGDB_TEST_BUILDS` names, as targets of the tests: paths with ":" between them.

Each stands in a copy of a sandbox in place of Debian's, as `tools/debug_beam` has made it or stripped by hand. Where
there is no sandbox for its release and architecture, it gets the Erlang of that release for another one: .beam files
are the same, programs for the shell are not needed.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from jit.image import constants
from jit.image.image_file import open_image
from jit.otp.layouts.executable import Executable
from jit.otp.layouts.identity import Identity, read_identity
from jit.sandbox import pairs
from jit.sandbox.errors import SandboxError
from jit.sandbox.own_loader import use_root
from jit.sandbox.programs import write_scripts
from jit.sandbox.sandbox import Sandbox

BUILDS = "BEAMGDB_TEST_BUILDS"

_NAMES = {"arm32": "armhf", "aarch64": "arm64", "x86_64": "amd64"}
"""Debian's names of architectures."""

EXPORTED = "enif_self"
"""A function that every beam.smp exports."""

_LIKE = 27
"""The release whose sandboxes there are for each architecture."""


def paths() -> tuple[Path, ...]:
    """The builds that the environment names."""
    return tuple(Path(name) for name in os.environ.get(BUILDS, "").split(os.pathsep) if name)


@cache
def identity(beam: Path) -> Identity:
    """What a build tells of itself."""
    program = Executable(beam)
    found = read_identity(program.read, program.symbol)
    if found.arch is None and (exported := program.symbol(EXPORTED)) is not None:
        # It hides its symbols.
        hidden = constants.find(open_image(beam, EXPORTED, exported))
        assert not isinstance(hidden, str), hidden
        places = {name: one.address for name, one in hidden.items()}
        found = read_identity(program.read, places.get)
    if found.arch is None or found.otp_release is None:
        raise SandboxError(f"{BUILDS}: {beam} does not tell what it is: {dict(found.unknown)}")
    return found


def architecture(beam: Path) -> str:
    """Debian's name of it."""
    return _NAMES[str(identity(beam).arch)]


class BuiltSandbox(Sandbox):
    """A sandbox with another beam.smp. It is removed when this process ends."""

    def __init__(self, beam: Path) -> None:
        arch, otp = architecture(beam), int(str(identity(beam).otp_release))
        try:
            super().__init__(arch, otp)
        except SandboxError:
            super().__init__(arch, _LIKE)
            self.pair = replace(self.pair, otp=otp)
        self._likes = Sandbox(arch, self.pair.otp if self._is_there(arch, otp) else _LIKE), Sandbox("amd64", otp)
        self._build = beam
        self.folder = Path(tempfile.mkdtemp(prefix=f"beamgdb-{arch}-{otp}-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)

    @staticmethod
    def _is_there(arch: str, otp: int) -> bool:
        return any((pair.arch, pair.otp) == (arch, otp) for pair in pairs.PAIRS)

    def ensure(self, *, again: bool = False) -> Sandbox:
        if self.root.exists():
            return self
        system, erlang = (one.ensure() for one in self._likes)
        shutil.copytree(system.root, self.root, symlinks=True)
        if system.pair.otp != self.pair.otp:
            shutil.rmtree(self.otp_root)
            shutil.copytree(erlang.otp_root, self.otp_root, symlinks=True)
        there = next(self.otp_root.glob("erts-*/bin"))
        if system.pair.otp != self.pair.otp:
            for program in next(system.otp_root.glob("erts-*/bin")).iterdir():
                shutil.copy(program, there)
        for program in (self._build, *self._build.parent.glob("erl_child_setup*")):
            (there / program.name).unlink(missing_ok=True)
            shutil.copy(program, there)
        if self._build.name != "beam.smp":
            (there / "beam.smp").unlink()
            shutil.move(there / self._build.name, there / "beam.smp")
        if self.native:
            use_root(self.folder, self.folder, self.pair.machine, there.glob("*"))
        write_scripts(self.folder, self.pair, self.folder)
        # An emulator of another kind starts a program of its own kind.
        script = self.bindir / "erl_child_setup"
        for program in there.glob("erl_child_setup.*"):
            own = self.bindir / program.name
            own.write_text(script.read_text().replace(str(there / script.name), str(program)))
            own.chmod(0o755)
        return self


@cache
def sandbox(beam: Path) -> Sandbox:
    """The sandbox of a build; one for each."""
    return BuiltSandbox(beam).ensure()
