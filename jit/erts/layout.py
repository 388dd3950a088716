"""Where fields of the VM's structures lie, for the exact release that an object is compiled for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

from jit.otp import vm_flags
from jit.otp.features import BITS_NOT_BYTES, FUN_HEADERS, FUN_REFERENCES, TRACE_SESSIONS
from jit.otp.layouts.layout import SAME, load_table
from jit.otp.layouts.resolve import Field
from jit.otp.layouts.wanted import NATIVE, native
from jit.otp.tags import HEADERS_IN_BITS, HEADERS_IN_BYTES, Kind, tag_scheme
from jit.otp.things import ErlFunThing25, ErlFunThing27

#: Types whose sizes are wanted too: of which there are arrays, and what stands before the code of a function.
SIZED: Final = ("Label", "BeamFile_ImportEntry", "OpEntry", "BifEntry", "ErtsCodeInfo")

#: By release, the version of the runtime system in Debian's build, which native code is for.
_ERTS: Final = {25: "13.1.5", 27: "15.2.7", 29: "17.1.1"}
RELEASES: Final = tuple(_ERTS)


@dataclass(frozen=True)
class NativeLayout:
    """The layout of one build: ``erts`` is its version, ``arch`` what it was built for, ``build`` by names of
    ``jit.otp.layouts.wanted.BUILD``.

    ``fields`` are by ``Type.field``, those that native code and the glue use. ``sizes`` are those of SIZED, in bytes.
    ``tags`` are by the names of numbers that a VM exports since OTP 27, ``flags`` by their names in OTP, ``options``
    those of ``jit.otp.layouts.identity.OPTIONS`` that it is built with.
    """

    otp: int
    erts: str
    arch: str
    build: Mapping[str, int]
    fields: Mapping[str, Field]
    sizes: Mapping[str, int]
    tags: Mapping[str, int]
    flags: Mapping[str, int]
    options: frozenset[str]

    def __getitem__(self, name: str) -> int:
        """The offset of a field, in bytes."""
        return self.fields[name].offset

    @property
    def trace_flags(self) -> int:
        """The offset of a process's trace flags, in bytes."""
        return self[f"Process.common.{'tracee.all_trace_flags' if TRACE_SESSIONS.of(self.otp) else 'trace_flags'}"]

    @property
    def map_header(self) -> int:
        """The lower bits of a map's header word."""
        return (HEADERS_IN_BITS if BITS_NOT_BYTES.of(self.otp) else HEADERS_IN_BYTES)[Kind.MAP]

    @property
    def fun_words(self) -> int:
        """Words of a fun without its variables: ERL_FUN_SIZE, and a reference where there are some (erl_fun.h)."""
        if not FUN_HEADERS.of(self.otp):
            return ErlFunThing25.ENV
        return ErlFunThing27.ENV + (1 if FUN_REFERENCES.of(self.otp) else 0)

    @cached_property
    def identity(self) -> str:
        """What an object and the glue compare: release, architecture, and a checksum of all that is known besides."""
        numbers = (self.build, self.fields, self.sizes, self.tags, self.flags)
        told = json.dumps([sorted(one.items()) for one in numbers])
        return f"erts-{self.erts} {self.arch} {hashlib.sha256(told.encode()).hexdigest()[:16]}"


@cache
def load(otp: int) -> NativeLayout:
    """The layout of Debian's armhf build of a release. Raises KeyError for one that there is not, or of which the table
    lacks what native code uses."""
    erts = _ERTS[otp]
    table = load_table(erts, *NATIVE)
    if table is None:
        raise KeyError(otp)
    fields = {f"{struct}.{field}": table.field(struct, field) for struct, field in native(otp)}
    sizes = {name: table.size(name) for name in SIZED}
    tags = tag_scheme(otp, table.word_size).told()
    return NativeLayout(
        otp, erts, table.triplet, table.build, fields, sizes, tags, vm_flags.numbers(otp), table.options
    )


def of_erts(erts: str) -> NativeLayout | None:
    """The layout that the build of a version of the runtime system has, if it is the same as that of a release."""
    same = (otp for otp in RELEASES if SAME.get(erts, erts) == SAME.get(_ERTS[otp], _ERTS[otp]))
    return next(map(load, same), None)
