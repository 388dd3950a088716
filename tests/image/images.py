"""Programs made by hand: what `beamgdb.roots` takes from a file."""

from __future__ import annotations

from collections.abc import Mapping

from jit.image.image import Image, Part
from jit.object.target import ByteOrder

BASE = 0x10000
"""Where the part that is not written begins."""


def image(
    content: bytes, pointers: Mapping[int, int] | None = None, arch: str = "x86_64", byteorder: ByteOrder = "little"
) -> Image:
    """A program with these bytes, and none of code."""
    word = 4 if arch == "arm32" else 8
    part = Part(BASE, content)
    return Image(arch, word, byteorder, 0, (part,), (), ((0x80000, 0x90000),), (), {}, pointers or {}, 0, ())
