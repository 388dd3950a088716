"""A VM that exports none of its own symbols: what is found in its program, and what the glue makes of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from jit.__main__ import main as jit
from jit.erts import glue
from jit.erts.hidden import builds, symbols
from jit.erts.hidden.builds import Build
from jit.erts.hidden.instructions import Code
from jit.erts.hidden.program import NotFound, Program
from jit.erts.layout import load
from jit.image.image import Function
from jit.image.image_file import open_image
from jit.object.elf_constants import STT
from jit.object.elf_symbols import defined
from jit.otp.layouts.layout import load_table
from jit.otp.layouts.wanted import NATIVE
from jit.sandbox import Sandbox
from tests.codegen.native_node import compile_native, erlc, node

OTP = 29


class OneWord:
    """A program that is one word, at address 0."""

    def __init__(self, word: int) -> None:
        self._bytes = word.to_bytes(4, "little")

    def read(self, address: int, size: int) -> bytes:
        return self._bytes[address : address + size]


HERE = Path(__file__).parent
CALL = 'io:format("~w~n", [traced:outer(1, 2)]), halt().'


def beam(otp: int) -> Path:
    """The program of a release."""
    (path,) = Sandbox("armhf", otp).ensure().otp_root.glob("erts-*/bin/beam.smp")
    return path


@pytest.fixture(autouse=True)
def own_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where builds are kept that are adopted."""
    folder = tmp_path / "own"
    monkeypatch.setattr(builds, "own_tables", lambda: folder)
    return folder


@pytest.fixture(scope="module")
def analysed() -> Build:
    """What is found in Debian's program."""
    return builds.analyse(beam(OTP))


def test_the_table_is_what_is_found(analysed: Build) -> None:
    (known,) = builds.known()
    assert known == analysed


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a native module, with the glue."""
    folder = tmp_path_factory.mktemp("native")
    compile_native([erlc(HERE / "traced.erl", tmp_path_factory.mktemp("plain"))], folder, OTP)
    return folder


def says(folder: Path, traced: Path, known: list[Build], monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """What a node writes whose glue knows these builds: on standard output, and on standard error."""
    monkeypatch.setattr(glue, "known", lambda: known)
    glue.build(folder)
    (folder / "traced.beam").symlink_to(traced / "traced.beam")
    ran = node(OTP, "-pa", str(folder), "-s", "native", "-eval", CALL)
    assert ran.returncode == 0
    return ran.stdout, ran.stderr


def test_an_unknown_build_runs_interpreted(traced: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = says(tmp_path, traced, [], monkeypatch)
    assert said == (
        "4\n",
        "native: everything runs interpreted: it hides its symbols, and this build is not known: "
        "say `python -m jit adopt BEAM` on the host, and build the glue again\n",
    )


def test_other_code_is_found(traced: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the build id is."""
    (known,) = builds.known()
    said = says(tmp_path, traced, [replace(known, sums=(1, 2))], monkeypatch)
    assert said == (
        "4\n",
        "native: everything runs interpreted: it has other code than the build that was analysed\n",
    )


