"""Traces of calls within a module are those of the interpreter."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codegen.native_node import compile_native, erlc, library, node_says

#: The glue finds calls also in what is there before it.
BEFORE = "-eval", "{module, _} = code:ensure_loaded(erts_debug)."
LOCAL_CALLS = Path(__file__).with_name("local_calls.erl")


@pytest.mark.parametrize(
    ("options", "without"), [((), "[]"), (("--stress",), "[running]")], ids=["plain", "stress: runs out all the time"]
)
def test_natively_as_interpreted(otp: int, tmp_path: Path, options: tuple[str, ...], without: str) -> None:
    """Of all kinds, with return values, exceptions, callers, counts; of a later module; by breakpoints."""
    later = tmp_path / "loaded_later.erl"
    later.write_text(LOCAL_CALLS.read_text(encoding="utf-8").replace("(local_calls)", "(loaded_later)"), "utf-8")
    plain, native = tmp_path / "plain", tmp_path / "native"
    sessions = library(otp, "kernel").glob("trace.beam")  # since OTP 27: it sets breakpoints, and is native itself
    compile_native([*(erlc(source, plain) for source in (LOCAL_CALLS, later)), *sessions], native, otp, *options)
    run = f'io:format("~p~n", [local_calls:run({without})]), halt().'
    interpreted = node_says(otp, "-pa", str(plain), "-eval", run)
    told = node_says(otp, "-pa", str(native), *BEFORE, "-s", "native", "-eval", run)
    assert told == interpreted
    assert "[call,{local_calls,factorial,[4]}]" in interpreted
