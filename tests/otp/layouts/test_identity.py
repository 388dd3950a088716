"""Which VM is this: the stock binary's own constants, and memory that is not what it should be."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beamgdb.memory import BytesMemory, CachedMemory
from jit.otp.layouts.executable import BadExecutable, Executable
from jit.otp.layouts.identity import Identity, read_identity
from tests.harness import erl

PAGE = 0x1000
CONFIG = b"/* config.h */\n#define ERTS_ENABLE_MSACC 1\n#define SIZEOF_VOID_P 8\n/* #undef USE_VM_PROBES */\n"
FLAGS_AT = PAGE * 50
FLAGS = b"-Werror=undef -g -O2 -I/src/erts/x86_64-pc-linux-gnu -D_GNU_SOURCE  -DHAVE_CONFIG_H -Wall -DBEAMASM=1"


def constants(**changes: bytes) -> dict[str, bytes]:
    """The constants of a 64-bit little-endian JIT, as they lie in memory."""
    return {
        "etp_otp_release": b"25\0", "etp_erts_version": b"13.1.5\0", "etp_arch": b"x86_64-pc-linux-gnu\0",
        "etp_arch_bits": b"\x40\0\0\0", "etp_beamasm": b"\1\0\0\0", "etp_smp_compiled": b"\1\0\0\0",
        "etp_debug_compiled": b"\0\0\0\0", "etp_lock_count": b"\0\0\0\0", "etp_lock_check": b"\0\0\0\0",
        "etp_endianness": b"\xff\xff\xff\xff", "erts_build_flags_CONFIG_H": struct.pack("<Q", PAGE),
        "erts_build_flags_CFLAGS": struct.pack("<Q", FLAGS_AT), **changes,
    }  # fmt: skip


def identify(values: dict[str, bytes], config: bytes = CONFIG + b"\0", flags: bytes = FLAGS + b"\0") -> Identity:
    """The identity of a VM whose constants lie on a page each."""
    addresses = {name: PAGE * (i + 100) for i, name in enumerate(values)}
    texts = {PAGE: config, FLAGS_AT: flags}
    memory = CachedMemory(BytesMemory(texts | {addresses[name]: value for name, value in values.items()}))
    return read_identity(memory.try_read, addresses.get)


def test_the_installed_binary(release: erl.Release) -> None:
    executable = Executable(release.beam)
    identity = read_identity(executable.read, executable.symbol)
    assert identity.unknown == {}
    assert identity.erts_version == release.erts
    assert identity.otp_release == (release.root / "releases" / "start_erl.data").read_text().split()[1]
    assert (identity.build, identity.smp, identity.options) == ("opt", True, frozenset())


def test_every_field_is_read() -> None:
    assert identify(constants()) == Identity(
        otp_release="25", erts_version="13.1.5", arch="x86_64", triplet="x86_64-pc-linux-gnu", word_size=8,
        byteorder="little", flavour="jit", build="opt", options=frozenset(), smp=True, unknown={},
    )  # fmt: skip


def test_a_big_endian_interpreter() -> None:
    bits, off, on = struct.pack(">i", 32), struct.pack(">i", 0), struct.pack(">i", 1)
    values = constants(
        etp_arch=b"armeb-unknown-linux-gnueabihf\0", etp_arch_bits=bits, etp_beamasm=off, etp_smp_compiled=on,
        etp_endianness=on, etp_lock_count=on, erts_build_flags_CONFIG_H=struct.pack(">I", PAGE),
        erts_build_flags_CFLAGS=struct.pack(">I", FLAGS_AT),
    )  # fmt: skip
    identity = identify(values)
    assert (identity.arch, identity.word_size, identity.byteorder) == ("arm32", 4, "big")
    assert (identity.flavour, identity.build, identity.unknown) == ("emu", "lcnt", {})


@pytest.mark.parametrize(
    ("triplet", "bits", "arch"),
    [
        (b"aarch64-unknown-linux-gnu", 64, "aarch64"),
        (b"arm-unknown-linux-gnueabihf", 32, "arm32"),
        (b"armv7l-unknown-linux-gnueabihf", 32, "arm32"),
        (b"aarch64-unknown-linux-gnu", 32, "arm32"),
        (b"x86_64-pc-linux-gnu", 32, None),
        (b"arm-unknown-linux-gnueabihf", 64, None),
        (b"riscv64-unknown-linux-gnu", 64, None),
        (b"army-of-one", 32, None),
    ],
)
def test_architectures(triplet: bytes, bits: int, arch: str | None) -> None:
    identity = identify(constants(etp_arch=triplet + b"\0", etp_arch_bits=struct.pack("<i", bits)))
    assert identity.arch == arch
    assert ("arch" in identity.unknown) == (arch is None)


@pytest.mark.parametrize(
    ("config", "options"),
    [
        (CONFIG, set()),
        (CONFIG.replace(b"MSACC 1", b"MSACC 2"), {"extra-msacc"}),
        (CONFIG + b"#define USE_VM_PROBES 1\n", {"vm-probes"}),
        (b"x" * 5000 + b"\n" + CONFIG + b"#define USE_VM_PROBES 1\n", {"vm-probes"}),
        (b"something else", None),
    ],
)
def test_options(config: bytes, options: set[str] | None) -> None:
    assert identify(constants(), config + b"\0").options == options


@pytest.mark.parametrize(
    ("flags", "build"),
    [
        (FLAGS, "opt"),
        (FLAGS.replace(b"-D_GNU", b"-DVALGRIND -DNO_JUMP_TABLE -D_GNU"), "valgrind"),
        (b"-fsanitize=address -DADDRESS_SANITIZER " + FLAGS, "asan"),
        (b"-DERTS_GCOV -fprofile-arcs " + FLAGS, "gcov"),
        (b"-DGPROF -pg " + FLAGS, "gprof"),
        (b"-DERTS_FRMPTR " + FLAGS, "frmptr"),
        (FLAGS + b" -DERTS_OPCODE_COUNTER_SUPPORT", "icount"),
        (FLAGS + b" -DVALGRIND_STACK -I/home/x-DVALGRIND", "opt"),
        (b"something else", None),
    ],
)
def test_kinds_of_builds_of_which_only_the_flags_tell(flags: bytes, build: str | None) -> None:
    """TYPE_FLAGS in the emulator's Makefile.in."""
    identity = identify(constants(), flags=flags + b"\0")
    assert identity.build == build
    assert ("build" in identity.unknown) == (build is None)


