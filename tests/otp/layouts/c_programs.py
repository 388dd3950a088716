"""C programs with known structures: they print with offsetof what DWARF should tell."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from jit.otp.layouts.wanted import CONSTANTS, ONLY, STRUCTS, WantedField, WantedStruct, has

Tree = dict[str, "Tree"]


class Truth(NamedTuple):
    """What the compiler says of a field: offset and size in bytes, of an array as a whole."""

    offset: int
    size: int


def build(directory: Path, source: str, *flags: str, compiler: str = "gcc") -> Path:
    """Compile a C program with debug information."""
    file = directory / "program.c"
    file.write_text(source)
    program = directory / "program"
    subprocess.run([compiler, "-g", "-O0", "-w", *flags, "-o", program, file], check=True)
    return program


def printing_main(questions: Iterable[tuple[str, str]]) -> str:
    """A C main that prints offset and size of (type, path); path "" asks for the size of the type alone."""
    lines = []
    for struct, path in questions:
        if path:
            expressions = f"offsetof({struct}, {path}), sizeof((({struct} *)0)->{path})"
        else:
            expressions = f"(size_t)0, sizeof({struct})"
        lines.append(f'printf("%zu %zu\\n", {expressions});')
    return "\n#include <stdio.h>\n#include <stddef.h>\nint main(void) {\n" + "\n".join(lines) + "\nreturn 0; }\n"


def answers(program: Path) -> list[Truth]:
    """What `printing_main` printed, in the order of the questions."""
    output = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    return [Truth(*map(int, line.split())) for line in output.splitlines()]


#: The release of such a program, which has what the newest has.
FAKE_RELEASE = 99


def fake_vm(etp: str, main: str) -> str:
    """The source of a program with every structure and enumerator that is always wanted, or wanted of its release, and
    the given constants."""
    structs = "\n".join(_declaration(struct) for struct in STRUCTS if _is_wanted(struct))
    names = ", ".join(f"{c.c_names[0]} = {i}" for i, c in enumerate(CONSTANTS) if not c.optional)
    uses = "\n".join(f"{s.name} use_{s.name};" for s in STRUCTS if _is_wanted(s))
    return f"{structs}\nenum wanted {{ {names} }} use_wanted;\n{uses}\n{etp}\n{main}"


def always_wanted() -> list[tuple[str, str]]:
    """(struct, path) of every field that must be there."""
    return [(s.name, f.name) for s in STRUCTS if _is_wanted(s) for f in s.fields if _is_field_wanted(s, f)]


def _is_wanted(struct: WantedStruct) -> bool:
    return not struct.optional or struct.name in ONLY and has(FAKE_RELEASE, struct.name)


def _is_field_wanted(struct: WantedStruct, field: WantedField) -> bool:
    name = f"{struct.name}.{field.name}"
    return not field.optional or name in ONLY and has(FAKE_RELEASE, name)


def _declaration(wanted: WantedStruct) -> str:
    tree: Tree = {}
    for field in wanted.fields:
        if _is_field_wanted(wanted, field):
            at = tree
            for name in field.name.split("."):
                at = at.setdefault(name, {})
    return f"typedef struct {{ {_members(tree)} }} {wanted.name};"


def _members(tree: Tree) -> str:
    """Members of alternating width, so that padding matters."""
    parts = []
    for i, (name, inner) in enumerate(tree.items()):
        kind = f"struct {{ {_members(inner)} }}" if inner else ("char", "long", "short")[i % 3]
        parts.append(f"{kind} {name};")
    return " ".join(parts)
