"""Runs modules natively in the small machine of host.c, built with the module in it, under qemu-user where need be."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

from elftools.elf.elffile import ELFFile

from jit.atomvm.elf_file import elf_file
from jit.atomvm.formats import F1
from jit.atomvm.terms import ATOMS
from jit.beam.module import Module, read_module
from jit.beam.terms import Atom, List, Term, Tuple
from jit.codegen.compile import compile_module
from jit.commands import targets
from tests.harness.patience import PATIENCE

HOST = Path(__file__).with_name("host.c")
#: Where the machine has the code.
BASE = 0x2000_0000
#: By target the compiler, and what runs its programs.
TOOLS = {
    "arm32": ("arm-linux-gnueabihf-gcc", ["qemu-arm"]),
    "aarch64": ("aarch64-linux-gnu-gcc", ["qemu-aarch64"]),
    "armv6m": ("arm-linux-gnueabihf-gcc", ["qemu-arm"]),
    "armv6m+thumb2": ("arm-linux-gnueabihf-gcc", ["qemu-arm"]),
    "riscv32": ("riscv64-linux-gnu-gcc", ["qemu-riscv32"]),
    "riscv64": ("riscv64-linux-gnu-gcc", ["qemu-riscv64"]),
    "x86_64": ("x86_64-linux-gnu-gcc", []),
}
#: Where there is no C library, in the place of one.
WITHOUT_LIBRARY: dict[str, list[str | Path]] = {
    "riscv32": ["-march=rv32imac_zicsr_zifencei", "-mabi=ilp32", "-nostdlib", HOST.with_name("small_libc.c")]
}


def build(target: str, beam: Path, folder: Path) -> Path:
    """The machine with a module, all of which is native; beside it in ``native.elf`` what describes that code."""
    module = read_module(beam)
    runtime = targets.runtime(targets.Wanted(target, runtime="atomvm"))
    native = compile_module(module, runtime)
    assert native.interpreted == {}
    atoms = [*ATOMS, *(name for name in module.atoms if name not in ATOMS)]
    (folder / "literals.h").write_text("\n".join(_literals(module, atoms)), encoding="utf-8")
    (folder / "image.h").write_text("\n".join(_image(module, target, native.code.data, atoms)), encoding="utf-8")
    described = elf_file(native, runtime)
    (folder / "native.elf").write_bytes(moved(target, described.data, described.addresses))
    program, compiler = folder / "host", TOOLS[target][0]
    options: list[str | Path] = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Wno-unused-function", "-static"]
    if target in WITHOUT_LIBRARY:
        options += WITHOUT_LIBRARY[target]
        (folder / "gnu").mkdir()
        (folder / "gnu/stubs-ilp32.h").touch()  # of which the compiler's own library has those of 64 bits
    subprocess.run([compiler, *options, "-I", folder, "-o", program, HOST], check=True, timeout=PATIENCE)
    return program


def moved(target: str, elf: bytes, addresses: Sequence[int]) -> bytes:
    """An ELF file as AtomVM shows it to a debugger, with code at BASE: addresses in it are changed, and where .text is,
    the first of its sections."""
    out, word, header = bytearray(elf), F1.targets[target].layout.word, ELFFile(BytesIO(elf)).header
    text = header["e_shoff"] + header["e_shentsize"]
    for place in (text + 8 + word, *addresses):
        address = int.from_bytes(out[place : place + word], "little")
        out[place : place + word] = (address + BASE).to_bytes(word, "little")
    return bytes(out)


def run(target: str, beam: Path, folder: Path) -> str:
    """What a module's start/0 prints."""
    program = build(target, beam, folder)
    ran = subprocess.run([*TOOLS[target][1], program], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    return ran.stdout


def _image(module: Module, target: str, code: bytes, atoms: list[str]) -> Iterator[str]:
    labels = {(row.function, row.arity): row.label for row in module.exports}
    count, entry = module.code.label_count, F1.targets[target].entry
    numbers = f"LABELS = {count}, START = {labels['start', 0]}, ENTRY = {entry}, BASE = {BASE}"
    yield f"enum {{ {numbers}, THUMB = {int(target.startswith('armv6m'))} }};"
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
