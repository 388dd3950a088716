"""Native code for AtomVM against its bytecode and the code of its own compiler, in one AtomVM.

Run from the repository's root, for the program that ``ATOMVM`` names: ``python -m bench.atomvm [OWN]``.
OWN is a folder of what AtomVM's own compiler has made, for the same target, of files that ``python -m bench.atomvm
--bytecode DIR`` writes. Two tables:

1.  The programs of ``atomvm_programs.erl``, in microseconds: interpreted, AtomVM's own native code, and ours; and how
    many times as fast ours is as each of them. They take turns, and the shortest time of each program counts. Under
    them the geometric means.
2.  Modules of stdlib: bytes of native code per byte of the Code chunk, and seconds to compile all.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from math import prod
from pathlib import Path
from time import perf_counter

from jit.__main__ import main as jit
from jit.atomvm.chunk import CHUNK, decode_native
from jit.beam.chunks import Chunk, read_chunks
from tests.atomvm.host import TOOLS
from tests.atomvm.test_real_vm import ATOMVM, target_of
from tests.codegen.native_node import erlc_of, library

OTP = 27
PROGRAMS = Path(__file__).with_name("atomvm_programs.erl")
STDLIB = (
    "array base64 binary calendar dict digraph erl_scan filename gb_sets gb_trees gen_server io_lib io_lib_format "
    "lists maps proplists queue re sets string"
).split()
ROUNDS = 3
#: Seconds.
PATIENCE = 600

_LINE = re.compile(r"\{(\w+),(\d+)\}")


def bytecode(folder: Path) -> list[Path]:
    """Put the files of all modules into a folder: the programs first."""
    programs = erlc_of(OTP, PROGRAMS, folder)
    modules = [library(OTP, "stdlib") / f"{name}.beam" for name in STDLIB]
    return [programs, *(Path(shutil.copy(module, folder)) for module in modules)]


def compiled(files: Sequence[Path], target: str, folder: Path) -> float:
    """Make native code of files; seconds."""
    begin = perf_counter()
    words = ["compile", "--runtime", "atomvm", "--target", target, *map(str, files), "-o", str(folder)]
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as told:
        if jit(words):
            raise SystemExit(f"bench.atomvm: {told.getvalue()}")
    return perf_counter() - begin


def run(target: str, beam: Path) -> dict[str, int]:
    """Microseconds by program."""
    command = [*TOOLS[target][1], ATOMVM, str(beam)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
    return {name: int(time) for name, time in _LINE.findall(told)}


def shortest(runs: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """The shortest time of each program in some runs."""
    return {name: min(times[name] for times in runs) for name in runs[0]}


def times(target: str, beams: Mapping[str, Path]) -> Iterator[str]:
    """The lines of the first table; the files of the programs are told by columns, of which the last is ours."""
    runs = [[run(target, beam) for beam in beams.values()] for _ in range(ROUNDS)]
    columns = dict(zip(beams, map(shortest, zip(*runs))))
    *others, last = columns
    yield (
        f"{'microseconds':16}" + "".join(f"{name:>14}" for name in columns) + "".join(f"{'times':>14}" for _ in others)
    )
    ratios: list[list[float]] = [[] for _ in others]
    for program, ours in columns[last].items():
        for row, name in zip(ratios, others):
            row.append(columns[name][program] / ours)
        shown = "".join(f"{column[program]:14}" for column in columns.values())
        yield f"{program:16}" + shown + "".join(f"{row[-1]:14.2f}" for row in ratios)
    means = "".join(f"{prod(row) ** (1 / len(row)):14.2f}" for row in ratios)
    yield f"{'geometric mean':16}" + " " * 14 * len(columns) + means


def _chunk(path: Path, name: str) -> Chunk:
    return next(chunk for chunk in read_chunks(path.read_bytes(), str(path)) if chunk.name == name)


def size(files: Sequence[Path]) -> int:
    """Bytes of native code in files."""
    natives = [decode_native(_chunk(path, CHUNK)) for path in files]
    return sum(len(native.instructions(code)) for native in natives for code in native.codes)


def main() -> None:
    """Print the tables, or write the bytecode."""
    if sys.argv[1:2] == ["--bytecode"]:
        bytecode(Path(sys.argv[2]))
        return
    if not ATOMVM:
        print("left out: ATOMVM names no AtomVM (CONTRIBUTING.md)")
        return
    target, own = target_of(ATOMVM), Path(sys.argv[1]) if sys.argv[1:] else None
    with tempfile.TemporaryDirectory() as name:
        plain, native = Path(name, "plain"), Path(name, "native")
        programs, *modules = bytecode(plain)
        compiled([programs], target, native)
        beams = {
            "interpreted": programs,
            **({"own": own / programs.name} if own else {}),
            "ours": native / programs.name,
        }
        print(f"{target}, {ATOMVM}")
        print(*times(target, beams), sep="\n")
        seconds = compiled(modules, target, native)
        code = sum(len(_chunk(path, "Code").data) for path in modules)
        for whose, folder in (("own", own), ("ours", native)):
            if folder:
                there = size([folder / path.name for path in modules])
                print(f"{whose}: {there / code:.2f} bytes of native code per byte of bytecode ({there} of {code})")
        print(f"{len(modules)} modules compiled in {seconds:.2f} s")


if __name__ == "__main__":
    main()
