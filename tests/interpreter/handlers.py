"""Handlers of Debian's stripped beam.smp for armhf, as they lie in `process_main`: Thumb-2 code by GCC."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from beamgdb.interpreter.operations import Operation
from beamgdb.interpreter.roles import Roles
from beamgdb.interpreter.symbolic import arm32
from beamgdb.interpreter.symbolic.paths import Follower
from beamgdb.memory import Unreadable

Handlers = dict[str, tuple[int, str]]
"""By the operation's name: the distance from the start of `process_main`, and the code in hexadecimal."""

OTP_25: Handlers = {
    "move_nx": (0x166E, "d4e901233b210834b95043f001031847"),
    "move_cx": (0x14DC, "d4e902130c3454f8082c43f001037a501847"),
    "move_cy": (0x14EE, "d4e902130c3454f8082c43f0010372501847"),
    "self_x": (0x3802, "d4e901230834296843f00103b9501847"),
    "self_y": (0x3812, "d4e901230834296843f00103b1501847"),
    "put_list_rxx": (
        0x480C,
        "029b6268196c54f8083fcaf80010c2f30b01120c43f001037958caf804100af101010af1080ab9501847",
    ),
    "put_list_xxr": (
        0x48B0,
        "62680af1010154f8083f0af1080ac2f30b00120c43f0010338584af8080cba584af8042c029a11641847",
    ),
    "put_tuple2_xI": (0x3A9E, "a36804f10c0cd4f804e0604654461a469901caf8001009e0"),
    "i_call_f": (0x18CE, "04f108033360039a63689345d8bfbbf1000f04eb8304236844f3e0830bf1ff3b43f001031847"),
    "i_call_only_f": (0x1996, "6368039a04eb83049345d8bfbbf1000f236844f37f830bf1ff3b43f001031847"),
    "move_call_xf": (
        0x1470,
        "636804f10c01fa58a3683160029904eb83040a64039a23689345d8bfbbf1000f44f30b860bf1ff3b43f001031847",
    ),
    "return": (0x37DC, "3b2334683360039b9b45d8bfbbf1000fccbf0123002343f37f8223680bf1ff3b43f001031847"),
    "move_return_x": (
        0x16D4,
        "6368029afb5813643b2334683360039b9b45d8bfbbf1000fccbf0123002345f3ff8223680bf1ff3b43f001031847",
    ),
    "call_nif_WWW": (
        0x4650,
        "a4f10c03c5e90ca6c5f8f8302946c5f838b00023d5f82c91d4e9016254f8048c38ac2046daf0fcfed5f8a03141463a46"
        "2046c3f8a040b0473e9b0022002bd5f8a03108bf0146204618bf00210d91c3f8a020daf0f7fe0d99a1e7",
    ),
}
OTP_27: Handlers = {
    "move_nx": (0x1A52, "d4e901353b22083448f8032045f001052847"),
    "move_cx": (0x1526, "d4e902230c341d4654f8083c45f0010548f802302847"),
    "move_cy": (0x153C, "d4e902230c341d4654f8083c45f00105bb502847"),
    "self_x": (0x425C, "d4e901350834326845f0010548f803202847"),
    "self_y": (0x426E, "d4e901350834326845f00105fa502847"),
    "put_list_rxx": (
        0x3BFA,
        "059a636854f8085f126ccaf80020c3f30b021b0c45f0010558f80220caf804200af101020af1080a48f803202847",
    ),
    "put_list_xxr": (
        0x3CAE,
        "63680af1010254f8085f0af1080ac3f30b011b0c45f0010558f801104af8081c58f803304af8043c059b1a642847",
    ),
    "put_tuple2_xI": (0x3E34, "a568d44604f10c0ed4f804902a465446ab0170464cf8043b08e0"),
    "i_call_f": (0x1D22, "04f108033b60636804eb8304069b9b45d8bfbbf1000f256844f3d1850bf1ff3b45f001052847"),
    "i_call_only_f": (0x1DE4, "636804eb8304069b9b45d8bfbbf1000f256844f373850bf1ff3b45f001052847"),
    "move_call_xf": (
        0x14B4,
        "636804f10c0158f80320a3683960059904eb8304069b0a649b45d8bfbbf1000f256845f303820bf1ff3b45f001052847",
    ),
    "return": (0x4236, "3b233c683b60069b9b45d8bfbbf1000fccbf0123002343f3178225680bf1ff3b45f001052847"),
    "move_return_x": (
        0x3706,
        "6368059a58f8033013643b233c683b60069b9b45d8bfbbf1000fccbf0123002343f3aa8725680bf1ff3b45f001052847",
    ),
    "call_nif_WWW": (
        0x5CA6,
        "c6f840b0a4f10c03c6e90ca73146c6f8fc300023d6f834b1d4e9015254f8049c3dac2046e8f0e5f9d6f8a83142464946"
        "2046c3f8a040a847439b0022002bd6f8a83108bf0546204618bf0025c3f8a020e8f0e1f9a3e7",
    ),
}

ROLES = {
    25: Roles(instruction="r4", stack="r6", heap_top="r10", reductions="r11", x_registers="r7", process="r5"),
    27: Roles(instruction="r4", stack="r7", heap_top="r10", reductions="r11", x_registers="r8", process="r6"),
}
"""Where the two builds keep the state of Erlang code. The same was read in a debugger, while handlers ran."""

BY_RELEASE = {25: OTP_25, 27: OTP_27}

START = 0x4005_0000
"""Where `process_main` lies here."""

UNDEFINED = b"\x00\xde"
"""`udf #0`."""

SIZE = 0x6000
"""Instructions between the first handler and the end of the code."""


def operations(handlers: Iterable[tuple[str, int]]) -> list[Operation]:
    """Operations with these names and distances of handlers."""
    return [
        Operation(number, name, name.rpartition("_")[2], 2, 0, "", START + offset)
        for number, (name, offset) in enumerate(handlers)
    ]


def listed(handlers: Handlers) -> list[Operation]:
    """The operations of these handlers."""
    return operations((name, offset) for name, (offset, _) in handlers.items())


def image(handlers: Handlers, undefined: bytes, count: int) -> bytes:
    """The code of these handlers. Between them there are undefined instructions, at which no way goes on."""
    code = bytearray(undefined * count)
    for offset, text in handlers.values():
        code[offset : offset + len(text) // 2] = bytes.fromhex(text)
    return bytes(code)


def follower(handlers: Handlers) -> Follower[Any]:
    """Follows code of these handlers."""
    code = image(handlers, UNDEFINED, SIZE)

    def read(address: int, size: int) -> bytes:
        if not 0 <= address - START <= len(code) - size:
            raise Unreadable(address, size)
        return code[address - START : address - START + size]

    return Follower(read, arm32.Arm32(thumb=True))
