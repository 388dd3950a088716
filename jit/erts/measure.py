"""Make the table of a release: ``python -m jit.erts.measure BEAM OTP ERTS``, where BEAM has debug information.

BEAM is a beam.smp built from Debian's source package for armhf, as ``tools/debug_beam`` does it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from jit.erts.layout import ARRAYS, WANTED, WANTED_IN

_STRUCTURES = ("DW_TAG_structure_type", "DW_TAG_union_type")
_Place = tuple[int, int]


def measure(path: Path, otp: int) -> tuple[dict[str, _Place], dict[str, int]]:
    """Offset and size of each wanted field, and sizes of the elements of arrays. Raises LookupError."""
    wanted = [(name, field) for part in (WANTED, WANTED_IN[otp]) for name in part for field in part[name].split()]
    names = {name for name, _ in wanted}
    with path.open("rb") as file:
        elf = ELFFile(file)
        if not elf.has_dwarf_info():
            raise LookupError(f"{path} has no debug information")
        types: dict[str, Any] = {}
        for unit in elf.get_dwarf_info().iter_CUs():
            for die in unit.get_top_DIE().iter_children():
                name = _name(die)
                if die.tag == "DW_TAG_typedef" and name in names and name not in types:
                    structure = _structure(die)
                    if structure is not None and structure.has_children:
                        types[name] = structure
            if len(types) == len(names):
                break
        if missing := sorted(names - set(types)):
            raise LookupError(f"{path} does not tell of {', '.join(missing)}")
        fields = {f"{name}.{field}": _place(types[name], field) for name, field in wanted}
        return fields, {name: _size(types[name]) for name in ARRAYS}


def _name(die: Any) -> str:
    attribute = die.attributes.get("DW_AT_name")
    return attribute.value.decode() if attribute else ""


def _structure(die: Any) -> Any:
    """The structure behind typedefs and qualifiers; None for anything else."""
    while die.tag not in _STRUCTURES:
        if "DW_AT_type" not in die.attributes or die.tag in ("DW_TAG_pointer_type", "DW_TAG_array_type"):
            return None
        die = die.get_DIE_from_attribute("DW_AT_type")
    return die


def _place(structure: Any, field: str) -> _Place:
    offset, size = 0, 0
    for part in field.split("."):
        member = _member(structure, part)
        if member is None:
            raise LookupError(f"{_name(structure)} has no {field}")
        at, die = member
        offset += at
        type_ = die.get_DIE_from_attribute("DW_AT_type")
        size, structure = _size(type_), _structure(type_)
    return offset, size


def _member(structure: Any, name: str) -> tuple[int, Any] | None:
    """A member and its offset, also one of an anonymous structure inside."""
    for die in structure.iter_children():
        if die.tag != "DW_TAG_member":
            continue
        at = die.attributes["DW_AT_data_member_location"].value if "DW_AT_data_member_location" in die.attributes else 0
        if _name(die) == name:
            return at, die
        if not _name(die):
            inside = _member(_structure(die.get_DIE_from_attribute("DW_AT_type")), name)
            if inside is not None:
                return at + inside[0], inside[1]
    return None


def _size(die: Any) -> int:
    while "DW_AT_byte_size" not in die.attributes:
        if die.tag == "DW_TAG_pointer_type":
            return 4
        if die.tag == "DW_TAG_array_type" or "DW_AT_type" not in die.attributes:
            return 0  # nobody asks for the size of an array
        die = die.get_DIE_from_attribute("DW_AT_type")
    return int(die.attributes["DW_AT_byte_size"].value)


def main() -> None:
    path, otp, erts = sys.argv[1:]
    fields, sizes = measure(Path(path), int(otp))
    rows = ",\n".join(f"    {json.dumps(name)}: {json.dumps(place)}" for name, place in fields.items())
    text = f'{{\n  "erts": {json.dumps(erts)},\n  "sizes": {json.dumps(sizes)},\n  "fields": {{\n{rows}\n  }}\n}}\n'
    Path(__file__).with_name("layouts").joinpath(f"otp-{otp}-arm32-emu.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
