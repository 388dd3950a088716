"""Which instructions processors have: the one description that the assembler, the compiler and the glue go by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Feature(Enum):
    """What not all processors have that run A32 code.

    All have ARMv6K and VFPv2 with 16 doubles. Where an instruction begins is said in its description in the ARM
    Architecture Reference Manual, ARMv7-A and ARMv7-R edition, under "Encoding A1".
    """

    V6T2 = "ARMv6T2"
    V7 = "ARMv7"
    VFP3 = "VFPv3"
    DIVISION = "idiv"


#: Bits of what Linux tells a program of its processor, AT_HWCAP (arch/arm/include/uapi/asm/hwcap.h). ARMv6T2 and ARMv7
#: have none: a processor of Linux with VFPv3 has them.
_HWCAP_VFP: Final = 1 << 6
_HWCAP_VFPV3: Final = 1 << 13
_HWCAP_IDIVA: Final = 1 << 17
_TOLD: Final = {Feature.V6T2: _HWCAP_VFPV3, Feature.V7: _HWCAP_VFPV3, Feature.VFP3: _HWCAP_VFPV3,
                Feature.DIVISION: _HWCAP_IDIVA}  # fmt: skip


@dataclass(frozen=True)
class Cpu:
    """A processor, or what all of a kind have. ``flags`` tell the C compiler of it."""

    name: str
    features: frozenset[Feature]
    flags: tuple[str, ...]

    @property
    def told(self) -> int:
        """The bits of AT_HWCAP without which it cannot be this one."""
        bits = _HWCAP_VFP
        for feature in self.features:
            bits |= _TOLD[feature]
        return bits


_V7: Final = frozenset({Feature.V6T2, Feature.V7, Feature.VFP3})
_V7_FLAGS: Final = ("-march=armv7-a", "-mfpu=vfpv3-d16")

#: What Debian's armhf wants, and code for 32-bit ARM is for unless another is asked for.
ARMV7_A: Final = Cpu("armv7-a", _V7, _V7_FLAGS)
#: ARM1176JZF-S, as in the first Raspberry Pi and Zero. Its Thumb code is of 16 bits, without hard floats.
ARM1176: Final = Cpu("arm1176", frozenset(), ("-march=armv6k", "-mfpu=vfp", "-marm"))
CORTEX_A7: Final = Cpu("cortex-a7", _V7 | {Feature.DIVISION}, _V7_FLAGS)
CORTEX_A8: Final = Cpu("cortex-a8", _V7, _V7_FLAGS)

CPUS: Final = {cpu.name: cpu for cpu in (ARMV7_A, ARM1176, CORTEX_A7, CORTEX_A8)}
