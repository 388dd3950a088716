"""Where fields lie in one particular VM: a `Layout`, from its types or from a built-in table.

A table is a JSON file in `tables/`, named by erts version, architecture and flavour, so that finding one reads no
other. It is for exactly this version; for which others besides, says `SAME`. In it a field is [offset, width] or, for
an array, [offset, width of an element, number of elements], or, for a bit field, [offset, width, null, [lowest bit,
number of bits]].
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as member
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, NamedTuple

from jit.otp.layouts.identity import Identity, is_musl
from jit.otp.layouts.resolve import Field, StructLayout
from jit.otp.tags import TagScheme

TABLES = Path(__file__).with_name("tables")


#: Versions of the runtime system whose structures are those of another one, whose source could be had. 17.1.1 is that
#: of OTP 29.1.2: of the 6,901 functions in Debian's beam.smp 5,183 are, instruction for instruction with all offsets of
#: fields, those of just one function in a build of 29.1.1 by the same compiler.
SAME: Final[Mapping[str, str]] = {"17.1.1": "17.1"}

#: What must be known of a VM before a table may be used for it.
NEEDED = ("erts_version", "arch", "flavour", "word_size", "build", "options")


OTHER_MUTEX: Final = ("aarch64",)
"""Where a `pthread_mutex_t` of musl has another size than that of glibc, 40 and 48 bytes, and with it all that has one
(pthreadtypes-arch.h of glibc, alltypes.h.in of musl)."""


AS_YOU_SAY = "as you say"
"""In what a layout is called that a user takes for that of a VM."""


class NoLayout(LookupError):
    """No table fits the VM; the message says which there are, or what is unknown of the VM."""


class NotKnown(KeyError):
    """Something is asked that is not known of a VM; the text says what, without the quotes that a KeyError has."""

    def __str__(self) -> str:
        return str(self.args[0])


class TableKey(NamedTuple):
    """What one built-in table is for."""

    erts_version: str
    arch: str
    flavour: str

    @property
    def file_name(self) -> str:
        return f"erts-{self.erts_version}-{self.arch}-{self.flavour}.json"


@dataclass(frozen=True)
class Layout:
    """Offsets, widths and sizes in bytes, and values of enumerators. Names are those of `wanted`.

    release is OTP's ("25.2.3"), or the major release only ("25") where the origin does not tell more; triplet is
    the GNU name of what the VM was built for, options are those of `identity.OPTIONS` that it was built with. build has
    the numbers of `wanted.BUILD` where the origin is a file. Every question about what this VM does not have, or nobody
    declared as wanted, raises `NotKnown`, a KeyError.

    evidence is not empty where the layout was proved on the VM itself: then it says how that was done, by structure and
    field, of a structure's size by the name "sizeof".
    """

    origin: str
    release: str
    erts_version: str
    arch: str
    flavour: str
    triplet: str
    word_size: int
    options: frozenset[str]
    structs: Mapping[str, StructLayout]
    constants: Mapping[str, int]
    build: Mapping[str, int]
    evidence: Mapping[str, Mapping[str, str]] = member(default_factory=dict)
    tags: TagScheme | None = None
    """How terms are tagged, where that was proved on the VM itself, and is not known by its release; then `tags_proof`
    says by what."""
    tags_proof: str = ""

    @property
    def is_proved(self) -> bool:
        """Whether this is no table, nor from debug information: what is not in it may be in the VM."""
        return bool(self.evidence)

    def field(self, struct: str, path: str) -> Field:
        """Where a field lies, how wide it is, and of how many elements if an array."""
        found = self.structs.get(struct)
        if found is None:
            raise NotKnown(f"{struct}: unknown in {self.origin}")
        try:
            return found.fields[path]
        except KeyError:
            raise NotKnown(f"{struct}.{path}: unknown in {self.origin}") from None

    def offset(self, struct: str, path: str) -> int:
        """Offset of a field from the start of its struct. A path through an array means its first element."""
        return self.field(struct, path).offset

    def width(self, struct: str, path: str) -> int:
        """Size of a field, for an array that of one element. The same name may be wider in another release."""
        return self.field(struct, path).width

    def has(self, struct: str, path: str | None = None) -> bool:
        """Does this VM have the struct, and the field in it?"""
        found = self.structs.get(struct)
        return found is not None and (path is None or path in found.fields)

    def size(self, struct: str) -> int:
        """Size of a struct, which is also the distance between elements of an array of it."""
        size = self.structs[struct].size if struct in self.structs else None
        if size is None:
            raise NotKnown(f"{struct}: unknown in {self.origin}")
        return size

    def extent(self, struct: str) -> int:
        """Bytes from the start of a struct to the end of what is known of it."""
        found = self.structs.get(struct)
        if found is None or found.size is not None:
            return self.size(struct)
        return max((one.offset + one.width * (one.elements or 1) for one in found.fields.values()), default=0)

    def constant(self, name: str) -> int:
        """The value of an enumerator."""
        if name not in self.constants:
            raise NotKnown(f"{name}: unknown in {self.origin}")
        return self.constants[name]


def of_identity(
    structs: Mapping[str, StructLayout],
    constants: Mapping[str, int],
    identity: Identity,
    origin: str,
    release: str | None = None,
    build: Mapping[str, int] | None = None,
    evidence: Mapping[str, Mapping[str, str]] | None = None,
) -> Layout:
    """The layout of an identified VM, from what a source of types gave. What is unknown of the VM is "unknown"; where
    its word size is, ValueError. `release` is OTP's patch release and `build` its numbers if known, `evidence` how all
    was proved if that was done."""
    if identity.word_size is None:
        raise ValueError(f"word size unknown: {identity.unknown.get('word_size')}")
    return Layout(
        origin=origin,
        release=release or identity.otp_release or "unknown",
        erts_version=identity.erts_version or "unknown",
        arch=identity.arch or "unknown",
        flavour=identity.flavour or "unknown",
        triplet=identity.triplet or "unknown",
        word_size=identity.word_size,
        options=identity.options or frozenset(),
        structs=structs,
        constants=constants,
        build=build or {},
        evidence=evidence or {},
    )


def load_table(erts_version: str, arch: str, flavour: str, directory: Path = TABLES) -> Layout | None:
    """The built-in table for exactly this VM, or that of the same structures; None if there is none. Raises ValueError
    on a damaged file."""
    path = directory / TableKey(SAME.get(erts_version, erts_version), arch, flavour).file_name
    try:
        text = path.read_bytes()
    except OSError:
        return None
    try:
        return from_json(json.loads(text))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path.name}: not a layout table ({error})") from error


def for_identity(identity: Identity, directory: Path = TABLES) -> Layout:
    """The built-in table for a VM. Raises NoLayout where none fits or the VM is not known well enough: a layout that
    is nearly right is worse than none."""
    return _table(str(identity.erts_version), identity, directory)


def as_in(version: str, identity: Identity, directory: Path = TABLES) -> Layout:
    """The built-in table of another version of the same release, for a user who takes the VM for one of that. Raises
    NoLayout."""
    layout = _table(version, identity, directory)
    return replace(layout, origin=f"{layout.origin}, {AS_YOU_SAY}: this is erts {identity.erts_version}")


def _table(version: str, identity: Identity, directory: Path) -> Layout:
    for name in NEEDED:
        if getattr(identity, name) is None:
            raise NoLayout(f"no built-in table: {name} unknown, {identity.unknown.get(name, 'no reason given')}")
    key = TableKey(version, str(identity.arch), str(identity.flavour))
    if identity.build != "opt":
        raise NoLayout(f"no built-in table for a {identity.build} build of erts {key.erts_version}")
    layout = load_table(*key, directory=directory)
    if layout is None:
        available = ", ".join(" ".join(k) for k in known(directory)) or "none"
        raise NoLayout(f"no built-in table for erts {' '.join(key)}; there are: {available}")
    if layout.release.partition(".")[0] != str(identity.otp_release).partition(".")[0]:
        raise NoLayout(f"the {layout.origin} is not for OTP {identity.otp_release}, as the program says that it is")
    if (layout.word_size, layout.options) != (identity.word_size, identity.options):
        here = ", ".join(sorted(identity.options or ())) or "no options"
        raise NoLayout(f"the {layout.origin} is not for this build: {here}, words of {identity.word_size} bytes")
    if key.arch in OTHER_MUTEX and is_musl(identity.triplet) != is_musl(layout.triplet):
        raise NoLayout(
            f"the {layout.origin} is for {layout.triplet}, and a mutex of {identity.triplet} has another size"
        )
    return layout


def nearest(identity: Identity, directory: Path = TABLES) -> Layout:
    """The built-in table of the VM that is most like this one: of the same word size and flavour, if possible of the
    same architecture, and of the nearest version. What it says need not be true here. Raises NoLayout."""
    wanted = _version(str(identity.erts_version))

    def distance(key: TableKey) -> tuple[bool, tuple[int, ...]]:
        parts = zip_longest(wanted, _version(key.erts_version), fillvalue=0)
        return key.arch != identity.arch, tuple(abs(one - other) for one, other in parts)

    for key in sorted((key for key in known(directory) if key.flavour == identity.flavour), key=distance):
        layout = load_table(*key, directory=directory)
        if layout is not None and layout.word_size == identity.word_size:
            return layout
    raise NoLayout("nor is there one of anything like it")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def known(directory: Path = TABLES) -> list[TableKey]:
    """What there are built-in tables for, told by file names alone."""
    keys = []
    for path in sorted(directory.glob("erts-*-*-*.json")):
        version, arch, flavour = path.stem.removeprefix("erts-").rsplit("-", 2)
        keys.append(TableKey(version, arch, flavour))
    return keys


def from_json(table: Mapping[str, Any]) -> Layout:
    """The layout that a table's JSON describes."""
    structs = {
        name: StructLayout(struct["size"], {path: _field(*field) for path, field in struct["fields"].items()})
        for name, struct in table["structs"].items()
    }
    key = TableKey(table["erts"], table["arch"], table["flavour"])
    origin = f"built-in table otp-{table['otp']} {key.arch} {key.flavour}"
    options = frozenset(table["options"])
    return Layout(
        origin, table["otp"], *key, table["triplet"], table["word_size"], options, structs, table["constants"],
        table["build"],
    )  # fmt: skip


