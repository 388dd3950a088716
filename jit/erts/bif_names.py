"""Which functions are BIFs in a release, in bifs.json by module: those of erts/emulator/beam/bif.tab, and since OTP 28
hibernate/0, of which the loader makes an instruction too."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

from jit.beam.operands import Import


def is_bif(callee: Import, otp: int) -> bool:
    """Whether a function is a BIF."""
    return callee in _bifs(otp)


@cache
def _bifs(otp: int) -> frozenset[Import]:
    table = json.loads(files(__package__).joinpath("bifs.json").read_text(encoding="utf-8"))
    return frozenset(name for part in ("all", str(otp)) for name in imports(table[part]))


def imports(names: Mapping[str, str]) -> Iterator[Import]:
    """The functions of a table that has ``name/arity name/arity ...`` for each module."""
    for module, functions in names.items():
        for text in functions.split():
            name, arity = text.rsplit("/", 1)
            yield Import(module, name, int(arity))
