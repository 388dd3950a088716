"""Where fields of the VM's structures lie, for the exact release that an object is compiled for.

The tables in ``layouts/`` are made by ``python -m jit.erts.measure`` from a beam.smp with debug information.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

#: Fields by type. A name with a dot goes into a member.
WANTED: Final = {
    "Process": "common.id state htop stop fcalls arity i freason fvalue current flags high_water mbuf live_hf_end "
    "catches psd off_heap.overhead bin_vheap_sz mbuf_sz scheduler_data seq_trace_token lock.flags sig_qs.first "
    "sig_qs.last sig_qs.save sig_qs.cont sig_qs.recv_mrk_blk sig_qs.flags sig_inq.first sig_inq_buffers",
    "ErtsSchedulerData": "virtual_reds",
    "ErtsMessage": "next m",
    "ErtsRecvMarkerBlock": "pending_set_save_ix",
    "ErtsRecvMarker": "prev_next",
    "ErlNifEnv": "mod_nif proc hp",
    "ErtsSchedulerRegisters": "x_reg_array f_reg_array aux_regs.d.erl_bits_state "
    "aux_regs.d.erl_bits_state.erts_current_bin_ aux_regs.d.erl_bits_state.erts_bin_offset_",
    "Export": "dispatch.addresses bif_number is_bif_traced",
    "Module": "curr.code_hdr curr.code_length old.code_hdr",
    "BeamCodeHeader": "num_functions line_table functions",
    "BeamCodeLineTab": "func_tab",
    "LoaderState": "module code_hdr codev ci labels beam beam.atoms.count beam.atoms.entries beam.imports.count "
    "beam.imports.entries beam.code.function_count beam.code.label_count",
    "Label": "value",
    "BeamFile_ImportEntry": "module function arity",
    "OpEntry": "name",
    "BifEntry": "f",
    "ErtsMRefThing": "mb",
    "ErtsMagicBinary": "intern.refc u.aligned.data",
}

#: Fields that only one release has. The glue does not see them.
WANTED_IN: Final = {
    25: {
        "Process": "sig_qs.len common.trace_flags",
        "ErlBinMatchState": "mb mb.base mb.offset mb.size save_offset",
        "ErlSubBin": "size bitsize",
        "ProcBin": "bytes",
    },
    27: {"Process": "sig_qs.mq_len common.tracee.all_trace_flags", "ErlSubBits": "base_flags start end orig"},
}

#: Types of which there are arrays: their sizes are wanted too.
ARRAYS: Final = ("Label", "BeamFile_ImportEntry", "OpEntry", "BifEntry")

#: What a VM tells of how it was built (erts/emulator/beam/erl_etp.c): exported numbers of one word.
BUILD: Final = (
    "etp_arch_bits",
    "etp_endianness",
    "etp_smp_compiled",
    "etp_thread_compiled",
    "etp_beamasm",
    "etp_debug_compiled",
    "etp_lock_check",
    "etp_lock_count",
    "etp_hole_marker",
    "etp_the_non_value",
)

RELEASES: Final = (25, 27)


@dataclass(frozen=True)
class Field:
    """``offset`` and ``size`` in bytes."""

    offset: int
    size: int


@dataclass(frozen=True)
class Layout:
    """The layout of one build: ``erts`` is its version, ``arch`` what it was built for, ``build`` by names of BUILD.

    ``fields`` are by ``Type.field``.
    """

    otp: int
    erts: str
    arch: str
    build: dict[str, int]
    fields: dict[str, Field]
    sizes: dict[str, int]

    def __getitem__(self, name: str) -> int:
        """The offset of a field, in bytes."""
        return self.fields[name].offset

    @property
    def trace_flags(self) -> int:
        """The offset of a process's trace flags, in bytes."""
        return self["Process.common.tracee.all_trace_flags" if self.otp >= 27 else "Process.common.trace_flags"]

    @property
    def map_header(self) -> int:
        """The lower bits of a map's header word (erts/emulator/beam/erl_term.h, _TAG_HEADER_MAP)."""
        return 0x2C if self.otp >= 27 else 0x3C

    @property
    def fun_words(self) -> int:
        """Words of a fun without its variables: ERL_FUN_SIZE, and since OTP 26 a reference (erl_fun.h, beam_file.c)."""
        return 5 if self.otp < 26 else 3

    @property
    def identity(self) -> str:
        """What an object and the glue compare: release, architecture, and a checksum of build, offsets and sizes."""
        fields = [[name, field.offset, field.size] for name, field in sorted(self.fields.items())]
        told = json.dumps([sorted(self.build.items()), fields, sorted(self.sizes.items())])
        return f"erts-{self.erts} {self.arch} {hashlib.sha256(told.encode()).hexdigest()[:16]}"


@cache
def load(otp: int) -> Layout:
    """The layout of Debian's armhf build of a release. Raises KeyError for one that there is not."""
    if otp not in RELEASES:
        raise KeyError(otp)
    row = json.loads(files(__package__).joinpath(f"layouts/otp-{otp}-arm32-emu.json").read_text(encoding="utf-8"))
    fields = {name: Field(*place) for name, place in row["fields"].items()}
    return Layout(otp, row["erts"], row["arch"], row["build"], fields, row["sizes"])
