"""What is taken from a program's file, as the linker has made it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from jit.image.image_file import open_image

POINTERS = 200
SOURCE = f"""
static int words[50];
int *pointers[{POINTERS}] = {{ {", ".join(f"&words[{n * 7 % 50}]" for n in range(POINTERS))} }};
void *alone[] = {{ 0, 0, words, 0 }};
int anchor(void) {{ return *pointers[3] + !alone; }}
int main(void) {{ return anchor(); }}
"""


@pytest.mark.parametrize("packed", [False, True])
def test_pointers_of_a_program_that_is_moved(tmp_path: Path, packed: bool) -> None:
    """Whether the linker has packed the relocations or not: more of them in a row than there are bits in a word."""
    program = tmp_path / "program"
    flags = ["-Wl,-z,pack-relative-relocs"] if packed else []
    build = ["gcc", "-x", "c", "-pie", "-fPIE", "-rdynamic", "-O1", *flags, "-o", str(program), "-"]
    subprocess.run(build, input=SOURCE, text=True, check=True)
    sections = subprocess.run(["readelf", "-S", str(program)], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert (".relr.dyn" in sections) is packed
    bias = 0x5000_0000_0000
    at_rest = open_image(program, "anchor", 0)
    image = open_image(program, "anchor", at_rest.exported["anchor"] - at_rest.bias + bias)
    base, pointers = image.exported["pointers"], image.pointers
    first = pointers[base]
    assert [pointers[base + 8 * n] - first for n in range(POINTERS)] == [4 * (n * 7 % 50) for n in range(POINTERS)]
    assert pointers[image.exported["alone"] + 16] == first
    assert not {image.exported["alone"], image.exported["alone"] + 8} & pointers.keys()
