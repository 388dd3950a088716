"""Which VM this is: release, architecture and flavour, from the VM's own `etp_*` constants.

The VM defines these constants for its GDB macros, and they are global, so a stripped binary whose symbols are exported
still has them (erl_init.c to OTP 25, erl_etp.c in 27). Every value is checked: what is absent, unreadable or absurd
is None, and `Identity.unknown` says why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Optional

from jit.object.target import ByteOrder
from jit.otp.layouts.wanted import BUILD

#: The bytes at an address, so many; None, or fewer, where they cannot be read.
Read = Callable[[int, int], Optional[bytes]]
Symbol = Callable[[str], Optional[int]]

#: First part of the GNU triplet (`etp_arch`) to the name of the architecture here.
ARCHITECTURES = (
    (re.compile(r"(x86_64|amd64)\b"), "x86_64"),
    (re.compile(r"(aarch64|arm64)\b"), "aarch64"),
    (re.compile(r"arm(v[5-8]\w*)?(eb)?\b"), "arm32"),
)

OTP_RELEASE = re.compile(r"\d{1,3}(-rc\d+)?")
ERTS_VERSION = re.compile(r"\d{1,3}(\.\d{1,4}){1,5}(\.rc\d+|-rc\d+)?")
TRIPLET = re.compile(r"[a-z0-9_]+(-[a-z0-9_.]+){1,4}")

#: Options of the build, besides its kind, on which structures depend, as they stand in its config.h: dynamic trace
#: adds fields to Process, microstate accounting is always there but its extra states lie in the scheduler registers.
OPTIONS = (
    ("vm-probes", re.compile(rb"^#define USE_VM_PROBES\b", re.MULTILINE)),
    ("extra-msacc", re.compile(rb"^#define ERTS_ENABLE_MSACC 2\b", re.MULTILINE)),
)

#: A line that every config.h of the VM has: without it, what was read is something else.
CONFIG_MARK = b"#define SIZEOF_VOID_P "

#: config.h is about 45 KB; it is read by the page, for readable memory may end after it.
CONFIG_LIMIT = 256 << 10
CONFIG_PAGE = 4096

#: Kinds of builds of which the constants tell nothing, by what the C compiler is told of them (TYPE_FLAGS in the
#: emulator's Makefile.in). Some have other structures than usual builds, or other code.
KINDS = (
    ("valgrind", re.compile(rb"(?<!\S)-DVALGRIND\b")),
    ("asan", re.compile(rb"(?<!\S)-DADDRESS_SANITIZER\b")),
    ("gcov", re.compile(rb"(?<!\S)-DERTS_GCOV\b")),
    ("gprof", re.compile(rb"(?<!\S)-DGPROF\b")),
    ("frmptr", re.compile(rb"(?<!\S)-DERTS_FRMPTR\b")),
    ("icount", re.compile(rb"(?<!\S)-DERTS_OPCODE_COUNTER_SUPPORT\b")),
)

#: What is among the flags of every build: without it, what was read is something else.
FLAGS_MARK = b"-DHAVE_CONFIG_H"

#: Flags are about 1 KB.
FLAGS_LIMIT = 16 << 10

#: Longest text that an `etp_*` constant is believed to hold.
TEXT_LIMIT = 64

#: Width of C's `int`, the type of the `etp_*` numbers, on every architecture the VM runs on.
INT_SIZE = 4


def is_musl(triplet: str | None) -> bool:
    """Whether a VM was built for this C library, and not for glibc."""
    return triplet is not None and "musl" in triplet


@dataclass(frozen=True)
class Identity:
    """What is known of a VM. None is unknown; `unknown` maps the name of the field to the reason.

    otp_release is the major release ("25"; the patch release is not in the binary), erts_version as in "13.1.5", arch
    "x86_64", "aarch64" or "arm32", triplet the GNU name of the same, word_size in bytes, flavour "jit" or "emu", build
    "opt", "debug", "lcnt", "lock-check" or one of `KINDS`, options those of `OPTIONS` that are on.
    """

    otp_release: str | None
    erts_version: str | None
    arch: str | None
    triplet: str | None
    word_size: int | None
    byteorder: ByteOrder | None
    flavour: str | None
    build: str | None
    options: frozenset[str] | None
    smp: bool | None
    unknown: Mapping[str, str]


class _Constants:
    """Reads `etp_*` constants and keeps, per field, why one could not be had."""

    def __init__(self, read: Read, symbol: Symbol) -> None:
        self._read, self._symbol = read, symbol
        self.unknown: dict[str, str] = {}
        self.byteorder: ByteOrder | None = None

    def raw(self, field: str, name: str, size: int) -> bytes | None:
        address = self._symbol(name)
        if address is None:
            self.unknown[field] = f"no symbol {name}"
            return None
        data = self._read(address, size)
        if data is None or len(data) != size:
            self.unknown[field] = f"{name} at {address:#x} is unreadable"
            return None
        return data

    def endianness(self) -> ByteOrder | None:
        data = self.raw("byteorder", "etp_endianness", INT_SIZE)
        if data is None:
            return None
        # 1 for big, -1 for little: neither can be mistaken for the other, whatever the order one reads with.
        if data == (1).to_bytes(INT_SIZE, "big"):
            return "big"
        if data == (-1).to_bytes(INT_SIZE, "little", signed=True):
            return "little"
        self.unknown["byteorder"] = f"etp_endianness is {data.hex()}"
        return None

    def number(self, field: str, name: str, allowed: tuple[int, ...]) -> int | None:
        data = self.raw(field, name, INT_SIZE)
        if data is None:
            return None
        if self.byteorder is None:
            self.unknown[field] = "byte order unknown"
            return None
        value = int.from_bytes(data, self.byteorder)
        if value in allowed:
            return value
        self.unknown[field] = f"{name} is {value}"
        return None

    def text(self, field: str, name: str, pattern: re.Pattern[str]) -> str | None:
        address = self._symbol(name)
        if address is None:
            self.unknown[field] = f"no symbol {name}"
            return None
        value = self._until_nul(address, TEXT_LIMIT, 1).decode("ascii", "replace")
        if pattern.fullmatch(value):
            return value
        self.unknown[field] = f"{name} is {value!r}"
        return None

    def config_h(self, field: str, word_size: int) -> bytes | None:
        """The text of the build's config.h, which the VM holds for erlang:system_info(compile_info)."""
        return self._pointed(field, "erts_build_flags_CONFIG_H", word_size, CONFIG_LIMIT, CONFIG_MARK, "config.h")

    def compiler_flags(self, field: str, word_size: int) -> bytes | None:
        """The C compiler's flags, which are held there too."""
        return self._pointed(field, "erts_build_flags_CFLAGS", word_size, FLAGS_LIMIT, FLAGS_MARK, "compiler flags")

    def _pointed(self, field: str, name: str, word_size: int, limit: int, mark: bytes, what: str) -> bytes | None:
        """A text by a pointer, if it has a mark in it."""
        pointer = self.raw(field, name, word_size)
        if pointer is None or self.byteorder is None:
            self.unknown.setdefault(field, "byte order unknown")
            return None
        text = self._until_nul(int.from_bytes(pointer, self.byteorder), limit, CONFIG_PAGE)
        if mark in text:
            return text
        self.unknown[field] = f"{name} holds no {what} (has the program begun to run?)"
        return None

    def _until_nul(self, address: int, limit: int, page: int) -> bytes:
        """Bytes before the first NUL; what could be read if there is none. Reads end at page boundaries, or sooner
        where memory does."""
        data = bytearray()
        step = page
        while step and len(data) < limit:
            at = address + len(data)
            part = self._read(at, min(step, page - at % page))
            if not part:
                step //= 2
                continue
            data += part
            if b"\0" in part:
                break
        return bytes(data).partition(b"\0")[0]


