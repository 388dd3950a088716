"""Variable-length integers where one byte more is needed, and what elftools reads of them."""

from __future__ import annotations

import pytest
from elftools.dwarf.structs import DWARFStructs
from hypothesis import given, settings
from hypothesis import strategies as st

from jit.object.leb128 import sleb128, uleb128

READ = DWARFStructs(little_endian=True, dwarf_format=32, address_size=4)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (0, "00"), (63, "3f"), (64, "c000"), (-1, "7f"), (-64, "40"), (-65, "bf7f"),
        (8191, "ff3f"), (8192, "80c000"), (-8192, "8040"), (-8193, "ffbf7f"),
    ],
)  # fmt: skip
def test_signed(value: int, code: str) -> None:
    """The highest bit of the last seven is the sign (DWARF 5, 7.6)."""
    assert sleb128(value).hex() == code


@pytest.mark.parametrize(("value", "code"), [(0, "00"), (127, "7f"), (128, "8001"), (16383, "ff7f"), (16384, "808001")])
def test_unsigned(value: int, code: str) -> None:
    assert uleb128(value).hex() == code


@settings(deadline=None)
@given(st.integers(0, 64), st.integers(-2, 2), st.sampled_from([1, -1]))
def test_values_near_powers_of_two_come_back(bits: int, off: int, sign: int) -> None:
    value = sign * ((1 << bits) + off)
    assert READ.the_Dwarf_sleb128.parse(sleb128(value)) == value
    if value >= 0:
        assert READ.the_Dwarf_uleb128.parse(uleb128(value)) == value
    else:
        with pytest.raises(ValueError, match="is negative"):
            uleb128(value)
