"""Make a layout table from a beam.smp that has debug information: the one command that adds a release."""

from __future__ import annotations

import re
from pathlib import Path

from jit.otp.layouts.dwarf import NoDebugInfo, open_types
from jit.otp.layouts.executable import BadExecutable, Executable
from jit.otp.layouts.identity import Identity, read_build, read_config_h, read_identity
from jit.otp.layouts.layout import NEEDED, Layout, TableKey, of_identity, to_json
from jit.otp.layouts.resolve import resolve
from jit.otp.layouts.wanted import NATIVE, ONLY, all_c_names, has, native
from jit.system import whole_files
from jit.system.command_line import told

OTP_VERSION = re.compile(r"\d{1,3}(\.\d{1,4}){0,5}")


#: What the options of configure and the headers of the system have made: lines of config.h on which structures depend,
#: and those that tell nothing of them, being made of folders and flags.
SIZES = re.compile(r"#define SIZEOF_\w+ ")
FLAGS = re.compile(r"#define ERTS_EMU_CMDLINE_FLAGS ")


class CannotExtract(Exception):
    """A table cannot be made; the message is one line that names what is missing."""


def extract(debug_file: Path, binary: Path | None = None, otp: str | None = None) -> Layout:
    """The layout of the VM in `debug_file`: an unstripped beam.smp, or a separate debug file beside its `binary`.

    `otp` is the patch release ("25.2.3"); without it, the OTP_VERSION file of the tree around the file is asked.
    Raises CannotExtract.
    """
    if otp is not None and not OTP_VERSION.fullmatch(otp):
        raise CannotExtract(f"{otp}: no release of OTP, such as 25.2.3")
    try:
        identity, build = _identity(debug_file, binary)
        types = open_types(debug_file, all_c_names())
    except (BadExecutable, NoDebugInfo) as error:
        raise CannotExtract(f"{debug_file}: {error}" if isinstance(error, NoDebugInfo) else str(error)) from error
    except OSError as error:
        raise CannotExtract(told(error)) from error
    if types.word_size != identity.word_size:
        raise CannotExtract(f"{debug_file}: its words have {types.word_size} bytes, the VM's {identity.word_size}")
    resolution = resolve(types)
    release, origin = otp or find_otp_version(debug_file, identity), f"DWARF of {debug_file.name}"
    layout = of_identity(resolution.structs, resolution.constants, identity, origin, release, build)
    if missing := resolution.missing + _lacking(layout):
        raise CannotExtract(f"{debug_file}: not in its DWARF: {', '.join(missing)}")
    return layout


def compare(build: Path, used: Path) -> list[str]:
    """How the configuration of a build differs from that of the beam.smp `used` for which its table is meant: lines of
    config.h, "+" those of the build only, "-" the other's. Many do not matter: they tell which libraries there are.
    Raises CannotExtract where the build is surely not like the other: another release, architecture, kind of build, or
    sizes of C types."""
    try:
        ours, theirs = Executable(build), Executable(used)
    except BadExecutable as error:
        raise CannotExtract(str(error)) from error
    except OSError as error:
        raise CannotExtract(told(error)) from error
    identities = [_known_identity(path, one) for path, one in ((build, ours), (used, theirs))]
    if identities[0] != identities[1]:
        raise CannotExtract(f"{build} is {_words(identities[0])}, but {used} is {_words(identities[1])}")
    configs = [read_config_h(one.read, one.symbol, identities[0]) for one in (ours, theirs)]
    lines = [{line for line in (config or "").splitlines() if not FLAGS.match(line)} for config in configs]
    found = [f"+{line}" for line in sorted(lines[0] - lines[1])] + [f"-{line}" for line in sorted(lines[1] - lines[0])]
    if sizes := [line for line in found if SIZES.match(line[1:])]:
        raise CannotExtract(f"{build}: not like {used}: {'; '.join(sizes)}")
    return found


def write_table(layout: Layout, directory: Path) -> Path:
    """Write the layout's table into `directory`, whole or not at all. Raises CannotExtract."""
    path = directory / TableKey(layout.erts_version, layout.arch, layout.flavour).file_name
    try:
        whole_files.write(path, to_json(layout).encode("ascii"))
    except OSError as error:
        raise CannotExtract(f"{directory}: {error.strerror}") from error
    return path


def find_otp_version(beam: Path, identity: Identity) -> str:
    """The patch release of OTP, from the OTP_VERSION file of a source tree or installation around `beam`."""
    for directory in beam.resolve().parents:
        installed = directory / "releases" / str(identity.otp_release)
        for candidate in (directory / "OTP_VERSION", installed / "OTP_VERSION"):
            if candidate.is_file():
                version = candidate.read_text("ascii", "replace").strip()
                if OTP_VERSION.fullmatch(version) and version.split(".")[0] == identity.otp_release:
                    return version
    raise CannotExtract(f"{beam}: no OTP_VERSION file for release {identity.otp_release} around it; give --otp")


def _lacking(layout: Layout) -> list[str]:
    """What its release has and is not there; and what native code needs of a VM that runs it."""
    release = int(layout.release.partition(".")[0])
    needed = [name for name in ONLY if has(release, name)]
    if (layout.arch, layout.flavour) == NATIVE:
        needed += [f"{struct}.{field}" for struct, field in native(release)]
    parts = ((name, name.partition(".")) for name in dict.fromkeys(needed))
    return [name for name, (struct, _, field) in parts if not layout.has(struct, field or None)]


def _identity(debug_file: Path, binary: Path | None) -> tuple[Identity, dict[str, int]]:
    """Which VM it is, and how it was built."""
    executable = Executable(binary or debug_file)
    if binary is not None:
        theirs = Executable(debug_file).build_id
        if executable.build_id != theirs or theirs is None:
            raise CannotExtract(f"{debug_file}: build-id {theirs}, but that of {binary} is {executable.build_id}")
    identity = _known_identity(binary or debug_file, executable)
    if identity.build != "opt":
        raise CannotExtract(f"{binary or debug_file}: a {identity.build} build; its structures are not those in use")
    return identity, read_build(executable.read, executable.symbol, identity)


def _known_identity(path: Path, executable: Executable) -> Identity:
    identity = read_identity(executable.read, executable.symbol)
    for name in ("otp_release", *NEEDED):
        if getattr(identity, name) is None:
            raise CannotExtract(f"{path}: {name} unknown: {identity.unknown[name]}")
    return identity


def _words(identity: Identity) -> str:
    """A VM in words."""
    options = " ".join(sorted(identity.options or ()))
    return f"erts {identity.erts_version} {identity.triplet} {identity.flavour} {identity.build} {options}".rstrip()
