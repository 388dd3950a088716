"""C types out of DWARF, compared with what the compiled program itself says."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jit.otp.layouts.dwarf import NoDebugInfo, open_types
from jit.otp.layouts.resolve import Field, find_field
from jit.sandbox.gdbs import GdbSandbox
from tests.harness.gdb import REPOSITORY
from tests.otp.layouts.c_programs import answers, build, printing_main

STRUCTURES = """
#include <stdint.h>
typedef struct node_ node_t;
struct node_ { node_t *next; const char *name; volatile uint16_t flags; };
typedef union { struct { char tag; long value; }; double real; } either_t;
typedef struct outer {
    char first;
    either_t embedded;
    struct { short a; union { int b; struct { char c, d; } in; }; };
    struct { int x; node_t node; } list[3], *link;
    int grid[2][5];
    void (*callback)(int);
    enum { RED = 4, GREEN } colour;
    const node_t constant;
    unsigned char tail[];
} outer_t;
union bare { char c; long l; };
outer_t *use_outer; union bare use_bare;
"""

QUESTIONS = [
    ("outer_t", path)
    for path in (
        "first embedded embedded.tag embedded.value embedded.real a b in in.d list list[0].x list[0].node.flags link "
        "grid callback colour constant constant.name"
    ).split()
]


def test_offsets_and_sizes_are_the_compilers(tmp_path: Path) -> None:
    program = build(tmp_path, STRUCTURES + printing_main([*QUESTIONS, ("outer_t", ""), ("union bare", "l")]))
    *fields, whole, bare = answers(program)
    types = open_types(program, ["outer_t", "outer", "bare", "GREEN"])
    outer = types.struct("outer_t")
    assert outer is not None
    assert outer.size == whole.size
    for (_, path), truth in zip(QUESTIONS, fields):
        found = find_field(outer, path.replace("[0]", ""))
        assert found is not None, path
        assert (found.offset, found.width * (found.elements or 1)) == truth, path
    assert types.struct("outer") == outer
    union = types.struct("bare")
    assert union is not None
    assert find_field(union, "l") == Field(*bare)
    assert types.constant("GREEN") == 5


def test_arrays_tell_how_many(tmp_path: Path) -> None:
    outer = open_types(build(tmp_path, STRUCTURES + "int main(void) { return 0; }"), ["outer_t"]).struct("outer_t")
    assert outer is not None
    elements = {path: find_field(outer, path) for path in ("grid", "list", "tail", "first")}
    assert {path: field and field.elements for path, field in elements.items()} == {
        "grid": 10, "list": 3, "tail": 0, "first": None,
    }  # fmt: skip


def test_unknown_names_and_paths_are_none(tmp_path: Path) -> None:
    types = open_types(build(tmp_path, STRUCTURES + "int main(void) { return 0; }"), ["outer_t", "nothing", "uint16_t"])
    outer = types.struct("outer_t")
    assert outer is not None
    for path in ("", "nothing", "first.x", "link.x", "list.node.nothing", ".first", "first."):
        assert find_field(outer, path) is None, path
    assert types.struct("nothing") is None
    assert types.struct("uint16_t") is None
    assert types.constant("outer_t") is None


def test_a_declaration_gives_way_to_the_definition(tmp_path: Path) -> None:
    (tmp_path / "other.c").write_text("struct hidden { char c; int i; }; typedef struct hidden hidden_t; hidden_t h;")
    source = "typedef struct hidden hidden_t; extern hidden_t h; void *p = &h; int main(void) { return 0; }"
    types = open_types(build(tmp_path, source, str(tmp_path / "other.c")), ["hidden_t", "hidden"])
    for name in ("hidden_t", "hidden"):
        struct = types.struct(name)
        assert struct is not None
        assert struct.size == 8


@pytest.mark.parametrize("dwarf", ["-gdwarf-3", "-gdwarf-4", "-gdwarf-5"])
def test_every_version_of_dwarf(tmp_path: Path, dwarf: str) -> None:
    program = build(tmp_path, STRUCTURES + printing_main([("outer_t", "constant.flags")]), dwarf)
    outer = open_types(program, ["outer_t"]).struct("outer_t")
    assert outer is not None
    assert find_field(outer, "constant.flags") == Field(*answers(program)[0])


BIT_FIELDS = """
#include <stdio.h>
#include <string.h>
typedef struct {
    void *next;
    unsigned long value : 63, flag : 1;
    char between;
    unsigned three : 3, : 4, nine : 9;
    _Bool yes : 1;
    struct __attribute__((packed)) { unsigned lead : 13, across : 26; } packed;
} bits_t;
#define SHOW(field) memset(&bits, 0, sizeof bits); bits.field = ~0; show()
bits_t bits;
static void show(void) {
    for (unsigned at = 0; at < sizeof bits; at++) printf("%02x", ((unsigned char *)&bits)[at]);
    puts("");
}
int main(void) {
    SHOW(value); SHOW(flag); SHOW(three); SHOW(nine); SHOW(yes); SHOW(packed.lead); SHOW(packed.across);
    return 0;
}
"""


@pytest.mark.parametrize("dwarf", ["-gdwarf-3", "-gdwarf-4", "-gdwarf-5"])
def test_bit_fields(tmp_path: Path, dwarf: str) -> None:
    """All bits of one set, then of another: each has its own, and no other."""
    program = build(tmp_path, BIT_FIELDS, dwarf, "-gstrict-dwarf")
    bits = open_types(program, ["bits_t"]).struct("bits_t")
    assert bits is not None
    names = ("value", "flag", "three", "nine", "yes", "packed.lead", "packed.across")
    fields = [find_field(bits, name) for name in names]
    told = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    for number, line in enumerate(told.splitlines()):
        memory = bytes.fromhex(line)
        for at, field in enumerate(fields):
            assert field is not None
            assert field.bits is not None
            read = field.value(int.from_bytes(memory[field.offset : field.offset + field.width], "little"))
            assert read == ((1 << field.bits[1]) - 1 if at == number else 0), names[at]
    whole = find_field(bits, "between")
    assert whole is not None
    assert (whole.width, whole.bits) == (1, None)


def test_a_file_without_debug_information(tmp_path: Path) -> None:
    with pytest.raises(NoDebugInfo, match="no .debug_info"):
        open_types(build(tmp_path, "int main(void) { return 0; }", "-g0", "-s"), ["x"])


def test_a_file_that_is_no_elf(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(NoDebugInfo, match="ELF"):
        open_types(tmp_path / "text", ["x"])


def test_a_truncated_file(tmp_path: Path) -> None:
    program = build(tmp_path, STRUCTURES + "int main(void) { return 0; }")
    whole = program.read_bytes()
    for size in (4, 20, 64, len(whole) // 2, len(whole) - 100):
        program.write_bytes(whole[:size])
        with pytest.raises(NoDebugInfo):
            open_types(program, ["outer_t"])


SCALARS = st.sampled_from(["char", "short", "int", "long", "double", "void *", "unsigned long long"])
SHAPES = st.recursive(
    st.tuples(SCALARS, st.sampled_from([0, 0, 2, 7])),
    lambda inner: st.tuples(
        st.sampled_from(["struct", "union"]), st.booleans(), st.lists(inner, min_size=1, max_size=4)
    ),
    max_leaves=12,
)


class _Declarations:
    """C text of a generated shape, and the paths that name its leaves."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._count = 0

    def text(self, shape: object, prefix: str = "") -> str:
        self._count += 1
        name = f"m{self._count}"
        match shape:
            case (str(kind), bool(named), list(inner)):
                below = f"{prefix}{name}." if named else prefix
                members = " ".join(self.text(one, below) for one in inner)
                return f"{kind} {{ {members} }} {name if named else ''};"
            case (str(scalar), int(elements)):
                self.paths.append(prefix + name)
                return f"{scalar} {name}{f'[{elements}]' if elements else ''};"
        raise AssertionError(shape)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(shapes=st.lists(SHAPES, min_size=1, max_size=5))
