"""Code and glue for a processor have none but its instructions, and run where that is, or one that can do more."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from jit.arm32.cpus import ARM1176, CORTEX_A7
from jit.arm32.text import listing, text
from jit.beam.module import read_module
from jit.codegen.compile import compile_module
from jit.erts.arm32.runtime import StockErts
from jit.erts.glue import build
from tests.arm32.gnu_as import FromHere, assemble
from tests.codegen.native_node import compile_native, erlc, node

HERE = Path(__file__).parent
OTP = 27
#: They have all kinds of operations.
EXERCISES = ("exercise", "exercise_bs", "exercise_data", "exercise_straight", "messages")
ASK = 'code:ensure_loaded(exercise), io:format("~p~n~p~n", [native:modules(), exercise:run()]), halt().'


@pytest.fixture(scope="module")
def beams(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("plain")
    return [erlc(HERE / f"{name}.erl", folder) for name in EXERCISES]


def test_each_instruction_is_one_of_armv6(beams: list[Path], tmp_path: Path) -> None:
    """GNU as, which is told of an ARMv6K with VFPv2, makes the same of the text; it says so where one is none."""
    words: dict[int, None] = {}
    for beam in beams:
        native = compile_module(read_module(beam), StockErts(OTP, ARM1176))
        assert not native.broken, native.interpreted
        words |= {word: None for _, word, line in listing(native.code) if not line.startswith(".word")}
    assert len(words) > 3000
    assert assemble([text(word, names=FromHere()) for word in words], tmp_path, ARM1176) == list(words)


def test_the_glue_is_for_armv6(tmp_path: Path) -> None:
    """All that it is made of: the linker tells of the object that wants most. Thumb code of 16 bits is not used."""
    build(tmp_path, ARM1176)
    library = tmp_path / "native.so"
    told = subprocess.run(["arm-linux-gnueabihf-readelf", "-AsW", library], capture_output=True, text=True, check=True)
    assert "Tag_CPU_arch: v6K\n" in told.stdout
    assert "Tag_FP_arch: VFPv2\n" in told.stdout
    assert " $a" in told.stdout
    assert " $t" not in told.stdout


def test_all_of_it_runs_together(beams: list[Path], tmp_path: Path) -> None:
    """Under a processor that has more, as Debian's own Erlang and C library are for ARMv7."""
    compile_native(beams[:1], tmp_path, OTP, "--cpu", "arm1176")
    build(tmp_path, ARM1176)
    _, modules, answer = _says(tmp_path, "max")
    assert modules == "[exercise]"
    assert answer == _says(beams[0].parent, "max", native=tmp_path)[2]


def test_what_the_processor_cannot_do_stays_bytecode(beams: list[Path], tmp_path: Path) -> None:
    """Code for Cortex-A7 divides, which Cortex-A8 does not; other code runs on both."""
    compile_native(beams[:1], tmp_path / "a7", OTP, "--cpu", CORTEX_A7.name)
    compile_native(beams[:1], tmp_path / "any", OTP)
    errors, modules, answer = _says(tmp_path / "a7", "cortex-a8")
    assert (errors, modules) == (
        "native: exercise runs interpreted: it is compiled for a processor that can do more\n",
        "[]",
    )
    assert _says(tmp_path / "any", "cortex-a8") == ("", "[exercise]", answer)


def _says(folder: Path, cpu: str, *, native: Path | None = None) -> tuple[str, str, str]:
    """What a node under qemu as a processor says: errors, native modules, and what the exercise gives."""
    system = ["-pa", str(native or folder), "-pa", str(folder), "-s", "native", "-eval", ASK]
    ran = node(OTP, *system, environment={"QEMU_CPU": cpu})
    assert ran.returncode == 0, ran.stderr
    modules, _, answer = ran.stdout.partition("\n")
    return ran.stderr, modules, answer
