"""Numbers as Erlang writes them."""

from __future__ import annotations

import math

#: Python refuses to convert longer integers in one go (`sys.get_int_max_str_digits`, at least 640).
_DIGITS_AT_ONCE = 600


def float_text(number: float) -> str:
    """The shortest text that reads back as the same float, as `float_to_list(F, [short])` gives it.

    Whether the exponent is written out follows Erlang's variant of Ryu (`erts/emulator/ryu/d2s.c`, OTP 25 and 27): the
    shorter form wins, and from 2^53 on always the exponent.
    """
    if not math.isfinite(number):
        return f"<float {number}>"
    sign = "-" if math.copysign(1.0, number) < 0 else ""
    if not number:
        return sign + "0.0"
    digits, exponent = _shortest(abs(number))
    scientific = exponent + len(digits) - 1
    if _fixed_is_shorter(len(digits), exponent, scientific) and abs(number) < 2.0**53:
        return sign + _fixed(digits, exponent)
    return f"{sign}{digits[0]}.{digits[1:] or '0'}e{scientific}"


def integer_text(number: int) -> str:
    """Decimal digits, of integers of any length."""
    if number < 0:
        return "-" + integer_text(-number)
    if number.bit_length() < 3 * _DIGITS_AT_ONCE:
        return str(number)
    parts: list[str] = []
    chunk = 10**_DIGITS_AT_ONCE
    while number:
        number, part = divmod(number, chunk)
        parts.append(f"{part:0{_DIGITS_AT_ONCE}d}")
    return "".join(reversed(parts)).lstrip("0")


def _shortest(number: float) -> tuple[str, int]:
    """Shortest round-trip digits without trailing zeros, and the power of ten of the last one."""
    mantissa, _, exponent = repr(number).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + fraction
    power = int(exponent or 0) - len(fraction)
    stripped = digits.rstrip("0")
    return stripped.lstrip("0"), power + len(digits) - len(stripped)


def _fixed_is_shorter(length: int, exponent: int, scientific: int) -> bool:
    if length == 1:
        return -4 <= exponent <= 2
    return -(length + 2) <= exponent <= (2 if scientific >= 10 else 1)


def _fixed(digits: str, exponent: int) -> str:
    if exponent >= 0:
        return digits + "0" * exponent + ".0"
    point = len(digits) + exponent
    if point > 0:
        return f"{digits[:point]}.{digits[point:]}"
    return f"0.{'0' * -point}{digits}"
