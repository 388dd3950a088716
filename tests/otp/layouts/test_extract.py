"""`python -m jit.otp.layouts`: from a VM with debug information to a table, and what it says when it cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from struct import pack_into, unpack_from

import pytest

from jit.otp.layouts.__main__ import main
from jit.otp.layouts.layout import load_table
from tests.otp.layouts.c_programs import always_wanted, answers, build, fake_vm, printing_main

ETP = """
const char etp_otp_release[] = "99", etp_erts_version[] = "77.1", etp_arch[] = "x86_64-pc-linux-gnu";
const int etp_arch_bits = 64, etp_beamasm = 1, etp_smp_compiled = 1, etp_endianness = -1;
const int etp_debug_compiled = 0, etp_lock_count = 0, etp_lock_check = 0;
const char *erts_build_flags_CONFIG_H = "#define SIZEOF_VOID_P 8\\n#define ERTS_ENABLE_MSACC 2\\n";
const char *erts_build_flags_CFLAGS = "-g -O2 -DHAVE_CONFIG_H";
"""


@pytest.fixture(scope="module")
def vm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program with the structures and constants of a VM that does not exist."""
    flags = ("-rdynamic", "-Wl,--build-id")
    return build(tmp_path_factory.mktemp("vm"), fake_vm(ETP, printing_main(always_wanted())), *flags)


