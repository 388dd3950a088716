"""Which functions are BIFs in a release: those of erts/emulator/beam/bif.tab, in bifs.json by module."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from jit.beam.operands import Import


def is_bif(callee: Import, otp: int) -> bool:
    """Whether a function is a BIF."""
    return callee in _bifs(otp)


@cache
def _bifs(otp: int) -> frozenset[Import]:
    table = json.loads(files(__package__).joinpath("bifs.json").read_text(encoding="utf-8"))
    return frozenset(
        Import(module, *_split(name))
        for part in ("both", str(otp))
        for module, names in table[part].items()
        for name in names.split()
    )


def _split(name: str) -> tuple[str, int]:
    function, arity = name.rsplit("/", 1)
    return function, int(arity)