def read_identity(read: Read, symbol: Symbol) -> Identity:
    """Identify a VM. `read` gives its memory, `symbol(name)` an address or None."""
    etp = _Constants(read, symbol)
    etp.byteorder = etp.endianness()
    triplet = etp.text("triplet", "etp_arch", TRIPLET)
    bits = etp.number("word_size", "etp_arch_bits", (32, 64))
    if bits is None:
        etp.unknown["build"] = etp.unknown["word_size"]
    beamasm = etp.number("flavour", "etp_beamasm", (0, 1))
    smp = etp.number("smp", "etp_smp_compiled", (0, 1))
    return Identity(
        otp_release=etp.text("otp_release", "etp_otp_release", OTP_RELEASE),
        erts_version=etp.text("erts_version", "etp_erts_version", ERTS_VERSION),
        arch=_arch(triplet, bits, etp.unknown),
        triplet=triplet,
        word_size=bits // 8 if bits else None,
        byteorder=etp.byteorder,
        flavour=None if beamasm is None else "jit" if beamasm else "emu",
        build=_build(etp, bits // 8) if bits else None,
        options=_options(etp, bits // 8) if bits else None,
        smp=None if smp is None else bool(smp),
        unknown=etp.unknown,
    )


def read_config_h(read: Read, symbol: Symbol, identity: Identity) -> str | None:
    """The config.h that the VM was built with, None if it is unknown. Arguments as of `read_identity`."""
    etp = _Constants(read, symbol)
    etp.byteorder = identity.byteorder
    text = etp.config_h("options", identity.word_size) if identity.word_size else None
    return None if text is None else text.decode("ascii", "replace")


def read_build(read: Read, symbol: Symbol, identity: Identity) -> dict[str, int]:
    """The numbers of `wanted.BUILD` that an identified VM tells. Arguments as of `read_identity`."""
    etp = _Constants(read, symbol)
    found = {name: etp.raw("build", name, INT_SIZE) for name in BUILD}
    order = identity.byteorder or "little"
    return {name: int.from_bytes(data, order, signed=True) for name, data in found.items() if data is not None}


def _arch(triplet: str | None, bits: int | None, unknown: dict[str, str]) -> str | None:
    """The architecture of the VM. The triplet names the machine; a 32-bit VM may run on a 64-bit one."""
    if triplet is None or bits is None:
        unknown["arch"] = unknown.get("triplet") or unknown["word_size"]
        return None
    arch = next((name for pattern, name in ARCHITECTURES if pattern.match(triplet)), None)
    if arch == "aarch64" and bits == 32:
        return "arm32"
    if arch is None or bits != (32 if arch == "arm32" else 64):
        unknown["arch"] = f"no known architecture: {triplet}, {bits} bits"
        return None
    return arch


def _build(etp: _Constants, word_size: int) -> str | None:
    kinds = (("debug", "etp_debug_compiled"), ("lcnt", "etp_lock_count"), ("lock-check", "etp_lock_check"))
    values = [(build, etp.number("build", name, (0, 1))) for build, name in kinds]
    if any(value is None for _, value in values):
        return None
    told = next((build for build, value in values if value), None)
    if told is not None:
        return told
    flags = etp.compiler_flags("build", word_size)
    return None if flags is None else next((build for build, flag in KINDS if flag.search(flags)), "opt")


def _options(etp: _Constants, word_size: int) -> frozenset[str] | None:
    config = etp.config_h("options", word_size)
    return None if config is None else frozenset(name for name, pattern in OPTIONS if pattern.search(config))