def failure(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that the command ends with."""
    capsys.readouterr()
    assert main([str(a) for a in arguments]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


def test_from_debug_information_to_a_layout(vm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(vm), "--otp", "99.3", "-o", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/erts-77.1-x86_64-jit.json\n"
    assert [path.name for path in tmp_path.iterdir()] == ["erts-77.1-x86_64-jit.json"]
    layout = load_table("77.1", "x86_64", "jit", tmp_path)
    assert layout is not None
    assert (layout.release, layout.word_size, layout.options) == ("99.3", 8, frozenset({"extra-msacc"}))
    for (struct, path), truth in zip(always_wanted(), answers(vm), strict=True):
        assert (layout.offset(struct, path), layout.width(struct, path)) == truth
    assert layout.constant("ERTS_SCHED_DIRTY_IO") == 2


def test_the_release_comes_from_otp_version(vm: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    shutil.copy(vm, tmp_path / "bin" / "beam.smp")
    (tmp_path / "OTP_VERSION").write_text("99.1.2\n")
    assert main([str(tmp_path / "bin" / "beam.smp"), "-o", str(tmp_path)]) == 0
    layout = load_table("77.1", "x86_64", "jit", tmp_path)
    assert layout is not None
    assert layout.release == "99.1.2"


def test_a_separate_debug_file(vm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    debug, stripped = tmp_path / "beam.debug", tmp_path / "beam.smp"
    subprocess.run(["objcopy", "--only-keep-debug", vm, debug], check=True)
    subprocess.run(["strip", "-o", stripped, vm], check=True)
    rest = ("--otp", "99", "-o", tmp_path)
    assert "no .debug_info section" in failure(capsys, stripped, *rest)
    assert main([str(a) for a in (debug, "--binary", stripped, *rest)]) == 0
    layout = load_table("77.1", "x86_64", "jit", tmp_path)
    assert layout is not None
    assert layout.size("Process") > 0
    other = build(tmp_path, "int main(void) { return 0; }", "-Wl,--build-id")
    assert "build-id" in failure(capsys, debug, "--binary", other, *rest)


def test_an_existing_table_survives_a_failure(vm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "erts-77.1-x86_64-jit.json"
    table.write_text("old")
    assert "OTP_VERSION" in failure(capsys, vm, "-o", tmp_path)
    assert table.read_text() == "old"
    assert main([str(vm), "--otp", "99", "-o", str(tmp_path)]) == 0
    assert table.read_text() != "old"
    assert "No such file or directory" in failure(capsys, vm, "--otp", "99", "-o", tmp_path / "nowhere")


def test_a_build_is_compared_with_the_vm_in_use(vm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def used(old: str, new: str) -> Path:
        """The VM, stripped, with another constant."""
        assert old in ETP
        etp = ETP.replace(old, new)
        folder = tmp_path / "used"
        folder.mkdir(exist_ok=True)
        return build(folder, fake_vm(etp, "int main(void) {}"), "-rdynamic", "-s")

    rest = (vm, "--otp", "99", "-o", tmp_path)
    other_library = used('2\\n"', '2\\n#define HAVE_LIBZ 1\\n"')
    assert main([str(a) for a in ("--like", other_library, *rest)]) == 0
    assert capsys.readouterr().err == "config.h: -#define HAVE_LIBZ 1\n"
    other_sizes = used('2\\n"', '2\\n#define SIZEOF_OFF_T 4\\n"')
    assert "not like" in (said := failure(capsys, "--like", other_sizes, *rest))
    assert "-#define SIZEOF_OFF_T 4" in said
    interpreter = used("etp_beamasm = 1", "etp_beamasm = 0")
    assert "77.1 x86_64-pc-linux-gnu emu opt extra-msacc" in failure(capsys, "--like", interpreter, *rest)
    assert "No such file" in failure(capsys, "--like", tmp_path / "nowhere", *rest)


def test_errors_name_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rest = ("--otp", "99", "-o", tmp_path)
    plain = build(tmp_path, "int main(void) { return 0; }")
    assert "no symbol etp_" in failure(capsys, plain, *rest)
    structless = build(tmp_path, ETP + "int main(void) { return 0; }")
    assert "not in its DWARF: Process" in failure(capsys, structless, *rest)
    debug = build(tmp_path, ETP.replace("etp_debug_compiled = 0", "etp_debug_compiled = 1") + "int main(void) {}")
    assert "a debug build" in failure(capsys, debug, *rest)
    assert "No such file" in failure(capsys, tmp_path / "nothing", *rest)
    (tmp_path / "text").write_text("no elf")
    assert "not a readable ELF file" in failure(capsys, tmp_path / "text", *rest)


def test_what_the_release_has_is_missed(vm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing else: this one has what the newest has."""
    said = failure(capsys, vm, "--otp", "25.2.3", "-o", tmp_path)
    missing = set(said.partition("not in its DWARF: ")[2].rstrip().split(", "))
    assert {"Atom.name", "ProcBin", "Process.common.trace_flags"} <= missing
    assert missing.isdisjoint({"Atom.u.bin", "BinRef", "Process.common.tracee.all_trace_flags"})
    assert "no release of OTP" in failure(capsys, vm, "--otp", "newest", "-o", tmp_path)


def test_what_native_code_needs_is_missed_where_native_code_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def vm(etp: str) -> Path:
        arm = etp.replace("x86_64-pc", "arm-unknown").replace("= 64", "= 32").replace("VOID_P 8", "VOID_P 4")
        return build(tmp_path, fake_vm(arm, "int main(void) {}"), "-rdynamic", compiler="arm-linux-gnueabihf-gcc")

    rest = ("--otp", "99.3", "-o", str(tmp_path))
    said = failure(capsys, vm(ETP.replace("etp_beamasm = 1", "etp_beamasm = 0")), *rest)
    assert "not in its DWARF: " in said
    assert {"LoaderState.module", "BifEntry.f"} <= set(said.rstrip().split(", "))
    assert main([str(vm(ETP)), *rest]) == 0


def test_files_that_have_no_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe is not waited for, and what a file says of its size is not believed beyond a limit."""

    def refused(path: Path) -> str:
        assert main([str(path), "--otp", "25.2.3", "-o", str(tmp_path)]) == 1
        return capsys.readouterr().err

    os.mkfifo(tmp_path / "pipe")
    assert refused(tmp_path / "pipe") == f"python -m jit.otp.layouts: {tmp_path}/pipe: not a file\n"
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(40 << 30)
    assert "/sparse: larger than 1073741824 bytes, the most that is read" in refused(tmp_path / "sparse")
    damaged = bytearray(Path("/bin/true").read_bytes())
    (headers,) = unpack_from("<Q", damaged, 32)  # e_phoff; p_filesz is at 32 of each header of 56 bytes
    for number in range(8):
        pack_into("<Q", damaged, headers + 56 * number + 32, 40 << 30)
    (tmp_path / "damaged").write_bytes(damaged)
    assert "/damaged: a part of 42949672960 bytes: 1073741824 are the most" in refused(tmp_path / "damaged")
