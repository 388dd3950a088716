"""Packages of Debian for any architecture, fetched by apt, which verifies them, but with a state folder of their own.

The system's lists, its status and its dpkg architectures are neither used nor changed, and root is not needed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from jit.sandbox.apt_sources import Archive
from jit.sandbox.errors import SandboxError

#: What packages need to be installed and to start services, but their programs not to run.
ASSUMED = (
    "adduser", "debconf", "dpkg", "init-system-helpers", "media-types", "netbase", "perl-base", "procps",
    "readline-common", "sensible-utils", "tzdata", "ucf", "usrmerge",
)  # fmt: skip

_STATUS = """Package: {name}
Status: install ok installed
Architecture: {arch}
Multi-Arch: foreign
Maintainer: beamgdb
Description: assumed
Version: 9999:1

"""

_SOURCE = """Types: deb
URIs: {uri}
Suites: {suite}
Components: main
Architectures: {arch}
Signed-By: {keyring}
Targets: Packages
Languages: none
"""

# Read after the system's own configuration, which may hold a proxy, and hooks that are not for us. Where apt is run by
# root it would become a user who cannot write into root's cache: the user "root" means that it does not.
_CONFIGURATION = """
#clear APT::Architectures;
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Post-Invoke;
APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
APT::Get::AllowUnauthenticated "false";
APT::Get::List-Cleanup "true";
Acquire::AllowInsecureRepositories "false";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Dir::Etc::sourcelist "{state}/debian.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "{state}";
Dir::State::status "{state}/status";
Dir::State::lists "{state}/lists";
Dir::Cache "{state}";
Dir::Cache::archives "{state}/archives";
"""


def fetch(suite: str, arch: str, wanted: Sequence[str], archive: Archive, state: Path) -> list[Path]:
    """The files of the packages `wanted`, and of those that they need, in `state`, which keeps what an earlier call has
    fetched.

    apt's progress goes to standard error. Raises SandboxError.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise SandboxError(f"there is no {tool} here: the sandbox fetches Debian's packages with apt and dpkg")
    if not Path(archive.keyring).is_file():
        raise SandboxError(f"no keyring {archive.keyring} to verify {archive.uri} with: install debian-archive-keyring")
    options = _prepare(suite, arch, archive, state)
    _apt([*options, "update"], f"cannot read suite {suite} of {archive.uri}")
    # Files of an earlier release of a package would be unpacked as well.
    _apt([*options, "autoclean"], "cannot clean the folder of packages")
    _apt([*options, "install", "--download-only", "--yes", *wanted], f"cannot fetch {wanted[0]} for {arch}")
    return sorted((state / "archives").glob("*.deb"))


def _prepare(suite: str, arch: str, archive: Archive, state: Path) -> list[str]:
    """Write the state folder; the options of apt-get."""
    for folder in ("lists/partial", "archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    status = "".join(_STATUS.format(name=name, arch=arch) for name in ASSUMED)
    (state / "status").write_text(status)
    source = _SOURCE.format(uri=archive.uri, suite=suite, arch=arch, keyring=archive.keyring)
    (state / "debian.sources").write_text(source)
    configuration = state / "apt.conf"
    configuration.write_text(_CONFIGURATION.format(arch=arch, state=state))
    return ["-c", str(configuration), *([] if sys.stderr.isatty() else ["-q"])]


def _apt(arguments: Sequence[str], failure: str) -> None:
    """Run apt-get; what it says is shown, its errors become a SandboxError."""
    command = ["apt-get", *arguments]
    errors = []
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno(), stderr=subprocess.PIPE, text=True
    ) as apt:
        assert apt.stderr is not None
        for line in apt.stderr:
            if line.startswith("E: "):
                errors.append(line.removeprefix("E: ").strip())
            else:
                sys.stderr.write(line)
    if apt.returncode:
        reason = "; ".join(_causes(errors)) or f"apt-get ended with status {apt.returncode}"
        raise SandboxError(f"{failure}: {reason}")


def _causes(errors: Sequence[str]) -> list[str]:
    """apt's errors without its summary of them."""
    summaries = ("Some index files failed", "Unable to fetch some archives")
    causes = [error for error in errors if not error.startswith(summaries)]
    return list(dict.fromkeys(causes or errors))


def unpack(files: Sequence[Path], root: Path) -> None:
    """Unpack package files into the new folder `root`, and make it look merged. Raises SandboxError."""
    root.mkdir()
    for file in files:
        done = subprocess.run(["dpkg-deb", "-x", str(file), str(root)], stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise SandboxError(f"cannot unpack {file.name}: {' '.join(done.stderr.split())}")
    # Since trixie packages have nothing in /lib, but programs still name their loader there.
    for name in ("bin", "lib", "lib64", "sbin"):
        if not (root / name).exists() and (root / "usr" / name).is_dir():
            (root / name).symlink_to(f"usr/{name}")
