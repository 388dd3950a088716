"""Functions that are as in a known build: made of a program by the C compiler, and those that are in the repository."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from jit.image.image_file import FEWEST_FUNCTIONS
from jit.otp.layouts.layout import Layout, TableKey, load_table
from jit.otp.layouts.resolve import Field, StructLayout
from jit.signatures import signature
from jit.signatures.__main__ import main
from jit.signatures.accesses import functions
from jit.signatures.making import own_image, sign
from jit.signatures.signature import Signature, names, signatures, there
from tests.harness.targets import Target

PROGRAM = """
#include <stdint.h>
#include <stdlib.h>
typedef uint64_t Eterm;
typedef struct { Eterm module; Eterm function; Eterm arity; } ErtsCodeMFA;
typedef struct process {
    Eterm id;
    INSERTED
    uint32_t flags;
    uint32_t state;
    uint64_t reds;
    ErtsCodeMFA *current;
    struct { Eterm *first; } sig_qs;
} Process;
Process *global;
ErtsCodeMFA table[8];
int others[64];
__attribute__((noinline)) uint64_t work(Process *p, uint64_t n) {
    while (n--) {
        if (p->flags & n) p->reds += n * p->reds; else p->reds ^= 77;
        if (p->id == n) { others[n & 63] = n; break; }
        others[p->reds & 63] ^= n;
    }
    return p->reds;
}
__attribute__((noinline)) uint64_t through(Process *one) {
    ErtsCodeMFA *mfa = one->current;
    uint64_t sum = 0;
    for (int i = 0; i < 100; i++) { sum = sum * 31 + mfa->arity; mfa->function ^= sum; others[i & 63]++; }
    return sum;
}
__attribute__((noinline)) void fixed(uint64_t n) {
    table[0].arity = n * 3; table[5].function = n * 7; table[5].arity ^= n;
    others[n & 63] = n; others[(n + 1) & 63] ^= n;
}
__attribute__((noinline)) Eterm **queue(Process *p) { return &p->sig_qs.first; }
void enif_make_atom(void) { }
int main(int count, char **arguments) {
    global = calloc(1, sizeof *global);
    fixed(count);
    return work(global, count) + through(global) + (queue(global) != 0);
}
"""

FIELDS = {
    "Process": {
        "common.id": Field(0, 8), "flags": Field(8, 4), "state": Field(12, 4), "reds": Field(16, 8),
        "current": Field(24, 8), "sig_qs.first": Field(32, 8),
    },
    "ErtsCodeMFA": {"module": Field(0, 8), "function": Field(8, 8), "arity": Field(16, 8)},
}  # fmt: skip
SIZES = {"Process": 40, "ErtsCodeMFA": 24}


def built(folder: Path, name: str, inserted: str = "", before: Path | None = None, flag: str = "-g") -> Path:
    """The program, with a member more in its structure, and behind what else is to be in it. (From -O2 on loops are
    aligned by where their function stands.)"""
    fillers = "".join(f"int filler{number}(int x) {{ return x * {number}; }}\n" for number in range(FEWEST_FUNCTIONS))
    source, beam = folder / f"{name}.c", folder / name
    source.write_text(PROGRAM.replace("INSERTED", inserted) + fillers)
    sources = [before, source] if before is not None else [source]
    subprocess.run(["gcc", flag, "-O1", "-fPIE", "-pie", "-rdynamic", "-o", beam, *sources], check=True, timeout=60)
    return beam


@pytest.fixture(scope="module")
def layout() -> Layout:
    known = load_table("13.1.5", "x86_64", "jit")
    assert known is not None
    return replace(known, structs={name: StructLayout(SIZES[name], fields) for name, fields in FIELDS.items()})


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory, layout: Layout) -> list[Signature]:
    beam = built(tmp_path_factory.mktemp("known"), "beam")
    return sign(functions(beam, "x86_64"), own_image(beam), layout)


def told(found: list[Signature]) -> set[tuple[str, str]]:
    every = [names(one.fields) for one in found]
    return set().union(*every, *(names(each.fields) for one in found for each in one.references))


def test_what_functions_access(signed: list[Signature]) -> None:
    """By pointers and in variables; not what just looks like it, nor functions that are too short to be known again."""
    assert told(signed) == {
        ("Process", "common.id"), ("Process", "flags"), ("Process", "reds"), ("Process", "current"),
        ("ErtsCodeMFA", "function"), ("ErtsCodeMFA", "arity"), ("ErtsCodeMFA", "sizeof"),
    }  # fmt: skip
    (reference,) = (each for one in signed for each in one.references if each.offset == 16)
    assert (reference.variable, reference.fields) == ("table", {"ErtsCodeMFA": ["arity"]})


def test_the_same_elsewhere(tmp_path: Path, signed: list[Signature]) -> None:
    """Where other code stands before it, and all is at other addresses, the same functions are found."""
    other = tmp_path / "before.c"
    other.write_text("int before(int x) { return x / 3; }\nchar room[5000];\n")
    beam = built(tmp_path, "beam", "", other, "-s")
    image = own_image(beam)
    found = list(there(signed, image))
    assert [one for one, _ in found] == signed
    starts = {signature.target(each, at, image) - each.offset for one, at in found for each in one.references}
    assert len(starts) == 1


@pytest.mark.parametrize("inserted", ["uint64_t more;", "uint32_t more;", "char more[4096];"])
def test_another_structure(tmp_path: Path, signed: list[Signature], inserted: str) -> None:
    """What lies elsewhere no function tells; what is as before may be told."""
    image = own_image(built(tmp_path, "beam", inserted))
    moved = {("Process", path) for path in FIELDS["Process"]} - {("Process", "common.id")}
    found = [one for one, _ in there(signed, image)]
    assert not told(found) & moved
    assert told(found) >= {("ErtsCodeMFA", "sizeof")}


def test_one_byte_that_differs(tmp_path: Path, signed: list[Signature]) -> None:
    """Of a function that is changed anywhere nothing is believed."""
    beam = built(tmp_path, "beam")
    image = own_image(beam)
    content = beam.read_bytes()
    for one, function in there(signed, image):
        start = content.index(image.bytes_of(function))
        for place in range(0, one.size, 7):
            is_masked = any(begin <= place < begin + signature.MASK for begin in one.masked)
            changed = bytearray(content)
            changed[start + place] ^= 4
            beam.write_bytes(changed)
            left = [each for each, _ in there([one], own_image(beam))]
            assert bool(left) == is_masked


SIGNED = [Target("amd64", 25), Target("amd64", 27), Target("amd64", 29), Target("arm64", 27)]


@pytest.mark.parametrize("target", SIGNED, ids=str)
def test_those_of_releases(target: Target) -> None:
    """All are in the beam.smp that people have, and they tell what its table has."""
    beam, arch = target.sandbox.beam, {"amd64": "x86_64", "arm64": "aarch64"}[target.arch]
    erts = beam.parents[1].name.removeprefix("erts-")
    known, kept = load_table(erts, arch, "jit"), signatures(TableKey(erts, arch, "jit"))
    assert known is not None
    found = [one for one, _ in there(kept, own_image(beam))]
    assert len(found) > 400
    assert len(found) == len(kept)
    for struct, path in told(found):
        assert known.has(struct, None if path == "sizeof" else path)


def test_a_file_that_is_damaged(tmp_path: Path) -> None:
    key = TableKey("13.1.5", "x86_64", "jit")
    for text in ("", "[[1]]", "[{}]", '[[1, "00", [], []]]', "[[1, 2, 3, 4, 5]]"):
        (tmp_path / key.file_name).write_text(text)
        with pytest.raises(ValueError, match=r"erts-13\.1\.5-x86_64-jit\.json: no signatures"):
            signatures(key, tmp_path)
    assert signatures(key._replace(erts_version="13.1.4"), tmp_path) == ()


def test_written_and_read(tmp_path: Path, signed: list[Signature]) -> None:
    key = TableKey("13.1.5", "x86_64", "jit")
    (tmp_path / key.file_name).write_text(signature.to_json(signed))
    assert list(signatures(key, tmp_path)) == signed


def test_what_cannot_be_signed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The stripped one has no debug information; a program that is no BEAM has no fields."""
    stock = Target("amd64", 25).sandbox.beam
    for build, why in (
        (stock, "no .debug_info section"),
        (built(tmp_path, "beam"), "unknown"),
        (tmp_path / "no", "No such file"),
    ):
        assert main([str(build), str(stock), "--otp", "25.2.3", "-o", str(tmp_path)]) == 1
        said = capsys.readouterr().err
        assert said.startswith("python -m jit.signatures: ")
        assert (said.count("\n"), why in said) == (1, True), said
    assert not list(tmp_path.glob("*.json"))
