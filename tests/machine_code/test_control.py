"""Where machine instructions lead: bytes as `as` makes them, against what the manuals say."""

from __future__ import annotations

import pytest

from beamgdb.machine_code.control import Destination, control

PC = 0x1000
REGISTERS = {"rax": 0x5000, "rsp": 0x7000, "r13": 0x6000, "rbx": 0x10, "x30": 0x8000, "x8": 0x9000, "x1": 0xA000}
WORDS = {0x7000: 0x1234, 0x6088: 0x4321, 0x1106: 0x777, 0x5010 + 8 * 0x10: 0x888}


def led(arch: str, code: str) -> Destination | None:
    return control(arch, bytes.fromhex(code).ljust(15, b"\x90"), PC, REGISTERS.get, WORDS.__getitem__)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("488d5738", Destination(0x1004, None)),  # lea rdx, [rdi + 0x38]
        ("eb06", Destination(0x1002, 0x1008)),  # jmp .+8
        ("e9fb000000", Destination(0x1005, 0x1100)),  # jmp .+0x100
        ("7e10", Destination(0x1002, 0x1012, conditional=True)),  # jle .+0x12
        ("0f86fa000000", Destination(0x1006, 0x1100, conditional=True)),  # jbe .+0x100
        ("e8fb000000", Destination(0x1005, 0x1100, call=True)),  # call .+0x100
        ("40e8fa000000", Destination(0x1006, 0x1100, call=True)),  # rex call .+0x100, as BeamAsm aligns calls
        ("ffd0", Destination(0x1002, 0x5000, call=True)),  # call rax
        ("ffe0", Destination(0x1002, 0x5000)),  # jmp rax
        ("41ffa588000000", Destination(0x1007, 0x4321)),  # jmp [r13 + 0x88]
        ("ff1500010000", Destination(0x1006, 0x777, call=True)),  # call [rip + 0x100]
        ("ff64d810", Destination(0x1004, 0x888)),  # jmp [rax + 8 * rbx + 0x10]
        ("c3", Destination(0x1001, 0x1234)),  # ret
        ("ffd1", None),  # call rcx, which is not known
    ],
)
def test_x86_64(code: str, expected: Destination | None) -> None:
    assert led("x86_64", code) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("210840f9", Destination(0x1004, None)),  # ldr x1, [x1, #16]
        ("20002a8a", Destination(0x1004, None)),  # bic x0, x1, x10
        ("40000014", Destination(0x1004, 0x1100)),  # b .+0x100
        ("0d080054", Destination(0x1004, 0x1100, conditional=True)),  # b.le .+0x100
        ("010800b4", Destination(0x1004, 0x1100, conditional=True, taken=False)),  # cbz x1, .+0x100
        ("01080037", Destination(0x1004, 0x1100, conditional=True, taken=False)),  # tbnz w1, #0, .+0x100
        ("40000094", Destination(0x1004, 0x1100, call=True)),  # bl .+0x100
        ("00013fd6", Destination(0x1004, 0x9000, call=True)),  # blr x8
        ("00011fd6", Destination(0x1004, 0x9000)),  # br x8
        ("c0035fd6", Destination(0x1004, 0x8000)),  # ret
        ("20005fd6", Destination(0x1004, 0xA000)),  # ret x1
    ],
)
def test_aarch64(code: str, expected: Destination | None) -> None:
    assert led("aarch64", code) == expected


#: Flags of x86-64 and ARM64: none, zero, carry, sign, overflow, sign and overflow, parity.
X86_FLAGS = (0, 1 << 6, 1 << 0, 1 << 7, 1 << 11, 1 << 7 | 1 << 11, 1 << 2)
A64_FLAGS = (0, 1 << 30, 1 << 29, 1 << 31, 1 << 28, 1 << 31 | 1 << 28)


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        (0x0, "0000110"), (0x1, "1111001"), (0x2, "0010000"), (0x3, "1101111"), (0x4, "0100000"), (0x5, "1011111"),
        (0x6, "0110000"), (0x7, "1001111"), (0x8, "0001010"), (0x9, "1110101"), (0xA, "0000001"), (0xB, "1111110"),
        (0xC, "0001100"), (0xD, "1110011"), (0xE, "0101100"), (0xF, "1010011"),
    ],
)  # fmt: skip
def test_conditions_of_x86_64(condition: int, taken: str) -> None:
    """Jcc by the number of its condition, with each of the flags: Intel SDM, volume 2, Jcc."""
    code = bytes([0x70 + condition, 0x10]).ljust(15, b"\x90")
    for flags, expected in zip(X86_FLAGS, taken):
        found = control("x86_64", code, PC, {"eflags": flags}.get, WORDS.__getitem__)
        assert found is not None
        assert found.taken is bool(int(expected))


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        (0x0, "010000"), (0x1, "101111"), (0x2, "001000"), (0x3, "110111"), (0x4, "000101"), (0x5, "111010"),
        (0x6, "000011"), (0x7, "111100"), (0x8, "001000"), (0x9, "110111"), (0xA, "111001"), (0xB, "000110"),
        (0xC, "101001"), (0xD, "010110"),
    ],
)  # fmt: skip
def test_conditions_of_aarch64(condition: int, taken: str) -> None:
    """B.cond likewise: Arm Architecture Reference Manual ARMv8-A, C1.2.4."""
    code = (0x54000100 | condition).to_bytes(4, "little").ljust(15, b"\0")
    for flags, expected in zip(A64_FLAGS, taken):
        found = control("aarch64", code, PC, {"cpsr": flags}.get, WORDS.__getitem__)
        assert found is not None
        assert found.taken is bool(int(expected))


def test_what_is_not_known() -> None:
    assert led("aarch64", "ffffffff") is None
    assert led("arm32", "00000000") is None
