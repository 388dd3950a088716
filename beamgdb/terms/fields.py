"""The C structures *outside* the Erlang heap that printing a term leads to.

What lies on a heap behind a header word is part of the term format and is declared in `things`. The structures here
are ordinary C: their offsets come from a layout (DWARF or a table). A field that a release does not have is simply
missing from its layout. Names are those of OTP's DWARF.
"""

from __future__ import annotations

FIELDS: tuple[tuple[str, str], ...] = (
    # erl_node_tables.h: the node of an external pid, port or reference.
    ("ErlNode", "sysname"),
    ("ErlNode", "creation"),
    # erl_binary.h: the three numbers of a magic reference live in its binary.
    ("ErtsMagicBinary", "refn"),
    # erl_binary.h, OTP 27: where the bytes of a binary are that may have been reallocated.
    ("Binary", "orig_bytes"),
    # erl_fun.h: what a local fun is.
    ("ErlFunEntry", "module"),
    ("ErlFunEntry", "old_index"),
    ("ErlFunEntry", "old_uniq"),
    # export.h: what `fun m:f/a` names.
    ("Export", "info.mfa.module"),
    ("Export", "info.mfa.function"),
    ("Export", "info.mfa.arity"),
)
