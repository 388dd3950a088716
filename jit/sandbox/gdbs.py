"""Debian's GDBs of its releases, as users of the extension have them, each with its own libraries and its own Python.

Where GDB finds its files, and Python its own, follows from where the program lies. So nothing but the program has to
be told of its new place: see `own_loader`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from jit.sandbox import packages
from jit.sandbox.apt_sources import debian_archive
from jit.sandbox.cache import complete, is_complete
from jit.sandbox.errors import SandboxError
from jit.sandbox.own_loader import libraries_in, use_root
from jit.sandbox.pairs import AMD64
from jit.system.cache_folder import cache_folder

#: The suite that has a GDB, by its major version.
SUITES = {10: "bullseye", 13: "bookworm", 16: "trixie", 18: "forky"}

#: GDB, and what the extension needs, for its Python: what Debian's users of that release install.
_WANTED = ("gdb-multiarch", "python3-capstone", "python3-pyelftools")
#: What is not used: other programs, texts, and the library by which GDB looks at threads. That must be of the C library
#: which the program uses that is debugged: without its own, GDB takes the host's.
_UNUSED = ("usr/bin/[!g]*", "usr/bin/g[!d]*", "usr/bin/gdb", "usr/share/doc", "usr/share/locale", "usr/share/zoneinfo")
_THREADS = "libthread_db*"


class GdbSandbox:
    """Debian's GDB of a major version, for x86-64. Raises SandboxError for one that there is not.

    The paths are right from the start, but nothing is there before `ensure`.
    """

    def __init__(self, version: int, cache: Path | None = None) -> None:
        if version not in SUITES:
            raise SandboxError(f"no sandbox for GDB {version}; there are: {', '.join(map(str, SUITES))}")
        self.version = version
        self.suite = SUITES[version]
        self.folder = (cache or cache_folder()) / "sandbox" / f"gdb-{version}"

    @property
    def program(self) -> Path:
        """GDB itself, which debugs programs for all processors."""
        return self.folder / "root/usr/bin/gdb-multiarch"

    @property
    def complete(self) -> bool:
        """Whether it has been fetched."""
        return is_complete(self.folder)

    def ensure(self, *, again: bool = False) -> GdbSandbox:
        """Fetch it if it is not there, or in any case if `again`; itself. Raises SandboxError."""
        complete(self.folder, self._make, again=again)
        return self

    def _make(self, folder: Path, state: Path) -> None:
        print(f"fetching GDB {self.version} into {self.folder}", file=sys.stderr)
        files = packages.fetch(self.suite, AMD64.name, _WANTED, debian_archive(), state)
        self._check_version([file.name for file in files])
        root = folder / "root"
        packages.unpack(files, root)
        for pattern in (*_UNUSED, *(f"{one.relative_to(root)}/{_THREADS}" for one in libraries_in(root, AMD64))):
            for path in root.glob(pattern):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        use_root(folder, self.folder, AMD64, [root / "usr/bin/gdb-multiarch"])

    def _check_version(self, names: list[str]) -> None:
        name = next((name for name in names if name.startswith("gdb-multiarch_")), "")
        found = name.partition("_")[2].partition("_")[0]
        if found.partition(".")[0] != str(self.version):
            raise SandboxError(f"there is GDB {found} in {self.suite}, and not {self.version}")