def test_any_nesting(tmp_path: Path, shapes: list[object]) -> None:
    declarations = _Declarations()
    members = " ".join(map(declarations.text, shapes))
    questions = [("any_t", path) for path in declarations.paths]
    program = build(tmp_path, f"typedef struct {{ {members} }} any_t; any_t use;" + printing_main(questions))
    any_t = open_types(program, ["any_t"]).struct("any_t")
    assert any_t is not None
    for (_, path), truth in zip(questions, answers(program)):
        found = find_field(any_t, path)
        assert found is not None
        assert (found.offset, found.width * (found.elements or 1)) == truth


def test_damaged_dwarf_is_refused_or_read_but_nothing_else(tmp_path: Path) -> None:
    """Bytes of .debug_info replaced, one at a time: no exception but the declared one may come out."""
    from elftools.elf.elffile import ELFFile

    program = build(tmp_path, STRUCTURES + "int main(void) { return 0; }", "-c")
    whole = program.read_bytes()
    section = ELFFile(io.BytesIO(whole)).get_section_by_name(".debug_info")
    assert section is not None
    for at in range(section["sh_offset"], section["sh_offset"] + section["sh_size"], 7):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        program.write_bytes(damaged)
        try:
            types = open_types(program, ["outer_t", "outer"])
            types.struct("outer_t")
        except NoDebugInfo:
            pass


READ = """
import sys
from pathlib import Path
from jit.otp.layouts.dwarf import NoDebugInfo, open_types
try:
    print("read" if open_types(Path(sys.argv[1]), ["outer_t"]) else "")
except NoDebugInfo as error:
    print(error)
"""


@pytest.mark.parametrize("version", [4, 5])
def test_a_version_that_an_older_pyelftools_does_not_know(tmp_path: Path, version: int) -> None:
    """That of Debian 11. gcc of Debian 12 makes version 5 unless told otherwise."""
    program = build(tmp_path, STRUCTURES + "int main(void) { return 0; }", f"-gdwarf-{version}")
    older = GdbSandbox(10).ensure().folder / "root/usr/lib/python3/dist-packages"
    said = subprocess.run(
        [sys.executable, "-c", READ, str(program)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(older), str(REPOSITORY)))},
        stdout=subprocess.PIPE, text=True, check=True,
    ).stdout  # fmt: skip
    advice = "have a newer one, or compile with -gdwarf-4"
    assert said == ("read\n" if version == 4 else f"it is DWARF 5, of which pyelftools 0.27 knows nothing: {advice}\n")
