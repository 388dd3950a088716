"""Variables and functions of the VM that no symbol names: of a release with symbols, what is found without them is what
they say; of one that hides them, what is needed is found."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.targets import Target, session
from tests.matrix.conftest import Scene

COMPARE = Path(__file__).with_name("compare_roots.py")

STAGE = Path(__file__).with_name("stage_ranges.py")

ALL = {
    "erts_atom_table", "erts_proc", "erts_port", "erts_aligned_scheduler_data",
    "erts_aligned_dirty_cpu_scheduler_data", "erts_aligned_dirty_io_scheduler_data", "etp_arch", "etp_beamasm",
    "etp_endianness", "etp_erts_version", "etp_otp_release", "etp_arch_bits", "etp_debug_compiled",
    "erts_build_flags_CONFIG_H", "erts_build_flags_CFLAGS", "erts_dist_table", "erts_this_node", "the_hash_table",
    "erts_allctrs_info", "drv_ev_state", "resource_type_list", "module_tables", "process_reg",
}  # fmt: skip

COMPILED = {
    "__jit_debug_descriptor", "__jit_debug_register_code", "erts_continue_exit_process", "error_1", "error_2",
    "error_3", "exit_1", "throw_1", "halt_2",
}  # fmt: skip

INTERPRETED = {"opc", "beam_ops", "beam_normal_exit", "beam_run_process", "beam_continue_exit"}

BY_CODE = {"the_active_code_index", "the_staging_code_index", "erts_commit_staging_code_ix"}
"""These need a table of the program's functions, and the use of exported variables is only seen on x86-64: elsewhere
such go through places that the dynamic linker fills in."""

BY_TABLE = {
    "process_main", "erts_continue_exit_process", "beam_return_trace", "beam_exception_trace",
    "beam_i_line_breakpoint_cleanup",
}  # fmt: skip
"""Of the interpreter these need that table too, which its program has from OTP 29 on."""

BY_TEXTS = {"process_main", "erts_dirty_process_main", "erts_exit", "erts_alc_fatal_error"}
"""These need that table too."""

BALANCING = {"erts_migration_paths"}
"""On 32-bit ARM there may be two places that look like it in OTP 25 and 27, where it has a symbol."""

STATIC = {"r", "write_ptr", "bccix"}
"""These have a symbol in no release."""


def wanted(target: Target) -> set[str]:
    return ALL | (INTERPRETED if target.interpreted else COMPILED)


def test_what_is_found_without_symbols(scene: Scene) -> None:
    target = scene.target
    said = scene.gdb.cmd(f"source {COMPARE}")
    verdicts = dict(re.findall(r"^root (\S+) (\w+)", said, re.M))
    assert [name for name, verdict in verdicts.items() if verdict == "wrong"] == []
    right = {name for name, verdict in verdicts.items() if verdict == "right"}
    found = right | {name for name, verdict in verdicts.items() if verdict == "found"}
    assert wanted(target) - found == set(), said
    if target.arch == "amd64" or target.otp >= 29:
        assert (BY_CODE | BALANCING | STATIC) - found == set(), said
    if target.interpreted and target.otp >= 29:
        assert BY_TABLE - found == set(), said
    if target.arch != "armhf" or target.otp >= 29:
        assert BY_TEXTS - found == set(), said


@pytest.mark.scenes((Target("amd64", 25), "attached"))
def test_the_newest_registration_of_otp_25(scene: Scene) -> None:
    """What it has of one before it is whatever the memory had (beam_jit_metadata.cpp)."""
    gdb = scene.gdb
    place = f"*(long *) ({gdb.cmd('output/x *(long *) ((char *) &__jit_debug_descriptor + 16)')} + 8)"
    before = gdb.cmd(f"output {place}")
    gdb.cmd(f"set var {place} = 4711")
    try:
        assert "root __jit_debug_descriptor right\n" in gdb.cmd(f"source {COMPARE}")
    finally:
        gdb.cmd(f"set var {place} = {before}")


def test_tables_of_code_while_modules_are_loaded(ebin_for: Callable[[Target], Path]) -> None:
    """The table that is staged is new, and nothing in it is sorted, until all is loaded."""
    target = Target("amd64", 29)
    with session(target, "attached", ebin_for(target), "code:load_file(stages), code:load_file(terms)") as one:
        assert "Erlang/OTP" in one.gdb.cmd("beam-info")
        assert one.gdb.cmd(f"source {STAGE}") == ""
        assert one.gdb.cmd("python stage()") == "True\n"
