"""Make signatures of the functions of a beam.smp with debug information that a stripped one has too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from jit.image.image import Image
from jit.image.image_file import NoImage, open_image
from jit.object.elf_symbols import defined
from jit.otp.layouts.dwarf import NoDebugInfo
from jit.otp.layouts.extract import CannotExtract
from jit.otp.layouts.layout import Layout, TableKey
from jit.signatures import accesses, signature
from jit.signatures.accesses import Code, functions
from jit.signatures.signature import LEAST_BYTES, MASK, TABLES, Fields, Reference, Signature
from jit.system import whole_files
from jit.system.command_line import told

EXPORTED: Final = "enif_make_atom"
"""A function that every beam.smp exports."""

EACH: Final = 4
"""Functions that tell of a field, where there are so many: a later release has changed some."""


def write(build: Path, used: Path, layout: Layout, directory: Path = TABLES) -> Path:
    """Write the signatures of functions of a build, whose layout is given, that the stripped beam.smp `used` has too.
    Raises CannotExtract, also of an architecture whose instructions are not known here."""
    path = directory / TableKey(layout.erts_version, layout.arch, layout.flavour).file_name
    try:
        signatures = sign(functions(build, layout.arch), own_image(used), layout)
        whole_files.write(path, signature.to_json(signatures).encode("ascii"))
    except NoDebugInfo as error:
        raise CannotExtract(f"{build}: {error}") from error
    except (NoImage, ELFError) as error:
        raise CannotExtract(str(error)) from error
    except OSError as error:
        raise CannotExtract(told(error)) from error
    return path


def own_image(path: Path) -> Image:
    """A beam.smp at the addresses that its file has. Raises `NoImage`, ELFError, OSError."""
    with path.open("rb") as stream:
        place = next((one.address for one in defined(ELFFile(stream), ".dynsym") if one.name == EXPORTED), 0)
    return open_image(path, EXPORTED, place)


def sign(code: Iterable[Code], used: Image, layout: Layout) -> list[Signature]:
    """The signatures of as few functions as tell of every field that any tells of, of most `EACH` times."""
    all_of_them = [one for one in (_signature(one, layout) for one in code) if one is not None]
    candidates = [one for one, _ in signature.there(all_of_them, used)]
    known, chosen = Counter[tuple[str, str]](), list[Signature]()
    rare = Counter(name for one in candidates for name in _names(one))
    # Those first that tell of what few others do, and of much.
    for one in sorted(
        candidates, key=lambda one: (min(rare[name] for name in _names(one)), -len(_names(one)), one.digest)
    ):
        wanted = {name for name in _names(one) if known[name] < EACH}
        if wanted:
            known.update(wanted)
            chosen.append(_just(one, wanted))
    return sorted(chosen)


def _just(one: Signature, wanted: set[tuple[str, str]]) -> Signature:
    """The signature, but only of these fields."""

    def some(fields: Fields) -> Fields:
        found = {struct: [path for path in paths if (struct, path) in wanted] for struct, paths in fields.items()}
        return {struct: paths for struct, paths in found.items() if paths}

    references = (each._replace(fields=some(each.fields)) for each in one.references)
    return one._replace(fields=some(one.fields), references=tuple(each for each in references if each.fields))


def _names(one: Signature) -> frozenset[tuple[str, str]]:
    """What it tells of."""
    return signature.names(one.fields).union(*(signature.names(each.fields) for each in one.references))


def _signature(code: Code, layout: Layout) -> Signature | None:
    if len(code.content) < LEAST_BYTES or any(stop - start != MASK for start, stop in code.masked):
        return None
    # Of what is not the first element of an array, the distance of elements is seen as well.
    fields: dict[str, set[str]] = {}
    for access in code.accesses:
        if found := set(
            _fields(layout, access.struct, access.offset, access.width, access.step > 0 and access.number < 0)
        ):
            fields.setdefault(access.struct, set()).update(found, ["sizeof"] if access.number > 0 else [])
    for struct, size in code.asked:
        if layout.has(struct) and layout.size(struct) == size:
            fields.setdefault(struct, set()).add("sizeof")
    references = [_reference(one, layout) for one in sorted(code.references)]
    if not fields and not any(one.fields for one in references):
        return None
    places = tuple(sorted(start for start, _ in code.masked))
    hashed, told = signature.digest(code.content, places), _sorted(fields)
    return Signature(len(code.content), hashed, places, told, tuple(one for one in references if one.fields))


def _reference(one: accesses.Reference, layout: Layout) -> Reference:
    fields: dict[str, set[str]] = {}
    for inside in one.variable.inside:
        found = set(_fields(layout, inside.struct, one.offset - inside.offset, one.width, False))
        if found:
            fields.setdefault(inside.struct, set()).update(found, ["sizeof"] if inside.number > 0 else [])
    return Reference(one.place, one.end, one.variable.name, one.offset, _sorted(fields))


def _sorted(fields: dict[str, set[str]]) -> dict[str, list[str]]:
    return {struct: sorted(paths) for struct, paths in sorted(fields.items())}


def _fields(layout: Layout, struct: str, offset: int, width: int, is_element: bool) -> Iterator[str]:
    """The fields that an access of so many bytes may be of, of an array of one of its elements, of a bit field of the
    bytes that it is in."""
    known = layout.structs.get(struct)
    for path, field in known.fields.items() if known is not None else ():
        is_array = field.elements is not None
        if field.offset == offset and (is_array or (width <= field.width and not is_element)):
            yield path