def test_functions_that_are_mistaken_for_others_are_found(
    traced: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what they do."""
    (known,) = builds.known()
    pairs = (
        (symbols.BIG_ENDIAN, symbols.LITTLE_ENDIAN),
        ("erts_mixed_plus", "erts_mixed_minus"),
        ("erts_bor", "erts_bxor"),
    )
    exchanged = {name: known.places[other] for pair in pairs for name, other in (pair, pair[::-1])}
    said = says(tmp_path, traced, [replace(known, places={**known.places, **exchanged})], monkeypatch)
    assert said[0] == "4\n"
    assert said[1].startswith("native: everything runs interpreted: {not_where_expected,[")
    assert all(name in said[1] for pair in pairs for name in pair)


def test_what_is_found_is_what_symbols_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a release that exports its own. What is not there, or not called by the same operations, is not found."""
    path = beam(otp := 27)
    with path.open("rb") as stream:
        told = {one.name: one for one in defined(ELFFile(stream), ".dynsym")}
    image = open_image(path, "enif_self", told["enif_self"].address)
    # Their tables for unwinding do not tell of all functions.
    starts = sorted({one.address & ~1 for one in told.values() if one.type == STT.FUNC})
    functions = tuple(Function(one, stop) for one, stop in zip(starts, [*starts[1:], image.code[-1].stop]))
    table = load_table(load(otp).erts, *NATIVE)
    assert table is not None
    program = Program(replace(image, _functions=functions), table)
    right, rows = 0, list(symbols.CALLED_BY.items())
    for rule in symbols.RULES:
        for row in rows if rule is symbols.RULES[0] else [("", "i_yield")]:
            monkeypatch.setattr(symbols, "CALLED_BY", dict([row]))
            try:
                for name, places in rule(program):
                    symbol = told.get(name, told.get(name.replace("erts_bs_put", "erts_new_bs_put")))
                    fitting = {place | 1 for place in places}
                    if len(fitting) == 1 and symbol is not None:
                        assert (name, fitting) == (name, {symbol.address | 1})
                        right += 1
            except (NotFound, KeyError):
                continue
    assert right >= 60


def test_a_build_is_adopted(
    analysed: Build, own_tables: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is known from then on to whoever builds the glue."""
    other = replace(analysed, build_id="0" * len(analysed.build_id))
    monkeypatch.setattr(builds, "analyse", lambda _beam: other)
    assert builds.known() == [analysed]
    assert jit(["adopt", "beam.smp"]) == 0
    kept = own_tables / f"{other.build_id}.json"
    told = f"beam.smp: erts 17.1.1, build id {other.build_id}: {len(other.places)} places, kept in {kept}\n"
    assert capsys.readouterr().err == told
    assert builds.known() == [analysed, other]


def test_what_a_user_has_kept_is_not_trusted(analysed: Build, own_tables: Path) -> None:
    """One that is damaged or made by an older version; of a build that the project knows its own table is used."""
    own_tables.mkdir()

    def refused(build_id: str, text: str) -> str:
        path = own_tables / f"{build_id}.json"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(builds.AdoptError, match="^[^\n]*$") as error:
            builds.known()
        path.unlink()
        return str(error.value).removeprefix(f"{path}: ")

    unknown = "0" * len(analysed.build_id)
    fewer = replace(analysed, build_id=unknown, places={"eq": analysed.places["eq"]})
    assert refused(unknown, builds.text(fewer)) == "made by another version: `adopt` its beam.smp again"
    listed = builds.text(replace(analysed, build_id=unknown)).replace('"places": {', '"places": ["a"], "other": {')
    for text in ("{", "[]", listed, builds.text(analysed)):
        assert refused(unknown, text).startswith("no table of a build (")
    other = replace(analysed, sums=(1, 2))
    own_tables.joinpath(f"{analysed.build_id}.json").write_text(builds.text(other), encoding="utf-8")
    assert builds.known() == [analysed]


@pytest.mark.parametrize(
    ("word", "goes_on"), [(0xE710F211, True), (0xE730F211, True), (0xE59FF000, False)], ids=["sdiv", "udiv", "ldr pc"]
)
def test_divisions_are_no_way_out(word: int, goes_on: bool) -> None:
    """Their encodings differ from that of a load in two bits."""
    assert Code(OneWord(word)).step(0).goes_on == goes_on  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda code: code[: len(code) // 2], "not a readable ELF file"),
        (lambda code: code.replace(b"label_L\0", b"label_M\0"), "operations: no tables name operations"),
        (lambda code: code.replace(b"illegal literal index\0", bytes(22)), "literal index' stands in no places"),
        (lambda code: code.replace(b"17.1.1\0", b"17.2.1\0"), "erts 17.2.1: its structures are not known"),
        (
            lambda code: code.replace(b"\0arm-unknown-linux-gnueabihf\0", b"\0arm-unknown-linux-gnueabixx\0"),
            "gnueabixx",
        ),
    ],
    ids=["cut", "operations", "text", "version", "abi"],
)
def test_what_cannot_be_adopted(
    change: Callable[[bytes], bytes], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "beam.smp"
    other.write_bytes(change(beam(OTP).read_bytes()))
    assert jit(["adopt", str(other)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"jit: {other}: ")
    assert told in line
