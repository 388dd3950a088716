"""Code, as all known releases have it: how much of what a function has, and what stands in memory before it.

Source: the files below ``erts/emulator/beam`` of OTP 25.2.3 and 27.3.4.1.
"""

from __future__ import annotations

from typing import Final

# erl_vm.h
MAX_ARG: Final = 255
"""Arguments of a function, its free variables included where it is a fun."""
MAX_REG: Final = 1024
"""x registers, and y registers of a frame."""

# beam_code.h: a location is the number of a file, and below it that of a line (LOC_FILE, LOC_LINE).
LINE_BITS: Final = 24
INVALID_LOCATION: Final = 0
"""LINE_INVALID_LOCATION"""

# beam_code.h: what stands before the first instruction of a function. The layouts tell it too, where there are some.
CODE_INFO_WORDS: Final = 5
"""Words of an ErtsCodeInfo. BeamAsm's has 64 bits for its first one, which is a call."""
MFA_WORDS: Final = 3
"""Words of the ErtsCodeMFA with which it ends."""

RAISING: Final = (("error", 1), ("error", 2), ("error", 3), ("exit", 1), ("throw", 1))
"""BIFs of the module `erlang` that raise an exception whatever their arguments are (bif.c). Not so raise/3, which gives
badarg where these are wrong. Behind most of them Erlang's compiler leaves no code (`erl_bifs:is_exit_bif/3`)."""