@pytest.mark.parametrize(
    ("constant", "build"),
    [("etp_debug_compiled", "debug"), ("etp_lock_count", "lcnt"), ("etp_lock_check", "lock-check")],
)
def test_kinds_of_builds_of_which_constants_tell(constant: str, build: str) -> None:
    assert identify(constants(**{constant: b"\1\0\0\0"})).build == build


def test_what_is_absent_has_a_reason() -> None:
    for name in constants():
        values = constants()
        del values[name]
        identity = identify(values)
        assert any(name in reason or "byte order" in reason for reason in identity.unknown.values())
    nothing = read_identity(CachedMemory(BytesMemory({})).try_read, lambda _: None)
    assert all(getattr(nothing, f.name) is None for f in fields(nothing) if f.name != "unknown")
    assert nothing.unknown["flavour"] == "no symbol etp_beamasm"


def test_a_binary_of_which_nothing_is_readable() -> None:
    nothing = read_identity(CachedMemory(BytesMemory({})).try_read, lambda _: 0x1234)
    assert nothing.erts_version is None
    assert "unreadable" in nothing.unknown["byteorder"]


@given(st.sampled_from(sorted(constants())), st.binary(max_size=80), st.binary(max_size=200))
def test_any_bytes_give_known_values_or_reasons(name: str, value: bytes, config: bytes) -> None:
    identity = identify(constants(**{name: value}), config)
    for field in fields(identity):
        if field.name not in ("unknown", "options"):
            assert (getattr(identity, field.name) is None) == (field.name in identity.unknown)
    assert identity.flavour in ("jit", "emu", None)
    assert identity.word_size in (4, 8, None)
    assert identity.erts_version is None or len(identity.erts_version) < 64


@given(st.data())
def test_reads_of_any_length_are_survived(data: st.DataObject) -> None:
    def read(_address: int, size: int) -> bytes:
        return data.draw(st.binary(max_size=size))

    symbol: Callable[[str], int | None] = lambda _: data.draw(st.one_of(st.none(), st.integers(0, 2**64)))  # noqa: E731
    read_identity(read, symbol)


def test_a_file_that_is_no_executable(tmp_path: pytest.TempPathFactory) -> None:
    path = tmp_path / "text"  # type: ignore[operator]
    path.write_text("#!/bin/sh\n")
    with pytest.raises(BadExecutable, match="not a readable ELF file"):
        Executable(path)
