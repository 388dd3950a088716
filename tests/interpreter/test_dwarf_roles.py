"""Where `process_main` keeps the state of Erlang code, from debug information as GCC writes it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from beamgdb.interpreter import dwarf_roles
from beamgdb.interpreter.symbolic.values import Initial, Loaded, Sum, initial, is_named, split_place

SOURCE = """
long *next(long *, long);
void process_main(long *reg) {
    register long *I asm("rbx") = reg;
    register long *E asm("r13") = reg + 1;
    long *c_p = reg + 2, FCALLS = *reg;
    while (FCALLS > 0) {
        I = next(E, FCALLS);
        E = next(I, (long) c_p);
        FCALLS -= I[0];
        c_p = (long *) I[1];
    }
    c_p[1] = (long) I + (long) E;
}
"""
"""Variables of the names that `process_main` has; two are in registers, whatever the compiler prefers."""


def compiled(folder: Path, *options: str, name: str = "beam_emu.c") -> Path:
    source, library = folder / name, folder / "beam.so"
    source.write_text(SOURCE)
    subprocess.run(["gcc", "-shared", "-fPIC", "-nostdlib", *options, "-o", library, source], check=True)
    return library


def loop(library: Path) -> int:
    """The distance of an instruction in the loop from the start: of the first call."""
    text = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", library], check=True, capture_output=True, text=True
    ).stdout
    lines = text.split("<process_main>:\n")[1].splitlines()
    start, call = (int(line.split(":")[0], 16) for line in (lines[0], next(one for one in lines if "call" in one)))
    return call - start


def test_variables_in_memory_are_found_by_the_frame_pointer(tmp_path: Path) -> None:
    library = compiled(tmp_path, "-g", "-O0")
    found = dwarf_roles.read(library, "x86_64", [loop(library)])
    assert (found["instruction"], found["stack"]) == ("rbx", "r13")
    assert found["process"].startswith("rbp-")
    assert found["reductions"].startswith("rbp-")
    assert found["process"] != found["reductions"]


def test_variables_in_memory_are_found_by_the_stack_pointer(tmp_path: Path) -> None:
    library = compiled(tmp_path, "-g", "-O0", "-fomit-frame-pointer")
    found = dwarf_roles.read(library, "x86_64", [loop(library)])
    assert found["process"].startswith("sp+")
    assert found["reductions"].startswith("sp+")


def test_places_are_those_that_code_uses(tmp_path: Path) -> None:
    """The variable is set and read in memory, at a distance from the frame pointer."""
    library = compiled(tmp_path, "-g", "-O0")
    place = dwarf_roles.read(library, "x86_64", [loop(library)])["process"]
    code = subprocess.run(["objdump", "-d", library], check=True, capture_output=True, text=True).stdout
    register, distance = split_place(place)
    assert distance is not None
    assert f"-{-distance:#x}(%{register})" in code


@pytest.mark.parametrize("version", ["-gdwarf-4", "-gdwarf-5"])
def test_variables_of_optimised_code_have_lists_of_places(version: str, tmp_path: Path) -> None:
    library = compiled(tmp_path, version, "-O2")
    found = dwarf_roles.read(library, "x86_64", [loop(library)])
    assert found["stack"] == "r13"
    assert is_named(found["process"])


def test_a_place_that_differs_from_handler_to_handler_is_none(tmp_path: Path) -> None:
    """At its first instruction the function has not set the variable yet."""
    library = compiled(tmp_path, "-g", "-O2")
    assert "process" not in dwarf_roles.read(library, "x86_64", [0, loop(library)])


def test_nothing_is_known_without_debug_information(tmp_path: Path) -> None:
    assert dwarf_roles.read(compiled(tmp_path), "x86_64", [0]) == {}
    assert dwarf_roles.read(compiled(tmp_path, "-g", name="other.c"), "x86_64", [0]) == {}
    assert dwarf_roles.read(tmp_path / "missing", "x86_64", [0]) == {}
    (tmp_path / "text").write_text("no ELF")
    assert dwarf_roles.read(tmp_path / "text", "x86_64", [0]) == {}
    assert dwarf_roles.read(compiled(tmp_path, "-g"), "sparc", [0]) == {}


def test_damaged_debug_information_tells_nothing(tmp_path: Path) -> None:
    whole = compiled(tmp_path, "-g", "-O2").read_bytes()
    at = whole.index(b"beam_emu.c")
    for size in (200, len(whole) // 2, at):
        damaged = tmp_path / "damaged"
        damaged.write_bytes(whole[:size])
        assert dwarf_roles.read(damaged, "x86_64", [0]) == {}


def test_places_by_name() -> None:
    assert (split_place("rbx"), split_place("sp+16"), split_place("rbp-56")) == (
        ("rbx", None), ("sp", 16), ("rbp", -56),
    )  # fmt: skip
    assert (is_named("r4"), is_named("sp+20"), is_named("rbp-56")) == (True, True, False)
    assert initial("rbp-56") == Loaded(Sum(Initial("rbp"), -56))
    assert initial("sp+20") == Initial("sp+20")
