"""A checksum that the glue makes quickly, of code that is to be as it was."""

from __future__ import annotations

import struct
from itertools import accumulate


def checksum(*chunks: bytes) -> bytes:
    """The sum of all words, each chunk's last one filled up with zeros, and the sum of the sums up to each of them.

    Quick to make for a board that loads hundreds of files (jit/erts/glue/native.c, ``add_words``).
    """
    words = struct.iter_unpack("<I", b"".join(chunk + bytes(-len(chunk) % 4) for chunk in chunks))
    sums = list(accumulate(word for (word,) in words))
    return struct.pack("<II", sums[-1] & 0xFFFFFFFF, sum(sums) & 0xFFFFFFFF)
