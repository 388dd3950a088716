"""Builds of beam.smp that hide their symbols, by build id: tables of this project, and those that a user has made."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jit.erts.checksum import checksum
from jit.erts.hidden import symbols
from jit.erts.hidden.program import NotFound, Program
from jit.erts.layout import NativeLayout, of_erts
from jit.image import constants
from jit.image.image import Image
from jit.image.image_file import NoImage, open_image
from jit.otp.layouts.executable import BadExecutable, Executable
from jit.otp.layouts.identity import Identity, read_build, read_identity
from jit.otp.layouts.layout import load_table
from jit.otp.layouts.wanted import NATIVE
from jit.system import whole_files
from jit.system.cache_folder import cache_folder

TABLES: Final = Path(__file__).with_name("tables")
#: What every beam.smp exports, as NIFs call it.
_EXPORTED: Final = "enif_self"
#: Bytes of each piece of code that the glue compares.
COMPARED: Final = 64
#: Bytes of a build id, as linkers make it unless they are told otherwise.
BUILD_ID_SIZE: Final = 20
#: Bytes of a table at most.
_LARGEST: Final = 1 << 20


class AdoptError(Exception):
    """A build cannot be made known. The message is one line."""


@dataclass(frozen=True)
class Build:
    """``places`` are addresses in the program as it is linked, by names of ``symbols.find``. ``sums`` are those of the
    code at all that are code (``compared``), ``erts`` the version of the layout that native code is compiled for."""

    build_id: str
    erts: str
    places: Mapping[str, int]
    sums: tuple[int, int]


def known() -> list[Build]:
    """All; of a build that the project knows, its own table. Raises OSError, and AdoptError for one that cannot be
    used: what it tells is where code is that native code calls."""
    found = {build.build_id: build for build in map(_read, sorted(TABLES.glob("*.json")))}
    wanted = {name for build in found.values() for name in build.places}
    for build in map(_read, sorted(own_tables().glob("*.json"))):
        if found.setdefault(build.build_id, build).places.keys() != wanted:
            raise AdoptError(f"{_own_table(build.build_id)}: made by another version: `adopt` its beam.smp again")
    return list(found.values())


def adopt(beam: Path) -> tuple[Build, Path]:
    """Make a build known to glues that are built from now on; gives what was found, and the file that has it.

    Raises AdoptError and OSError.
    """
    build = analyse(beam)
    path = _own_table(build.build_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    whole_files.write(path, text(build).encode())
    return build, path


def analyse(beam: Path) -> Build:
    """What is found in a beam.smp. Raises AdoptError and OSError."""
    try:
        program = Executable(beam)
        exported = program.symbol(_EXPORTED)
        if exported is None:
            raise AdoptError(f"{beam}: exports no {_EXPORTED}: it is no beam.smp")
        if program.symbol("etp_erts_version") is not None:
            raise AdoptError(f"{beam}: exports its symbols: the glue needs no table for it")
        image = open_image(beam, _EXPORTED, exported)
        layout = _layout(beam, program, image)
        if len(program.build_id or "") != 2 * BUILD_ID_SIZE:
            raise AdoptError(
                f"{beam}: has no build id of {BUILD_ID_SIZE} bytes to know it by: link with -Wl,--build-id"
            )
        table = load_table(layout.erts, *NATIVE)
        assert table is not None
        places = symbols.find(Program(image, table))
        return Build(program.build_id or "", layout.erts, places, _sums(image, places))
    except (BadExecutable, NoImage) as error:
        raise AdoptError(str(error)) from None
    except NotFound as error:
        raise AdoptError(f"{beam}: is not understood: {error}") from None


def _layout(beam: Path, program: Executable, image: Image) -> NativeLayout:
    """The layout of a build, if it is that of a release that native code is for."""
    told = constants.find(image)
    if isinstance(told, str):
        raise AdoptError(f"{beam}: {told}")
    places = {name: one.address for name, one in told.items()}
    identity = read_identity(program.read, places.get)
    layout = of_erts(identity.erts_version or "")
    if layout is None:
        raise AdoptError(
            f"{beam}: erts {identity.erts_version or 'of an unknown version'}: its structures are not known"
        )
    differs = _difference(identity, read_build(program.read, places.get, identity), layout)
    if differs:
        raise AdoptError(f"{beam}: {differs}")
    return layout


def _difference(identity: Identity, build: Mapping[str, int], layout: NativeLayout) -> str:
    """In what a build is not as the one that was measured; empty if all is known to be the same."""
    abi = layout.arch.rpartition("-")[2]
    if (identity.triplet or "").rpartition("-")[2] != abi or identity.arch != "arm32":
        return f"it is built for {identity.triplet or 'nothing known'}, not for {abi} on 32-bit ARM"
    if identity.flavour != "emu" or identity.build != "opt" or identity.options is None:
        return f"it is no usual interpreter, but {identity.build or 'unknown'} {identity.flavour or ''}".rstrip()
    if identity.options != layout.options:
        return f"it is built with {', '.join(sorted(identity.options)) or 'no options'}"
    wrong = [f"{name} {number}" for name, number in build.items() if layout.build.get(name, number) != number]
    return f"its build has {', '.join(wrong)}" if wrong else ""


def compared(places: Mapping[str, int]) -> list[int]:
    """Where code begins that the glue compares, in order: all but variables."""
    return sorted({address & ~1 for name, address in places.items() if name not in symbols.VARIABLES})


def _sums(image: Image, places: Mapping[str, int]) -> tuple[int, int]:
    pieces = [image.read(address, COMPARED) or b"" for address in compared(places)]
    one, other = struct.unpack("<II", checksum(*pieces))
    return one, other


def text(build: Build) -> str:
    """A table's text."""
    told = {
        "build_id": build.build_id,
        "erts": build.erts,
        "sums": list(build.sums),
        "places": dict(sorted(build.places.items())),
    }
    return json.dumps(told, indent=1) + "\n"


def _read(path: Path) -> Build:
    try:
        told: dict[str, Any] = json.loads(whole_files.read(path, _LARGEST))
        build_id, erts, (one, other), places = (told[name] for name in ("build_id", "erts", "sums", "places"))
        if len(bytes.fromhex(build_id)) != BUILD_ID_SIZE or path.stem != build_id:
            raise ValueError("it is not named by its build id")
        places = {str(name): int(address) for name, address in places.items()}
        return Build(build_id, str(erts), places, (int(one), int(other)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AdoptError(f"{path}: no table of a build ({error}): remove it") from None


def own_tables() -> Path:
    """Where those are that a user has made."""
    return cache_folder() / "builds"


def _own_table(build_id: str) -> Path:
    return own_tables() / f"{build_id}.json"