def to_json(layout: Layout) -> str:
    """A table's text: sorted, one struct a line, so that two releases can be compared with diff."""
    head = {
        "otp": layout.release, "erts": layout.erts_version, "arch": layout.arch, "flavour": layout.flavour,
        "triplet": layout.triplet, "word_size": layout.word_size, "options": sorted(layout.options),
    }  # fmt: skip
    lines = [f"{_compact(key)}: {_compact(value)}," for key, value in head.items()]
    lines.append(f'"build": {_compact(dict(layout.build))},')
    lines.append(f'"constants": {_compact(dict(layout.constants))},')
    structs = [f"{_compact(name)}: {_compact(_struct(s))}" for name, s in sorted(layout.structs.items())]
    return "{\n" + "\n".join(lines) + '\n"structs": {\n' + ",\n".join(structs) + "\n}}\n"


def _field(offset: int, width: int, elements: int | None = None, bits: Sequence[int] | None = None) -> Field:
    if bits is None:
        return Field(offset, width, elements)
    lowest, count = bits
    return Field(offset, width, elements, (lowest, count))


def _struct(struct: StructLayout) -> dict[str, Any]:
    return {"size": struct.size, "fields": {path: _told(field) for path, field in struct.fields.items()}}


def _told(field: Field) -> list[Any]:
    """A field without what it has not, as `_field` takes it."""
    if field.bits is not None:
        return list(field)
    return list(field[:2] if field.elements is None else field[:3])


def _compact(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
