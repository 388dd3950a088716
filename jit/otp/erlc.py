"""How a newer compiler makes .beam files that all releases known here load."""

from __future__ import annotations

from typing import Final

#: Arguments of erlc: no operations that OTP 25 has not (compile.erl, `expand_opt`), and no feature that is on in later
#: releases only, for a file tells which it uses (erl_features.erl). To OTP 25 itself both mean nothing.
FOR_ALL: Final = ("-disable-feature", "maybe_expr", "+r25")
