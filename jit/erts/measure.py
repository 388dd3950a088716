"""Make the table of a release: ``python -m jit.erts.measure BEAM OTP``, where BEAM has debug information.

BEAM is a beam.smp built from Debian's source package for armhf, as ``tools/debug_beam`` does it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from jit.erts.layout import ARRAYS, BUILD, WANTED, WANTED_IN

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


def facts(path: Path) -> tuple[str, str, dict[str, int]]:
    """What the VM tells of itself: its version, its architecture, and the numbers of BUILD. Raises LookupError."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        symbols = elf.get_section_by_name(".symtab")
        if not isinstance(symbols, SymbolTableSection):
            raise LookupError(f"{path} has no symbols")

        def content(name: str) -> bytes:
            for symbol in symbols.get_symbol_by_name(name) or ():
                begin, size = symbol["st_value"], symbol["st_size"]
                for offset in elf.address_offsets(begin, size):
                    file.seek(offset)
                    return bytes(file.read(size))
            raise LookupError(f"{path} has no {name}")

        erts, arch = (content(name).rstrip(b"\0").decode() for name in ("etp_erts_version", "etp_arch"))
        return erts, arch, {name: int.from_bytes(content(name), "little", signed=True) for name in BUILD}


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
    path, otp = Path(sys.argv[1]), int(sys.argv[2])
    erts, arch, build = facts(path)
    fields, sizes = measure(path, otp)
    rows = ",\n".join(f"    {json.dumps(name)}: {json.dumps(place)}" for name, place in fields.items())
    known = {"erts": erts, "arch": arch, "build": build, "sizes": sizes}
    head = "".join(f"  {json.dumps(name)}: {json.dumps(value)},\n" for name, value in known.items())
    text = f'{{\n{head}  "fields": {{\n{rows}\n  }}\n}}\n'
    Path(__file__).with_name("layouts").joinpath(f"otp-{otp}-arm32-emu.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
