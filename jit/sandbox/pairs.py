"""The pairs of architecture and Erlang/OTP release that there is a sandbox for."""

from __future__ import annotations

from dataclasses import dataclass

from jit.sandbox.errors import SandboxError


@dataclass(frozen=True)
class Machine:
    """An architecture: Debian's name of it, its multiarch triplet, and the emulator (none: runs natively)."""

    name: str
    triplet: str
    qemu: str | None


@dataclass(frozen=True)
class Pair:
    """An Erlang/OTP release for an architecture, and the Debian suite that has it."""

    machine: Machine
    otp: int
    suite: str

    @property
    def arch(self) -> str:
        return self.machine.name

    @property
    def name(self) -> str:
        """As the pair's folder is called, such as `armhf-25`."""
        return f"{self.machine.name}-{self.otp}"


_ARMHF = Machine("armhf", "arm-linux-gnueabihf", "qemu-arm")
_ARM64 = Machine("arm64", "aarch64-linux-gnu", "qemu-aarch64")
AMD64 = Machine("amd64", "x86_64-linux-gnu", None)

PAIRS = (
    Pair(_ARMHF, 25, "bookworm"),
    Pair(_ARMHF, 27, "trixie"),
    Pair(_ARMHF, 29, "sid"),
    Pair(_ARM64, 27, "trixie"),
    Pair(_ARM64, 29, "sid"),
    Pair(AMD64, 25, "bookworm"),
    Pair(AMD64, 27, "trixie"),
    Pair(AMD64, 29, "sid"),
)

#: Why a pair that a user may expect is not there.
_ABSENT = {("arm64", 25): "its JIT crashes under qemu-aarch64"}


def find(arch: str, otp: int) -> Pair:
    """The pair of an architecture, in Debian's name for it, and a release. Raises SandboxError."""
    found = next((pair for pair in PAIRS if (pair.arch, pair.otp) == (arch, otp)), None)
    if found:
        return found
    reason = _ABSENT.get((arch, otp))
    there_are = ", ".join(f"{pair.arch} {pair.otp}" for pair in PAIRS)
    raise SandboxError(f"no sandbox for {arch} {otp}{f' ({reason})' if reason else ''}; there are: {there_are}")
