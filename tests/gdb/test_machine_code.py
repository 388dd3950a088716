"""Where machine instructions lead: bytes as `as` makes them, against what the manuals say."""

from __future__ import annotations

import pytest

from beamgdb.gdbext.stepping.machine_code import Control, control

PC = 0x1000
REGISTERS = {"rax": 0x5000, "rsp": 0x7000, "r13": 0x6000, "rbx": 0x10, "x30": 0x8000, "x8": 0x9000, "x1": 0xA000}
WORDS = {0x7000: 0x1234, 0x6088: 0x4321, 0x1106: 0x777, 0x5010 + 8 * 0x10: 0x888}


def led(arch: str, code: str) -> Control | None:
    return control(arch, bytes.fromhex(code).ljust(15, b"\x90"), PC, REGISTERS.get, WORDS.__getitem__)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("488d5738", Control(0x1004, None)),  # lea rdx, [rdi + 0x38]
        ("eb06", Control(0x1002, 0x1008)),  # jmp .+8
        ("e9fb000000", Control(0x1005, 0x1100)),  # jmp .+0x100
        ("7e10", Control(0x1002, 0x1012, conditional=True)),  # jle .+0x12
        ("0f86fa000000", Control(0x1006, 0x1100, conditional=True)),  # jbe .+0x100
        ("e8fb000000", Control(0x1005, 0x1100, call=True)),  # call .+0x100
        ("40e8fa000000", Control(0x1006, 0x1100, call=True)),  # rex call .+0x100, as BeamAsm aligns calls
        ("ffd0", Control(0x1002, 0x5000, call=True)),  # call rax
        ("ffe0", Control(0x1002, 0x5000)),  # jmp rax
        ("41ffa588000000", Control(0x1007, 0x4321)),  # jmp [r13 + 0x88]
        ("ff1500010000", Control(0x1006, 0x777, call=True)),  # call [rip + 0x100]
        ("ff64d810", Control(0x1004, 0x888)),  # jmp [rax + 8 * rbx + 0x10]
        ("c3", Control(0x1001, 0x1234)),  # ret
        ("ffd1", None),  # call rcx, which is not known
    ],
)
def test_x86_64(code: str, expected: Control | None) -> None:
    assert led("x86_64", code) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("210840f9", Control(0x1004, None)),  # ldr x1, [x1, #16]
        ("20002a8a", Control(0x1004, None)),  # bic x0, x1, x10
        ("40000014", Control(0x1004, 0x1100)),  # b .+0x100
        ("0d080054", Control(0x1004, 0x1100, conditional=True)),  # b.le .+0x100
        ("010800b4", Control(0x1004, 0x1100, conditional=True)),  # cbz x1, .+0x100
        ("01080037", Control(0x1004, 0x1100, conditional=True)),  # tbnz w1, #0, .+0x100
        ("40000094", Control(0x1004, 0x1100, call=True)),  # bl .+0x100
        ("00013fd6", Control(0x1004, 0x9000, call=True)),  # blr x8
        ("00011fd6", Control(0x1004, 0x9000)),  # br x8
        ("c0035fd6", Control(0x1004, 0x8000)),  # ret
        ("20005fd6", Control(0x1004, 0xA000)),  # ret x1
    ],
)
def test_aarch64(code: str, expected: Control | None) -> None:
    assert led("aarch64", code) == expected


def test_what_is_not_known() -> None:
    assert led("aarch64", "ffffffff") is None
    assert led("arm32", "00000000") is None
