"""Which package may import which: the compiler and the debugger meet in few, and nothing goes round in a circle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: By package of the compiler, all others of this project that it may import. Nothing here is of the debugger.
ALLOWED = {
    "jit.system": "",
    "jit.object": "",
    "jit.otp": "jit.object jit.system",
    "jit.image": "jit.object jit.otp",
    "jit.signatures": "jit.image jit.object jit.otp jit.system",
    "jit.beam": "jit.otp jit.system",
    "jit.sandbox": "jit.system",
    "jit.codegen": "jit.beam jit.object jit.system",
    "jit.aarch64": "jit.codegen jit.object",
    "jit.arm32": "jit.codegen jit.object",
    "jit.riscv": "jit.codegen jit.object",
    "jit.thumb": "jit.arm32 jit.codegen jit.object",
    "jit.x86_64": "jit.codegen jit.object",
    "jit.erts": "jit.arm32 jit.beam jit.codegen jit.image jit.object jit.otp jit.system",
    "jit.atomvm": "jit.aarch64 jit.arm32 jit.beam jit.codegen jit.object jit.riscv jit.thumb jit.x86_64",
    "jit.commands": "jit.arm32 jit.atomvm jit.beam jit.codegen jit.erts jit.sandbox jit.system",
    "jit": "jit.commands jit.system",
}

#: The same of the debugger, in whose names `beamgdb.` is left out; modules beside the packages count as such. From what
#: lies lowest: a command of GDB is at the end of all ways.
DEBUGGER = {
    "dependencies": "",
    "erlang_start": "",
    "gdb_options": "",
    "sandbox": "",
    "memory": "",
    "brackets": "",
    "core_file": "",
    "machine_code": "",
    "native": "",
    "terms": "memory",
    "beamasm": "machine_code",
    "records": "machine_code memory",
    "atomvm": "memory records terms",
    "code": "memory records terms",
    "roots": "code machine_code memory records terms",
    "vm": "code memory records terms",
    "crashdump": "code memory records terms vm",
    "interpreter": "code machine_code memory records terms vm",
    "evidence": "code interpreter machine_code memory records terms vm",
    "node": "beamasm code interpreter memory records roots vm",
    "unwinding": "beamasm code interpreter machine_code memory native node vm",
    "disassembly": "code interpreter machine_code memory node vm",
    "views": "atomvm brackets code dependencies disassembly interpreter machine_code memory native node roots terms"
    " unwinding vm",
    "gdbext": "atomvm beamasm code core_file crashdump evidence interpreter machine_code memory native node roots terms"
    " unwinding views vm",
    "api_objects": "terms",
    "api": "api_objects gdbext memory node terms views vm",
    "loader": "dependencies gdbext",
    "asked_gdb": "core_file",
    "pack": "asked_gdb core_file",
    "report": "asked_gdb pack",
    "perf_map": "asked_gdb",
    "screen": "asked_gdb brackets core_file gdb_options pack",
    "cli": "asked_gdb core_file erlang_start gdb_options pack perf_map report screen",
    "__main__": "cli",
    "__init__": "api",
}

#: What the debugger may import of the compiler.
MEETING = "jit.beam jit.image jit.object jit.otp jit.sandbox jit.signatures jit.system"


@cache
def package(name: str) -> str:
    """The package of a module or of a name in it: that of two components, of which what is below is part."""
    parts = name.split(".")
    while not (ROOT / "/".join(parts)).is_dir():
        parts.pop()
    return ".".join(parts[:2])


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All of a file."""
    return tuple(ast.walk(ast.parse(path.read_text())))


@cache
def imports(path: Path) -> tuple[str, ...]:
    """The names of this project that a file imports, wherever in it."""
    found: list[str] = []
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found += (f"{node.module}.{one.name}" for one in node.names)
        elif isinstance(node, ast.Import):
            found += (one.name for one in node.names)
    return tuple(found)


Edge = tuple[str, str, str]
"""Who imports what, and the file in which."""


@cache
def edges(half: str) -> tuple[Edge, ...]:
    """All between packages, those of a package and itself too."""
    return tuple(
        (package(".".join(path.relative_to(ROOT).parent.parts)), package(name), str(path.relative_to(ROOT)))
        for path in sorted((ROOT / half).rglob("*.py"))
        for name in imports(path)
        if name.partition(".")[0] in ("jit", "beamgdb")
    )


def test_the_compiler() -> None:
    wrong = [
        f"{file} imports {imported}"
        for importer, imported, file in edges("jit")
        if imported not in (importer, *ALLOWED[importer].split())
    ]
    assert wrong == []


