"""`dump` lists each operation and each instruction once, in order, and its comments are true."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from jit.__main__ import main as jit
from jit.beam.module import read_module
from jit.beam.operations import Function
from jit.beam.text import atom_text, operation_text
from jit.erts.arm32.emitters import EMITTERS
from tests.codegen.native_node import PATIENCE, PYTHON_JIT, erlc

#: offset, word, text, comment
LINE = re.compile(r"    ([0-9a-f]{4,})  ([0-9a-f]{8})  (.*?)(?: *; (.*))?")
#: What stands behind an operation: x registers that CPU registers hold, and the function that it calls.
REMARK = re.compile(r" +; (x\d+ in r1[01](, )?)*([^ ]+/\d+)?$")
NO_CODE = ("label", "line", "int_code_end")
HEADINGS = ("entry for", "continuation", "cold code")


def dump(capfd: pytest.CaptureFixture[str], *words: str | Path) -> list[str]:
    assert jit(["dump", *map(str, words)]) == 0
    said = capfd.readouterr()
    assert said.err == ""
    return said.out.splitlines()


def code(listing: list[str]) -> list[tuple[int, int, str, str]]:
    found = (LINE.fullmatch(line) for line in listing)
    return [(int(one[1], 16), int(one[2], 16), one[3], one[4] or "") for one in found if one]


@pytest.mark.parametrize("name", ["program", "lists", "io_lib_format"])
def test_every_word_as_objdump_has_it(
    name: str, program: Path, stdlib: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    beam, elf = program if name == "program" else stdlib / f"{name}.beam", tmp_path / "out.elf"
    assert jit(["elf", str(beam), "-o", str(elf)]) == 0
    objdump = subprocess.run(
        ["arm-linux-gnueabihf-objdump", "-d", "-z", elf], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    expected = re.findall(r"^ *([0-9a-f]+):\t([0-9a-f]{8}) ", objdump.stdout, re.MULTILINE)
    listed = sorted((offset, word) for offset, word, _, _ in code(dump(capfd, beam)))
    assert listed == [(int(offset, 16), int(word, 16)) for offset, word in expected]


@pytest.mark.parametrize("name", ["program", "lists", "io_lib_format"])
def test_every_operation_in_order(name: str, program: Path, stdlib: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """From the entry on; what comes before it in bytecode, the func_info, is behind."""
    beam = program if name == "program" else stdlib / f"{name}.beam"
    _, *sections = "\n".join(dump(capfd, beam)).split("\n\n")
    module = read_module(beam)
    for function, section in zip(module.functions, sections):
        first, *listing = section.splitlines()
        assert first.startswith(f"{atom_text(module.name)}:{atom_text(function.name)}/{function.arity}    % ")
        shown = [REMARK.sub("", line).strip() for line in listing if re.match(r"  [a-z{]", line)]
        shown = [line for line in shown if not line.startswith(HEADINGS)]
        assert shown == expected(function, native=bool(code(listing)))


def expected(function: Function, *, native: bool) -> list[str]:
    operations = function.operations
    if native:
        label = "label", (function.entry,)
        entry = next(at for at, one in enumerate(operations) if (one.name, one.operands) == label)
        operations = [*operations[entry:], *operations[:entry]]
    return [operation_text(one) for one in operations if one.name not in NO_CODE]


def test_comments(program: Path, capfd: pytest.CaptureFixture[str]) -> None:
    listing = dump(capfd, program, "program:answer/0")
    assert listing[0].startswith("program:answer/0 ")
    assert any(re.fullmatch(r"  % .*program.erl:10  answer\(\) ->", line) for line in listing)
    listing = dump(capfd, program, "main/1")
    comments = {comment for _, _, _, comment in code(listing)}
    assert {"x0", "export io:format/2", '"~p ~w ~w~n"', "59 = []"} <= comments
    assert any("; program:answer/0" in line for line in listing)  # what {call,0,{f,4}} calls


def test_tagged_constants(program: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source = tmp_path / "constants.erl"
    source.write_text("-module(constants).\n-export([f/1]).\nf(X) -> {X, 42, -7, 100000, [], true, constants}.\n")
    comments = {comment for _, _, _, comment in code(dump(capfd, erlc(source, tmp_path), "f"))}
    # erl_term.h: a small integer is shifted by 4, with 0xF below; nil is 0x3B; a tuple's header is its arity << 6.
    expected = {"687 = 42", "0xffffff9f = -7", "0x186a0f = 100000", "59 = []", "448 = a tuple of 7", "constants"}
    assert expected <= comments


def test_an_interpreted_function(
    program: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(EMITTERS, "put_list")
    listing = dump(capfd, program, "pair/1")
    assert listing[0] == "program:pair/1    % interpreted: put_list"
    assert not code(listing)
    assert "  {put_list,{x,0},{x,0},{x,0}}" in listing


def test_errors(program: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for wanted, reason in {
        "pair/2": "there is no function pair/2; there is pair/1",
        "shop:pair/1": "holds program, not shop",
        "/": "there is no function /",
    }.items():
        assert jit(["dump", str(program), wanted]) == 1
        assert reason in capfd.readouterr().err


def test_nobody_reads_the_rest(stdlib: Path) -> None:
    command = [*PYTHON_JIT, "dump", str(stdlib / "lists.beam")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith("% ")
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 128 + 13
