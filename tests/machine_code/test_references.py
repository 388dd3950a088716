"""Which addresses machine code refers to: functions of Debian's beam.smp, and instructions that those do not use."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from beamgdb.machine_code.references import REFERENCES, aarch64, arm32, loads, x86_64
from beamgdb.machine_code.text import instructions
from beamgdb.memory import BytesMemory, CachedMemory
from beamgdb.records.statics import FUNCTION_BYTES, referred


class Code(NamedTuple):
    """A function of a stripped beam.smp: its link-time address, and static variables that it uses. Where those are was
    read off the disassembled code; they hold what they must in a running node (test_running_node)."""

    vm: str
    arch: str
    function: str
    address: int
    uses: frozenset[int]
    code: str


FUNCTIONS = (
    Code("13.1.5 armhf", "arm32", "erts_update_ranges", 0x63994, frozenset((0x242034, 0x242070)), """
        2de9f8430c46204bdff880c005467b441f4a53f80c1009689a5816688e420cd01c4b7b44d86b1c4a2c4405607a444460d36b0833d363bde8
        f883184f36017f4407eb0608ba59002aead107f1300252e8000f803042e800010029f8d1104a43f2b4009b584ff48062d3f84090d96cc847
        28b18023b851f863c8f80830d3e74ff48061612006f048fa5a061d009c080000dc0500007ae61d0070e61d005ee61d007c070000"""),
    Code("13.1.5 armhf", "arm32", "beam_catches_car", 0x60DB4, frozenset((0x242000,)), """
        0b4a0c497a4408b50b4b52587b44126803eb02139a68824203d9db6853f8300008bd064902466ff00300794419f07af944321d00dc050000
        3c121e00dafd1700"""),
    Code("15.2.7 armhf", "arm32", "erts_update_ranges", 0x76048, frozenset((0x26E6B4, 0x26E6F0)), """
        2de9f84305461f4b1f4a0c467b449a5811681e4a9a5812688a420cd01c4b7b44d86b2c44056044601a4a7a44d36b0833d363bde8f883184f
        16017f4407eb0608ba59002aead107f1300252e8000f803042e800010029f8d1104a43f234209b584ff48062d3f84090d96cc84728b18023
        b851f863c8f80830d3e74ff48061642003f0e6fca89f1e00ec0900005c0600004a861f003e861f002e861f005c080000"""),
    Code("15.2.7 armhf", "arm32", "beam_catches_car", 0x67648, frozenset((0x26E638,)), """
        08b50b4b0b4a7b449b581a680a4b7b4403eb02139a68824203d9db6853f8300008bd064902466ff00300794422f08afaae891f005c060000
        de6f2000869b1600"""),
    Code("15.2.7 arm64", "aarch64", "erts_update_ranges", 0x13FB88, frozenset((0x426BF0, 0x426C68)), """
        fd7bbca9fd030091f35301a9f40301aaf55b02a9f50300aa80160090002445f9010040b98016009000e441f9000040b9331700f01f00016b
        c001005460c22f91023c40f9558400f8b402148b540000f973c22f91603e40f900400091603e00f9f35341a9f55b42a9fd7bc4a8c0035fd6
        167c7bd3331700f0f76303a977c22f91f802168be06a76f8600000b4f76343a9ebffff17e1820191001080d2c33f079481160090216842f9
        020081d280468652234040f9214c40f960003fd6e20300aae00000b4001080d2e26a36f8000b00f9e23e00f9f76343a9dbffff17010081d2
        800c8052bf130094"""),
    Code("15.2.7 arm64", "aarch64", "beam_catches_car", 0x130000, frozenset((0x426B40,)), """
        e11600f021e441f9210040b9227c7fd34140218ba21700d042002d91410c018b220840b95f00006ba9000054210840f9007c7cd3206860f8
        c0035fd6fd7bbfa9e203002a210f00b0fd03009121a00a91600080122ba80094"""),
    Code("13.1.5 amd64", "x86_64", "erts_update_ranges", 0x108B90, frozenset((0x3FC9E0, 0x3FC9D0)), """
        8b15aa3e2f008b05a83e2f004154554889f5534889fb39d07426488b051f3e2f004889184801eb4883c010488958f85b488905093e2f005d
        415cc30f1f44000048c1e0054c8d25053e2f004901c449833c240075c5f0488105e73d2f0080000000488b3540302f00ba00080000bfb430
        0000ff1518302f004885c0740f4989042449c744241080000000eb95be00080000bf61000000e8c5940000"""),
)  # fmt: skip


@pytest.mark.parametrize("code", FUNCTIONS, ids=lambda code: f"{code.vm} {code.function}")
def test_static_variables_of_a_function(code: Code) -> None:
    assert code.uses <= set(REFERENCES[code.arch](bytes.fromhex(code.code), code.address))


@pytest.mark.parametrize("code", FUNCTIONS, ids=lambda code: f"{code.vm} {code.function}")
def test_addresses_move_with_the_code(code: Code) -> None:
    """As a position independent program is loaded anywhere."""
    moved = set(REFERENCES[code.arch](bytes.fromhex(code.code), code.address + 0x4000_0000))
    assert {address + 0x4000_0000 for address in code.uses} <= moved


@pytest.mark.parametrize("code", FUNCTIONS, ids=lambda code: f"{code.vm} {code.function}")
@pytest.mark.parametrize("bit", [0, 1])
def test_addresses_of_thumb_functions_may_be_odd(code: Code, bit: int) -> None:
    """A symbol table says so, GDB does not."""
    start = code.address | (bit if code.arch == "arm32" else 0)
    memory = CachedMemory(BytesMemory({code.address: bytes.fromhex(code.code) + bytes(FUNCTION_BYTES)}), block=16)
    assert code.uses <= referred(memory, {code.function: start}.get, code.arch, [code.function])


def arm(*instructions: int, start: int = 0x8000) -> set[int]:
    """What A32 or A64 instructions refer to."""
    code = b"".join(instruction.to_bytes(4, "little") for instruction in instructions)
    return set((aarch64 if start >= 1 << 32 else arm32)(code, start))


def thumb(code: str, start: int = 0x8000) -> set[int]:
    return set(arm32(bytes.fromhex(code), start))


def test_thumb_with_absolute_addresses() -> None:
    """movw r3, #0x5678; movt r3, #0x1234; ldr r0, [r3, #16]; strd r0, r1, [r3, #32]; add.w r4, r3, r0;
    ldr r5, [r4, #4]"""
    found = thumb("45f27863c1f234231869c3e9080103eb00046568")
    assert {0x12345678, 0x12345688, 0x12345698, 0x1234567C} <= found


def test_thumb_literals_are_those_behind_the_aligned_address() -> None:
    """nop; ldr r3, [pc, #4]; add r3, pc; ldr r0, [r3]; .word 0x1000: pc is cut to a multiple of 4 for the load, but not
    for the addition."""
    assert 0x8004 + 4 + 0x1000 in thumb("00bf 014b 7b44 1868 00100000")
    assert 0x8006 + 4 + 0x1000 in thumb("00bf 014b 7b44 1868 00bf 00100000", 0x8002)


def test_a32() -> None:
    """ldr r3, [pc, #8]; add r3, pc, r3; str r1, [r3, #12]; bx lr; .word 0x1000"""
    assert {0x800C + 0x1000, 0x800C + 0x100C} <= arm(0xE59F3008, 0xE08F3003, 0xE583100C, 0xE12FFF1E, 0x1000)


def test_arm32_wraps_around() -> None:
    """The distance to a variable below the code is negative."""
    found = arm(0xE59F3008, 0xE08F3003, 0xE583100C, 0xE12FFF1E, 0xFFFFF000, start=0x4000_0000)
    assert 0x4000_000C - 0x1000 in found


def test_a64() -> None:
    """adrp x20, .; add x23, x20, #0xbf0; add x1, x23, x25; ldr x0, [x1, #16]; stp x0, x2, [x23, #-16]; adr x2, .+0x100;
    str w0, [x23, #4]"""
    start = 0x55_0001_2340
    found = arm(0x90000014, 0x912FC297, 0x8B1902E1, 0xF9400820, 0xA93F0AE0, 0x10000802, 0xB90006E0, start=start)
    base = 0x55_0001_2BF0
    assert {base, base + 16, base - 16, base + 4, start + 0x14 + 0x100} <= found


@pytest.mark.parametrize("arch", sorted(REFERENCES))
def test_any_bytes_are_survived(arch: str) -> None:
    """Constants between functions are read as code."""
    code = bytes(range(256)) * 4 + b"\xff" * 9
    for at in range(64):
        assert all(isinstance(address, int) for address in REFERENCES[arch](code[at:], 0x1000))


#: Instructions that look like those that name or load an address, and have none: `movabs rax, [...]`, `adr` of vectors.
ADDRESSLESS = {"x86_64": "48a1d7550000488d15d1", "aarch64": "51a56504"}


@pytest.mark.parametrize("arch", sorted(ADDRESSLESS))
def test_data_that_looks_like_an_address(arch: str) -> None:
    found = list(instructions(arch, bytes.fromhex(ADDRESSLESS[arch]), 0x1000))
    assert [(one.names, one.loads) for one in found] == [(None, None)] * len(found) != []


def test_x86_64_that_is_not_position_independent() -> None:
    """mov rax, [0x404080]"""
    assert 0x404080 in set(x86_64(bytes.fromhex("488b042580404000"), 0x401000))


def test_words_that_x86_64_loads() -> None:
    """call [rip+0x10]; jmp [rip-6]; lea rax, [rip+0x10]; call +0x10"""
    code = bytes.fromhex("ff1510000000 ff25faffffff 488d0510000000 e810000000")
    assert list(loads("x86_64", code, 0x1000)) == [0x1016, 0x1006]


def test_words_that_a64_loads() -> None:
    """ldr x0, .+16; ldr d0, .-4; ldrsw x1, .; ldr x0, [x1, #16]; nop, and half an instruction"""
    words = (0x58000080, 0x5CFFFFE0, 0x98000001, 0xF9400820, 0xD503201F)
    code = b"".join(word.to_bytes(4, "little") for word in words) + b"\x80\x00"
    assert list(loads("aarch64", code, 0x1000)) == [0x1010, 0x1000, 0x1008]
