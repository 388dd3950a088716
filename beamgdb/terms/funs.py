"""Funs, local and external (erl_fun.h and export.h of OTP 25, 27 and 29)."""

from __future__ import annotations

from typing import Final

from beamgdb.memory import Unreadable
from beamgdb.terms.quoting import runtime_atom, unquoted
from beamgdb.terms.source import Malformed, Source
from beamgdb.terms.values import Atom, ExternalFun, Fun, LayoutUnknown, UnknownBoxed, Value
from jit.otp.features import FUN_HEADERS, LASTING_FUNS
from jit.otp.tags import FUN_ARITY_SHIFT, FUN_ENV_SHIFT, FUN_KIND_SHIFT, MAX_FUN_ARITY, Kind
from jit.otp.things import ErlFunThing25, ErlFunThing27

CODE_INDICES: Final = 3
"""`ERTS_NUM_CODE_IX` (code_ix.h): for each of them an entry has where the code is."""


def fun(source: Source, address: int, header: int) -> Value:
    """A fun as the release has it."""
    if LASTING_FUNS.of(source.tags.release):
        return fun_28(source, address, header)
    return (fun_27 if FUN_HEADERS.of(source.tags.release) else fun_25)(source, address, header)


def fun_25(source: Source, address: int, header: int) -> Value:
    """The creator is a pid for a local fun and the atom `external` for an external one."""
    source.expect_arity(address, header, ErlFunThing25.ARITY)
    words = source.memory.words(address, ErlFunThing25.WORDS)
    counts = words[ErlFunThing25.COUNTS].to_bytes(source.tags.word_size, source.memory.byteorder)
    entry = words[ErlFunThing25.ENTRY]
    if source.atom_of(words[ErlFunThing25.CREATOR]):
        return _external(source, address, entry)
    arity, free = counts[ErlFunThing25.ARITY_BYTE], counts[ErlFunThing25.NUM_FREE_BYTE]
    return _local(source, address, entry, arity, free)


def fun_27(source: Source, address: int, header: int) -> Value:
    """Arity and environment size are in the header; the environment of a local fun ends with its fun ref."""
    entry = source.memory.word(address + ErlFunThing27.ENTRY * source.tags.word_size)
    environment = header >> FUN_ENV_SHIFT
    if environment > MAX_FUN_ARITY + 1:
        raise Malformed(UnknownBoxed(address, header, "impossible size"))
    if not environment:
        return _external(source, address, entry)
    return _local(source, address, entry, header >> FUN_ARITY_SHIFT & 0xFF, environment - 1)


def fun_28(source: Source, address: int, header: int) -> Value:
    """Arity, number of variables and whether it is external are in the header."""
    entry = source.memory.word(address + ErlFunThing27.ENTRY * source.tags.word_size)
    external, free = header >> FUN_KIND_SHIFT, header >> FUN_ENV_SHIFT & MAX_FUN_ARITY
    if external > 1 or external and free:
        raise Malformed(UnknownBoxed(address, header, "impossible size"))
    if external:
        return _external(source, address, entry)
    return _local(source, address, entry, header >> FUN_ARITY_SHIFT & MAX_FUN_ARITY, free)


def _local(source: Source, address: int, entry: int, arity: int, free: int) -> Value:
    places = source.fun_entry
    if places is None:
        return LayoutUnknown(Kind.FUN, address)

    def made() -> Fun:
        module, index, uniq = _place(source, places, entry, address)
        return Fun(module, index, uniq, arity, free, _name(source, entry, module))

    # (Very many are of the same places.)
    return source.memory.made(("fun", entry, arity, free), made)


def _name(source: Source, entry: int, module: Atom) -> str | None:
    """The name of the function that has its code. Of some code indices the entry may lead to where code is loaded."""
    if source.fun_code is None or source.code is None or module.name is None:
        return None
    head = f"{runtime_atom(module.name)}:"
    try:
        addresses = source.memory.words(entry + source.fun_code, CODE_INDICES)
    except Unreadable:
        return None
    for name in map(source.code.describe, addresses):
        if name is not None and name.startswith(head):
            return unquoted(name[len(head) :].rpartition("/")[0])
    return None


def _place(source: Source, places: tuple[int, int, int], entry: int, address: int) -> tuple[Atom, int, int]:
    """Module, index and number of a fun's place in the source."""
    module, index, uniq = places
    return _atom(source, entry + module, address), source.memory.s32(entry + index), source.memory.s32(entry + uniq)


def _external(source: Source, address: int, export: int) -> Value:
    offset = source.layout.offset
    try:
        module = export + offset("Export", "info.mfa.module")
        function = export + offset("Export", "info.mfa.function")
        arity = export + offset("Export", "info.mfa.arity")
    except KeyError:
        return LayoutUnknown(Kind.FUN, address)
    count = source.memory.word(arity)
    if count > MAX_FUN_ARITY:
        raise Malformed(UnknownBoxed(address, 0, "fun with an impossible arity"))
    return ExternalFun(_atom(source, module, address), _atom(source, function, address), count)


def _atom(source: Source, field: int, address: int) -> Atom:
    atom = source.atom_of(source.memory.word(field))
    if atom is None:
        raise Malformed(UnknownBoxed(address, 0, "fun without a name"))
    return atom
