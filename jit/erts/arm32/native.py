"""Native code of a module for stock Erlang/OTP, and what its bytecode must have to stand beside it."""

from __future__ import annotations

from dataclasses import dataclass

from jit.arm32.buffer import FinishedCode
from jit.codegen.native import Native
from jit.erts.arm32.emission import Continuation, Emission
from jit.erts.layout import NativeLayout


@dataclass(frozen=True, kw_only=True)
class MixedNative(Native[Emission]):
    """``entries``: for each label of the bytecode that native code takes over, the offsets of the ways in from the
    interpreter and from native code; the former all lie between the two offsets of ``ways_in``. If it is a function,
    the offset of the branch by which its native callers go to the bytecode follows, else 0.
    """

    code: FinishedCode
    layout: NativeLayout
    entries: list[tuple[int, int, int, int]]
    ways_in: tuple[int, int]
    continuations: list[Continuation]
    next_label: int
