"""Debug files of stripped beam.smps: what a distribution keeps apart, with the types of a table of field offsets.

No debug information of Debian's binaries is at hand. This is as much of it as the debugger asks for, made by a C
compiler of declarations that have the fields where the table has them; symbols and build id are the binary's own.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from elftools.elf.elffile import ELFFile

from jit.object.elf_symbols import defined
from jit.otp.layouts.layout import Layout
from jit.otp.layouts.resolve import Field
from jit.otp.layouts.wanted import CONSTANTS, STRUCTS
from tests.harness.gdb_facts import is_true
from tests.harness.patience import PATIENCE

NT_GNU_BUILD_ID = 3

_C_TYPES = {1: "unsigned char", 2: "unsigned short", 4: "unsigned int", 8: "unsigned long"}


def declarations(layout: Layout) -> Iterator[str]:
    """C code of which a compiler makes the types of a layout."""
    for wanted in STRUCTS:
        if wanted.name in layout.structs:
            struct = layout.structs[wanted.name]
            yield f"typedef union {{ char whole[{struct.size}]; {_members(struct.fields, 0)} }} {wanted.name};"
            yield f"{wanted.name} one_{wanted.name};"
    names = [wanted.name for wanted in CONSTANTS if wanted.name in layout.constants]
    yield f"enum constants {{ {', '.join(f'{name} = {layout.constants[name]}' for name in names)} }} of_all;"


def _members(fields: Mapping[str, Field], base: int) -> str:
    """Members of a union that has the fields, by their dotted paths, as far behind its start as they are behind `base`.
    What is within a field that itself is none of the table has the whole's start for its own."""
    parts: list[str] = []
    for name in dict.fromkeys(path.partition(".")[0] for path in fields):
        field = fields.get(name)
        inner = {path.partition(".")[2]: one for path, one in fields.items() if path.startswith(f"{name}.")}
        start = base if field is None else field.offset
        room = f"char room_{name}[{start - base}]; " if start > base else ""
        whole = f"char whole[{field.width}]; " if field is not None else ""
        kind = f"union {{ {whole}{_members(inner, start)} }}" if inner else _C_TYPES.get(field.width if field else 0)
        kind = kind or f"struct {{ {whole}}}"
        count = "" if field is None or field.elements is None else f"[{field.elements}]"
        parts.append(f"struct __attribute__((packed)) {{ {room}{kind} {name}{count}; }};")
    return " ".join(parts)


def write(beam: Path, layout: Layout, path: Path, *, build_id: bytes | None = None, dwarf: int | None = None) -> None:
    """The debug file at `path` of a stripped binary, of which the layout is believed to be; or with a `build_id`, 20
    bytes, a whole binary like it that was not stripped. `dwarf`: the version of DWARF, else the newest that is read."""
    folder = path.parent / f"{path.name}-parts"
    folder.mkdir()
    source, linked = folder / "types.c", folder / "types.so"
    source.write_text("\n".join(declarations(layout)) + "\n")
    newest = 5 if is_true("reads DWARF 5") else 4
    flags = (f"-gdwarf-{dwarf or newest}", "-O0", "-fno-eliminate-unused-debug-types", "-shared", "-nostdlib")
    _run("gcc", *flags, "-o", linked, source)
    if build_id is None:
        _run("objcopy", "--only-keep-debug", beam, path)
    else:
        shutil.copy(beam, path)
        note = folder / "build-id"
        note.write_bytes(struct.pack("<III", 4, len(build_id), NT_GNU_BUILD_ID) + b"GNU\0" + build_id)
        _run("objcopy", "--update-section", f".note.gnu.build-id={note}", path)
    sections: list[str] = []
    with linked.open("rb") as stream:
        for section in ELFFile(stream).iter_sections():
            if section.name.startswith(".debug_"):
                (folder / section.name).write_bytes(section.data())
                sections += ["--add-section", f"{section.name}={folder / section.name}"]
    options = folder / "options"
    options.write_text("\n".join(_symbols(beam)))
    _run("objcopy", *sections, f"@{options}", path)


def _symbols(beam: Path) -> Iterator[str]:
    """The symbols that a binary exports, as arguments of objcopy."""
    with beam.open("rb") as stream:
        elf = ELFFile(stream)
        loaded = [(one.name, one["sh_addr"], one["sh_size"]) for one in elf.iter_sections() if one["sh_addr"]]
        for symbol in defined(elf, ".dynsym"):
            for name, start, size in loaded:
                if start <= symbol.address < start + size:
                    kind = "function" if symbol.is_function else "object"
                    yield f"--add-symbol {symbol.name}={name}:{symbol.address - start:#x},global,{kind}"
                    break


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, timeout=PATIENCE, capture_output=True)
