"""The VM's constants, by those beside them: found in one way or not at all."""

from __future__ import annotations

import struct

import pytest

from jit.image import constants
from tests.image.images import BASE, image

TEXTS = b"x86_64-pc-linux-gnu\0" + b"29\0" + b"17.1.1\0"


def cluster(
    numbers: tuple[int, ...] = (-1, 0, 0, 0, 1, 64, 1, 1), texts: bytes = TEXTS, behind: tuple[int, ...] = (1, 1),
    mask: int = -4,
) -> bytes:  # fmt: skip
    """The constants as GCC puts them into a program: `etp_ptr_mask`, what follows it, the numbers, texts, numbers."""
    before = struct.pack("<5q", 0, mask, 0, 144, 208) + struct.pack(f"<{len(numbers)}i", *numbers)
    return before + texts + bytes(-len(before + texts) % 4) + struct.pack("<2i", *behind)


def found(content: bytes, arch: str = "x86_64") -> dict[str, int] | str:
    answer = constants.find(image(content, arch=arch))
    return answer if isinstance(answer, str) else {name: root.address for name, root in answer.items()}


def test_constants_are_told_by_their_neighbours() -> None:
    places = found(bytes(64) + cluster())
    assert isinstance(places, dict)
    texts = BASE + 64 + 40 + 32
    assert places["etp_arch"] == texts
    assert places["etp_otp_release"] == texts + 20
    assert places["etp_erts_version"] == texts + 23
    assert (places["etp_endianness"], places["etp_beamasm"], places["etp_arch_bits"]) == (
        texts - 32, texts - 16, texts - 12,
    )  # fmt: skip
    assert places["etp_smp_compiled"] == places["etp_thread_compiled"] + 4


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no places"),
        (cluster() + bytes(64) + cluster(), "2 places"),
        (cluster(numbers=(-1, 0, 0, 0, 1, 32, 1, 1)), "no places"),
        (cluster(numbers=(1, 0, 0, 0, 1, 64, 1, 1)), "no places"),
        (cluster(numbers=(-1, 0, 0, 7, 1, 64, 1, 1)), "no places"),
        (cluster(mask=-8), "no places"),
        (cluster(texts=TEXTS.replace(b"x86_64", b"aarch64")), "no places"),
        (cluster(behind=(1, 0)), "no places"),
        (cluster()[:-60], "no places"),
    ],
    ids=["none", "two", "words", "order", "flag", "mask", "machine", "threads", "cut off"],
)
def test_what_does_not_agree_is_not_found(content: bytes, why: str) -> None:
    answer = found(content)
    assert isinstance(answer, str)
    assert answer.startswith(why)


def test_a_debug_emulator_has_another_mask() -> None:
    """Its pointers to literals have a bit of their own."""
    numbers = (-1, 1, 0, 1, 1, 64, 1, 1)
    assert isinstance(found(cluster(numbers=numbers, mask=-8)), dict)
    assert isinstance(found(cluster(numbers=numbers, mask=-4)), str)


def test_config_h_is_the_one_that_is_pointed_to() -> None:
    content = cluster()
    text = b"\0/* config.h */\n#define SIZEOF_VOID_P 8\n\0"
    at = BASE + len(content) + 1
    both = constants.find(image(content + text, {0x80010: at, 0x80020: at + 1}))
    assert isinstance(both, dict)
    assert both[constants.CONFIG_H].address == 0x80010
    two = constants.find(image(content + text, {0x80010: at, 0x80020: at}))
    assert isinstance(two, dict)
    assert constants.CONFIG_H not in two


def test_flags_are_told_by_what_lies_beside_the_pointer_to_config_h() -> None:
    content = cluster()
    text = b"\0#define SIZEOF_VOID_P 8\n\0"
    flags = b"-g -O2 -DVALGRIND -DHAVE_CONFIG_H -Wall\0"
    at = BASE + len(content) + 1
    config_h, words = {0x80010: at}, content + text + flags
    flags_at = BASE + len(content) + len(text)
    for place in (0x80000, 0x80008, 0x80018, 0x80020):
        found = constants.find(image(words, config_h | {place: flags_at}))
        assert isinstance(found, dict)
        assert found[constants.FLAGS].address == place
    for pointers in ({0x80028: flags_at}, {0x80018: flags_at, 0x80008: flags_at}, {0x80018: at + 1}):
        found = constants.find(image(words, config_h | pointers))
        assert isinstance(found, dict)
        assert constants.FLAGS not in found
