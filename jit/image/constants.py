"""The VM's own constants (`etp_*`, erl_etp.c), where no symbol names them.

They describe the VM to its GDB macros, and no code refers to them. GCC puts them beside each other, in the order of
the source or its reverse; so the three texts among them, the names of the machine, of the release and of the version,
show where they are, and numbers that the file's own header must repeat show which is which.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from jit.image.image import Image, Recovered, occurrences
from jit.otp.layouts.identity import ARCHITECTURES, CONFIG_MARK, FLAGS_MARK, INT_SIZE

TEXTS = re.compile(
    rb"(?<![\w.-])((?:x86_64|amd64|aarch64|arm)[a-z0-9_]*(?:-[a-z0-9_.]+){1,4})\0{1,8}(\d{1,3}(?:-rc\d+)?)\0{1,8}"
    rb"(\d{1,3}(?:\.\d{1,4}){1,5}(?:\.rc\d+|-rc\d+)?)\0"
)
"""`etp_arch`, `etp_otp_release` and `etp_erts_version`, with what aligns them."""

NUMBERS = (
    "etp_endianness", "etp_lock_check", "etp_lock_count", "etp_debug_compiled", "etp_beamasm", "etp_arch_bits",
)  # fmt: skip
"""The numbers before the texts, by address: at least `etp_kernel_poll_support` follows them."""

BEFORE = 64
"""Bytes before the texts among which these are."""

PTR_MASK, DEBUG_PTR_MASK = 3, 7
"""What `etp_ptr_mask` leaves out of a word; in debug emulators, on 64 bits, the bit of literals too. It lies a little
before the numbers."""

TAGS = 64
"""Bytes before the numbers among which that is."""

BEHIND = ("etp_thread_compiled", "etp_smp_compiled")
"""The numbers behind the texts."""

CONFIG_H = "erts_build_flags_CONFIG_H"

FLAGS = "erts_build_flags_CFLAGS"
"""Defined beside it, as a third one is (erl_compile_flags.h, which utils/make_compiler_flags writes)."""

MAX_FLAGS = 16 << 10
"""Bytes of the text of flags at most."""

TEXT_NAMES = ("etp_arch", "etp_otp_release", "etp_erts_version")

NAMES = (*TEXT_NAMES, *NUMBERS, *BEHIND, CONFIG_H, FLAGS)
"""All that is found here."""

HOW = "among the constants around etp_arch, whose values agree with the file's header"


def find(image: Image) -> dict[str, Recovered] | str:
    """The constants by name, as far as all of them agree; else why not."""
    found = list(_clusters(image))
    if len(found) != 1:
        return f"{len(found) or 'no'} places in the program look like etp_arch and its neighbours"
    constants = {name: Recovered(name, address, HOW) for name, address in found[0].items()}
    text = config_text(image)
    pointers = [place for place, to in image.pointers.items() if to == text]
    if len(pointers) == 1:
        constants[CONFIG_H] = Recovered(CONFIG_H, pointers[0], "the only pointer to the text of config.h")
        flags = [place for place in _beside(image, pointers[0]) if _is_flags(image, image.pointers[place])]
        if len(flags) == 1:
            constants[FLAGS] = Recovered(FLAGS, flags[0], "the pointer beside that to the text of config.h")
    return constants


def _beside(image: Image, place: int) -> list[int]:
    """Pointers at most two words before or behind a place, for there are three of them."""
    near = (place + image.word_size * distance for distance in (-2, -1, 1, 2))
    return [one for one in near if one in image.pointers]


def _is_flags(image: Image, address: int) -> bool:
    part = next((part for part in image.fixed if part.start <= address < part.stop), None)
    at = address - part.start if part is not None else 0
    return part is not None and FLAGS_MARK in part.content[at : at + MAX_FLAGS].partition(b"\0")[0]


def _clusters(image: Image) -> Iterator[dict[str, int]]:
    for part in image.fixed:
        for match in TEXTS.finditer(part.content):
            if _arch(match[1].decode(), image) != image.arch:
                continue
            numbers = _numbers(image, part.content, match.start())
            behind = _behind(image, part.content, match.end())
            if numbers is None or behind is None:
                continue
            places = dict(zip(TEXT_NAMES, map(match.start, (1, 2, 3))))
            yield {name: part.start + at for name, at in (places | numbers | behind).items()}


def _arch(triplet: str, image: Image) -> str | None:
    found = next((name for pattern, name in ARCHITECTURES if pattern.match(triplet)), None)
    return "arm32" if found == "aarch64" and image.word_size == 4 else found


def _ints(image: Image, content: bytes, at: int, count: int) -> tuple[int, ...]:
    order = "<" if image.byteorder == "little" else ">"
    return struct.unpack_from(f"{order}{count}i", content, at) if 0 <= at <= len(content) - count * INT_SIZE else ()


def _numbers(image: Image, content: bytes, texts: int) -> dict[str, int] | None:
    """Offsets of `NUMBERS`, if exactly one place before the texts can have them."""
    wanted = (-1 if image.byteorder == "little" else 1, 8 * image.word_size)
    debug = NUMBERS.index("etp_debug_compiled")
    places = []
    for at in range((texts - BEFORE) & -INT_SIZE, texts - len(NUMBERS) * INT_SIZE + 1, INT_SIZE):
        numbers = _ints(image, content, at, len(NUMBERS))
        left_out = DEBUG_PTR_MASK if numbers[debug : debug + 1] == (1,) and image.word_size == 8 else PTR_MASK
        mask = (-1 ^ left_out).to_bytes(image.word_size, image.byteorder, signed=True)
        is_near_mask = mask in content[max(at - TAGS, 0) : at]
        if is_near_mask and (numbers[:1] + numbers[-1:]) == wanted and set(numbers[1:-1]) <= {0, 1}:
            places.append(at)
    if len(places) != 1:
        return None
    return {name: places[0] + INT_SIZE * i for i, name in enumerate(NUMBERS)}


def _behind(image: Image, content: bytes, texts_end: int) -> dict[str, int] | None:
    at = texts_end + -texts_end % INT_SIZE
    # Larger texts are aligned by GCC, so what follows them may be as well.
    for start in range(at, at + BEFORE, INT_SIZE):
        numbers = _ints(image, content, start, len(BEHIND))
        if numbers == (1, 1):
            return {name: start + INT_SIZE * i for i, name in enumerate(BEHIND)}
        if any(numbers[:1]):
            return None
    return None


def config_text(image: Image) -> int | None:
    """The address of the text of config.h, None where there is not exactly one."""
    found = []
    for part in image.fixed:
        for at in occurrences(CONFIG_MARK, part.content):
            found.append(part.start + part.content.rfind(b"\0", 0, at) + 1)
    return found[0] if len(found) == 1 else None
