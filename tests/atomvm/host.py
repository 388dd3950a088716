"""Runs modules natively in the small machine of host.c, built with the module in it, under qemu-user where need be."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from jit.atomvm.formats import F1
from jit.atomvm.terms import ATOMS
from jit.beam.module import Module, read_module
from jit.beam.terms import Atom, List, Term, Tuple
from jit.codegen.compile import compile_module
from jit.commands import targets
from tests.harness.patience import PATIENCE

HOST = Path(__file__).with_name("host.c")
#: By target the compiler, and what runs its programs.
TOOLS = {"arm32": ("arm-linux-gnueabihf-gcc", ["qemu-arm"]), "x86_64": ("x86_64-linux-gnu-gcc", [])}


def run(target: str, beam: Path, folder: Path) -> str:
    """What a module's start/0 prints. All of it is native."""
    module = read_module(beam)
    native = compile_module(module, targets.runtime(targets.Wanted(target, runtime="atomvm")))
    assert native.interpreted == {}
    atoms = [*ATOMS, *(name for name in module.atoms if name not in ATOMS)]
    (folder / "literals.h").write_text("\n".join(_literals(module, atoms)), encoding="utf-8")
    (folder / "image.h").write_text("\n".join(_image(module, target, native.code.data, atoms)), encoding="utf-8")
    program = folder / "host"
    compiler, runner = TOOLS[target]
    options = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Wno-unused-function", "-static"]
    subprocess.run([compiler, *options, "-I", folder, "-o", program, HOST], check=True, timeout=PATIENCE)
    ran = subprocess.run([*runner, program], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    return ran.stdout


def _image(module: Module, target: str, code: bytes, atoms: list[str]) -> Iterator[str]:
    labels = {(row.function, row.arity): row.label for row in module.exports}
    count, entry = module.code.label_count, F1.targets[target].entry
    yield f"enum {{ LABELS = {count}, START = {labels['start', 0]}, ENTRY = {entry} }};"
    yield f"static const uint8_t code[] = {{ {','.join(map(str, code))} }};"
    yield f"static const char *const ATOMS[] = {{ {', '.join(map(_string, atoms))} }};"
    yield f"static const int ATOM_IDS[] = {{ 0, {', '.join(str(atoms.index(name)) for name in module.atoms)} }};"
    imports = [
        (one.function, one.arity, labels.get((one.function, one.arity), 0) if one.module == module.name else 0)
        for one in module.imports
    ]
    for name, rows in (("IMPORTS", imports), ("EXPORTS", [(*key, label) for key, label in labels.items()])):
        yield f"static const Function {name}[] = {{ {', '.join(f'{{{_string(f)}, {a}, {n}}}' for f, a, n in rows)} }};"
    funs = [f"{{{one.label}, {one.arity}, {one.free}}}" for one in module.lambdas]
    yield f"static const int FUNS[][3] = {{ {', '.join([*funs, '{0}'])} }};"


def _string(text: str) -> str:
    assert text.isprintable()
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _literals(module: Module, atoms: list[str]) -> Iterator[str]:
    """The function that makes a literal; its atoms are added to those that there are."""
    yield "static term literal(int index)\n{\n    switch (index) {"
    for one in module.literals.literals:
        yield f"        case {one.index}: return {_literal(one.value, atoms)};"
    yield '    }\n    die("a literal that is none");\n    return 0;\n}'


def _literal(value: Term, atoms: list[str]) -> str:
    if isinstance(value, int):
        return f"from_integer({value}LL)"
    if isinstance(value, Atom):
        if value.name not in atoms:
            atoms.append(value.name)
        return f"FIXED({atoms.index(value.name)})"
    if isinstance(value, Tuple):
        elements = ", ".join(_literal(one, atoms) for one in value.elements)
        return f"literal_tuple({len(value.elements)}, (term[]) {{ {elements} }})"
    assert isinstance(value, List)
    text = "NIL" if value.tail is None else _literal(value.tail, atoms)
    for one in reversed(value.elements):
        text = f"literal_list({_literal(one, atoms)}, {text})"
    return text
