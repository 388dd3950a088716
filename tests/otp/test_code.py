"""What is known of code in all releases, held against the tables of layouts and stock compilers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from jit.otp.code import CODE_INFO_WORDS, MAX_ARG, MFA_WORDS, RAISING
from jit.otp.layouts.layout import Layout, known, load_table
from jit.sandbox import PAIRS, Sandbox
from tests.codegen.native_node import PATIENCE, erlc_of

TABLES = [table for key in known() if (table := load_table(*key)) is not None]
RELEASES = sorted({pair.otp for pair in PAIRS if pair.arch == "amd64"})


@pytest.mark.parametrize("layout", TABLES, ids=lambda layout: layout.origin)
def test_what_stands_before_a_function(layout: Layout) -> None:
    assert layout.size("ErtsCodeInfo") == CODE_INFO_WORDS * layout.word_size
    assert layout.size("ErtsCodeMFA") == MFA_WORDS * layout.word_size
    assert layout.offset("ErtsCodeInfo", "mfa") == (CODE_INFO_WORDS - MFA_WORDS) * layout.word_size


@pytest.mark.parametrize("otp", RELEASES)
def test_functions_have_so_many_arguments_and_no_more(otp: int, tmp_path: Path) -> None:
    for count in (MAX_ARG, MAX_ARG + 1):
        source = tmp_path / f"takes_{count}.erl"
        names = ",".join(f"_{number}" for number in range(count))
        source.write_text(f"-module(takes_{count}).\n-export([f/{count}]).\nf({names}) -> ok.\n")
    assert erlc_of(otp, tmp_path / f"takes_{MAX_ARG}.erl", tmp_path).is_file()
    with pytest.raises(subprocess.CalledProcessError):
        erlc_of(otp, tmp_path / f"takes_{MAX_ARG + 1}.erl", tmp_path)


@pytest.mark.parametrize("otp", RELEASES)
def test_no_code_is_left_behind_bifs_that_raise(otp: int) -> None:
    ask = """
        Raising = [One || {F, A} = One <- erlang:module_info(exports), erl_bifs:is_exit_bif(erlang, F, A)],
        [io:format("~p ~p~n", tuple_to_list(One)) || One <- Raising], halt().
    """
    command = Sandbox("amd64", otp).ensure().command(["-noinput", "-eval", ask])
    said = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    assert {(name, int(arity)) for name, arity in map(str.split, said.splitlines())} == set(RAISING) - {("error", 3)}
