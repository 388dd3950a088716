"""One foreign Erlang: its folder, how to run it, and what GDB must know of it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from jit.sandbox import packages, pairs
from jit.sandbox.apt_sources import debian_archive
from jit.sandbox.cache import complete, is_complete
from jit.sandbox.errors import SandboxError
from jit.sandbox.own_loader import libraries_in, use_root
from jit.sandbox.programs import PRINT_ARGUMENTS, own_environment, write_scripts
from jit.system.cache_folder import cache_folder

_WANTED = ("erlang-base", "erlang-src", "erlang-crypto", "libsctp1")


class Sandbox:
    """Debian's Erlang/OTP `otp` for `arch` (Debian's name). Raises SandboxError for a pair that there is not.

    The paths are right from the start, but nothing is there before `ensure`.
    """

    def __init__(self, arch: str, otp: int, cache: Path | None = None) -> None:
        self.pair = pairs.find(arch, otp)
        #: The folder of this sandbox; its neighbours in the cache belong to others.
        self.folder = (cache or cache_folder()) / "sandbox" / self.pair.name

    @property
    def native(self) -> bool:
        """Whether its programs run without qemu."""
        return self.pair.machine.qemu is None

    @property
    def root(self) -> Path:
        """The folder of the unpacked packages; for GDB, a sysroot."""
        return self.folder / "root"

    @property
    def otp_root(self) -> Path:
        """Erlang's ROOTDIR, with the applications in `lib` and their sources."""
        return self.root / "usr/lib/erlang"

    @property
    def bindir(self) -> Path:
        """Erlang's BINDIR: `erl`, `erlc` and the rest, as scripts that run the real programs."""
        return self.folder / "bin"

    @cached_property
    def beam(self) -> Path:
        """The emulator itself, for GDB. Raises SandboxError if it is not there."""
        found = sorted(self.otp_root.glob("erts-*/bin/beam.smp"))
        if not found:
            raise SandboxError(f"there is no beam.smp in {self.otp_root}: fetch it again with `fetch --again`")
        return found[0]

    @property
    def complete(self) -> bool:
        """Whether it has been fetched."""
        return is_complete(self.folder)

    def ensure(self, *, again: bool = False) -> Sandbox:
        """Fetch it if it is not there, or in any case if `again`; itself. Raises SandboxError."""
        complete(self.folder, self._make, again=again)
        return self

    def check_runnable(self) -> None:
        """Raise SandboxError if this machine lacks what runs it."""
        qemu = self.pair.machine.qemu
        if qemu and shutil.which(qemu) is None:
            raise SandboxError(f"there is no {qemu} here, which runs Erlang for {self.pair.arch}: install qemu-user")
        if self.native and platform.machine() != "x86_64":
            raise SandboxError(f"Erlang for amd64 runs only on x86-64 machines; this is {platform.machine()}")

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The command `erl ARGUMENTS`. Its process becomes the emulator's by exec, or that of qemu."""
        return [str(self.bindir / "erl"), *arguments]

    def environment(self) -> dict[str, str]:
        """The environment of `beam_command`: this process's own, and what beam.smp needs to start without `erl`."""
        path = os.pathsep.join((str(self.bindir), os.environ.get("PATH", os.defpath)))
        own = {"ROOTDIR": str(self.otp_root), "BINDIR": str(self.bindir), "EMU": "beam", "PROGNAME": "erl"}
        return {**os.environ, **own, **own_environment(self.pair, self.root), "PATH": path}

    def beam_command(self, arguments: Sequence[str]) -> list[str]:
        """The command of beam.smp itself that `erl ARGUMENTS` comes to; native sandboxes only. Raises SandboxError."""
        self.check_runnable()
        # erlexec knows what each flag becomes.
        done = subprocess.run(
            self.command(arguments),
            env={**os.environ, PRINT_ARGUMENTS: "yes"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())
            raise SandboxError(f"erl refuses its arguments: {said}")
        return [str(self.beam), *(os.fsdecode(word) for word in done.stdout.split(b"\0")[:-1])]

    def gdb_settings(self, *nifs: Path) -> list[str]:
        """Arguments of GDB that must come before a program of this sandbox; `nifs` are folders of NIFs."""
        return [word for setting in self._gdb_commands(nifs) for word in ("-iex", setting)]

    def _gdb_commands(self, nifs: Sequence[Path]) -> list[str]:
        if not self.native:
            # The path of a NIF is not one below the sysroot: GDB then seeks the file's mere name.
            own = sorted(self.otp_root.glob("lib/*/priv/lib"))
            search = ":".join(map(str, (*nifs, *own)))
            # What qemu runs are the files in the root: reading code from them saves packets.
            return [f"set sysroot {self.root}", f"set solib-search-path {search}", "set trust-readonly-sections on"]
        # libthread_db must be that of the C library which the program uses.
        libraries = libraries_in(self.root, self.pair.machine)
        search = ":".join(map(str, libraries))
        return [f"set libthread-db-search-path {search}", *(f"add-auto-load-safe-path {path}" for path in libraries)]

    def _make(self, folder: Path, state: Path) -> None:
        print(f"fetching Erlang/OTP {self.pair.otp} for {self.pair.arch} into {self.folder}", file=sys.stderr)
        files = packages.fetch(self.pair.suite, self.pair.arch, _WANTED, debian_archive(), state)
        root = folder / "root"
        packages.unpack(files, root)
        self._check_release(root)
        if self.native:
            programs = folder.glob("root/usr/lib/erlang/erts-*/bin/*")
            use_root(folder, self.folder, self.pair.machine, programs)
        write_scripts(folder, self.pair, self.folder)

    def _check_release(self, root: Path) -> None:
        releases = [path.name for path in root.glob("usr/lib/erlang/releases/[0-9]*")]
        if releases != [str(self.pair.otp)]:
            found = f"Erlang/OTP {releases[0]}" if releases else "no Erlang/OTP"
            raise SandboxError(f"there is {found} in {self.pair.suite} for {self.pair.arch}, and not {self.pair.otp}")