def test_the_debugger() -> None:
    wrong = [
        f"{file} imports {imported}"
        for _, imported, file in edges("beamgdb")
        if imported.startswith("jit") and imported not in MEETING.split()
    ]
    assert wrong == []


def in_rings(imported: dict[str, set[str]]) -> set[str]:
    """The modules that import themselves through others, and those between such rings."""
    left = dict(imported)
    while True:
        inner = {name for name in left if imported[name] & left.keys()} & set().union(*(left[name] for name in left))
        if inner == left.keys():
            return inner
        left = {name: imported[name] for name in inner}


@pytest.mark.parametrize("half", ["beamgdb", "jit"])
def test_no_modules_form_a_ring(half: str) -> None:
    """Imports within functions and those for types only count too."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in (ROOT / half).rglob("*.py")}
    imported = {
        name: {one if one in modules else one.rpartition(".")[0] for one in imports(path)} & modules.keys()
        for name, path in modules.items()
    }
    assert in_rings(imported) == set()


def test_what_is_taken_for_a_ring() -> None:
    ring = {"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": set[str](), "e": {"a"}}
    assert in_rings(ring) == {"a", "b", "c"}


@cache
def room(name: str) -> str:
    """The package of the debugger that a module or a name in it belongs to, or a module beside the packages."""
    parts = name.split(".")
    while not ((ROOT / "/".join(parts)).is_dir() or (ROOT / "/".join(parts)).with_suffix(".py").is_file()):
        parts.pop()
    return parts[1] if len(parts) > 1 else ""


@cache
def within_the_debugger() -> tuple[Edge, ...]:
    """All between different rooms. `late` is no room: it stands for `dataclasses`, for all."""
    found = (
        (room(".".join(path.relative_to(ROOT).with_suffix("").parts)), room(name), str(path.relative_to(ROOT)))
        for path in sorted((ROOT / "beamgdb").rglob("*.py"))
        for name in imports(path)
        if name.partition(".")[0] == "beamgdb"
    )
    return tuple(edge for edge in found if edge[1] not in (edge[0], "", "late"))


def test_the_rooms_of_the_debugger() -> None:
    wrong = [
        f"{file} imports {imported}"
        for importer, imported, file in within_the_debugger()
        if imported not in DEBUGGER[importer].split()
    ]
    assert wrong == []


def test_nothing_is_imported_by_a_string() -> None:
    """But for what looks whether packages that others make are there."""
    found = set()
    for path in (path for half in ("beamgdb", "jit") for path in (ROOT / half).rglob("*.py")):
        called = {node.func for node in nodes(path) if isinstance(node, ast.Call)}
        names = {one.id if isinstance(one, ast.Name) else getattr(one, "attr", "") for one in called}
        if names & {"import_module", "__import__"}:
            found.add(str(path.relative_to(ROOT)))
    assert found == {"beamgdb/dependencies.py"}


def test_only_what_gdb_runs_imports_gdb() -> None:
    files = [path for half in ("beamgdb", "jit", "demo") for path in (ROOT / half).rglob("*.py")]
    importers = {str(path.relative_to(ROOT)) for path in files if "gdb" in imports(path)}
    assert "beamgdb/gdbext/session.py" in importers
    others = {name for name in importers if not name.startswith("beamgdb/gdbext/")}
    assert others == {"beamgdb/loader.py", "demo/tour.py"}


def test_the_screen_knows_no_vm() -> None:
    """What it shows it has asked by the protocol: it has no place, tag or flag of a VM from anywhere."""
    known = {name for path in (ROOT / "beamgdb/screen").glob("*.py") for name in imports(path)}
    ours = {name for name in known if name.partition(".")[0] in ("beamgdb", "jit")}
    assert {room(name) for name in ours if name.startswith("beamgdb")} == {
        "screen", "asked_gdb", "brackets", "core_file", "gdb_options", "late", "pack"
    }  # fmt: skip
    assert {package(name) for name in ours if name.startswith("jit")} == {"jit.sandbox", "jit.system"}
    assert "gdb" not in known


def test_a_processor_knows_only_its_interface() -> None:
    """Not the code generator that uses it."""
    known = {name for path in (ROOT / "jit/arm32").glob("*.py") for name in imports(path)}
    assert {name.rpartition(".")[0] for name in known if name.startswith("jit.codegen.")} == {"jit.codegen.processor"}


def test_stock_erlang_is_known_beside_what_is_of_a_processor() -> None:
    """The files of `jit/erts` know none of the packages below, nor an assembler; but which processors there are."""
    known = {name for path in (ROOT / "jit/erts").glob("*.py") for name in imports(path)}
    ours = [name for name in sorted(known) if name.startswith("jit.") and "arm32" in name]
    assert [name for name in ours if not name.startswith("jit.arm32.cpus")] == []


@pytest.mark.parametrize("table", [ALLOWED, DEBUGGER], ids=["compiler", "debugger"])
def test_what_is_allowed_is_no_circle(table: dict[str, str]) -> None:
    """Each package comes behind all that it may import."""
    before: set[str] = set()
    for name, allowed in table.items():
        assert before.issuperset(allowed.split()), name
        before.add(name)


@pytest.mark.parametrize("name", ALLOWED)
def test_nothing_is_allowed_in_vain(name: str) -> None:
    used = {imported for importer, imported, _ in edges("jit") if importer == name}
    assert set(ALLOWED[name].split()) <= used


@pytest.mark.parametrize("name", DEBUGGER)
def test_no_room_may_import_another_in_vain(name: str) -> None:
    used = {imported for importer, imported, _ in within_the_debugger() if importer == name}
    assert set(DEBUGGER[name].split()) <= used


#: What changes a list, a dictionary or a set.
CHANGES = "append add clear discard extend insert pop popitem remove reverse setdefault sort update".split()

#: What makes something that does not change.
MAKES_CONSTANTS = "re.compile TypeVar Host Limits".split()

#: The module that has the one object that changes.
OWNER = "beamgdb/gdbext/extension.py"


def constants(module: ast.Module) -> dict[str, ast.expr | None]:
    """Names that a module gives with their values, but for imports, functions and classes."""
    found: dict[str, ast.expr | None] = {}
    for statement in module.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names = (name for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))
            found |= {name.id: statement.value for name in names}
    return found


def imported(module: ast.Module) -> set[str]:
    """Names that a module has from others of this project."""
    statements = (one for one in ast.walk(module) if isinstance(one, ast.ImportFrom))
    return {name.asname or name.name for one in statements for name in one.names}


def changed(module: ast.Module) -> set[str]:
    """Names of whose values something is set or deleted, or a method is called that changes them: `a` of `a.b = 1`,
    `a[0] = 1`, `del a[0]` and `a.append(1)`."""
    found = set()
    for node in ast.walk(module):
        place: ast.expr | None = None
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            place = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
            place = node.func.value
        if isinstance(place, ast.Name):
            found.add(place.id)
    return found


def changing(module: ast.Module) -> Iterator[str]:
    """What there is in a module that changes."""
    names = constants(module)
    yield from ("global" for node in ast.walk(module) if isinstance(node, ast.Global))
    yield from (f"{name}, which is named as no constant" for name in names if name.lstrip("_")[:1].islower())
    yield from changed(module) & (names.keys() | imported(module))
    for name, content in names.items():
        if isinstance(content, ast.Call) and ast.unparse(content.func) not in MAKES_CONSTANTS:
            yield f"{name}, a {ast.unparse(content.func)}"


def test_what_changes_in_gdb_has_one_owner() -> None:
    files = [path for path in (ROOT / "beamgdb" / "gdbext").rglob("*.py") if path != ROOT / OWNER]
    found = {str(path.relative_to(ROOT)): list(changing(ast.parse(path.read_text()))) for path in files}
    assert {file: names for file, names in found.items() if names} == {}


def test_what_functions_of_gdbext_keep() -> None:
    """The one object, a type of GDB that an architecture has for ever, and what a process of GDB is."""
    found = {
        f"{path.stem}.{node.name}"
        for path in (ROOT / "beamgdb" / "gdbext").rglob("*.py")
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef)
        if any(re.match(r"(functools\.)?(lru_)?cache\b", ast.unparse(one)) for one in node.decorator_list)
    }
    assert found == {"extension.extension", "c_expressions._word", "front_end.speaks_mi"}


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    global X\n    X = 1",
        "last = None",
        "KNOWN = {}\ndef f():\n    KNOWN[1] = 2",
        "KNOWN = []\ndef f():\n    KNOWN.append(1)",
        "STATE = State()",
        "from beamgdb.gdbext import errors\ndef f():\n    errors.COUNT += 1",
    ],
)
def test_what_is_taken_for_changing(text: str) -> None:
    assert list(changing(ast.parse(text)))
