"""A mistake of an emitter leaves one function interpreted, and gives never a wrong result.

Here emitters are planted that go wrong with x registers that memory does not have.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jit.arm32.assembler import Assembler
from jit.arm32.registers import R0
from jit.beam.module import read_module
from jit.beam.operands import Import
from jit.codegen.cache import Keeps
from jit.codegen.compile import compile_module, lacking
from jit.erts.arm32 import emission
from jit.erts.arm32.common import check_room
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import EMITTERS, KEEPS
from jit.erts.arm32.fragments import APART, FRAGMENTS, Fragments
from jit.erts.arm32.runtime import StockErts
from jit.erts.layout import load
from tests.codegen.native_node import compile_native, erlc, native_says, node_says

#: The result of ``bxor``, x0, is in a CPU register only.
SOURCE = """
-module(planted).
-export([f/2, g/1]).
f(A, B) -> ((A + 7) bxor 3) - B.
g(A) -> A + 1.
"""
ASK = 'io:format("~w", [[planted:f(3, 4), planted:f(7, 1 bsl 40), planted:g(1)]]), halt().'
ANSWER = "[5,-1099511627763,2]"


@pytest.fixture
def beam(tmp_path: Path) -> Path:
    source = tmp_path / "planted.erl"
    source.write_text(SOURCE, encoding="utf-8")
    return erlc(source, tmp_path / "plain")


def plant(mistake: Callable[[Emission], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the emitter of ``bxor`` go wrong when it is done."""
    emitter = EMITTERS["gc_bif2"]

    def wrong(e: Emission, *operands: object) -> None:
        emitter(e, *operands)
        if Import("erlang", "bxor", 2) in operands:
            mistake(e)

    monkeypatch.setitem(EMITTERS, "gc_bif2", wrong)


def forget(e: Emission) -> None:
    e.cache.forget()


def clear(e: Emission) -> None:
    """Past the cache's back."""
    e.cache.held.clear()


def collect(e: Emission) -> None:
    check_room(e, 4, 2)


def collect_where_it_is_cold(e: Emission) -> None:
    e.cold(lambda: e.call("collect_garbage", live=2))


def call_the_vm(e: Emission) -> None:
    e.call("call_fun")


def leave(e: Emission) -> None:
    e.go("return")


def come_back(e: Emission) -> None:
    e.a.bind(e.continuation()[1])


def come_back_without_the_cache(e: Emission) -> None:
    back = e.continuation(reloads=True)[1]
    e.cold(lambda: e.a.bind(back), comes_back=True)


def overwrite(e: Emission) -> None:
    for register in list(e.cache.held):
        e.cache.hold(register, 9)


def store_and_do_it_again(e: Emission) -> None:
    for register in e.effects[e.index].uses:
        e.store(R0, register)
    e.leave()


def fail(_e: Emission) -> None:
    raise KeyError("anything")


MISTAKES = (
    (forget, "x0 would be forgotten, which memory does not have"),
    (clear, "x0 had a value, which is nowhere"),
    (collect, "x0 would be looked for in memory, which does not have it"),
    (collect_where_it_is_cold, "collect_garbage where code is cold that does not say that it collects garbage"),
    (call_the_vm, "x0 would be looked for in memory, which does not have it"),
    (leave, "x0 would be looked for in memory, which does not have it"),
    (come_back, "control would come back to where x registers are taken to be in CPU registers"),
    (come_back_without_the_cache, "the cache is to be loaded again"),
    (overwrite, "a value already"),
    (store_and_do_it_again, "it would be done again with its own results"),
    (fail, "KeyError: 'anything'"),
)


@pytest.mark.parametrize(("mistake", "told"), MISTAKES, ids=[mistake.__name__ for mistake, _ in MISTAKES])
def test_a_planted_mistake_is_found(
    beam: Path, mistake: Callable[[Emission], None], told: str, otp: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(mistake, monkeypatch)
    module = read_module(beam)
    native = compile_module(module, StockErts(otp))
    interpreted = native.interpreted
    assert interpreted.keys() == native.broken == {("f", 2)}
    assert interpreted["f", 2].startswith("gc_bif2: ")
    assert told in interpreted["f", 2]
    (function,) = (one for one in module.functions if (one.name, one.arity) == ("f", 2))
    assert lacking(function, module, StockErts(otp)) == [interpreted["f", 2]]


def test_such_a_function_is_interpreted(
    beam: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The others are native, and all do what they should. It is told, once, though nobody asked for more words."""
    plant(forget, monkeypatch)
    compile_native([beam], tmp_path / "native", 27, "-j", "1", mistakes=1)
    said = capfd.readouterr()
    assert "planted.beam: 3 of 4 functions native" in said.out
    assert said.err == (
        "jit: planted.beam: f/2: gc_bif2: x0 would be forgotten, which memory does not have: "
        "the compiler or this file is wrong: stays interpreted\n"
    )
    assert node_says(27, "-pa", str(tmp_path / "native"), "-s", "native", "-eval", ASK) == ANSWER


@pytest.mark.parametrize("keeps", [Keeps.NOTHING, Keeps.COPIES])
def test_what_an_emitter_says_it_keeps_is_stored_for_others(
    beam: Path, tmp_path: Path, keeps: Keeps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that does not keep what memory does not have makes those before it store it: no mistake, but the same."""
    plant(forget, monkeypatch)
    monkeypatch.setitem(KEEPS, "gc_bif2", keeps)
    assert compile_module(read_module(beam), StockErts(27)).interpreted == {}
    assert native_says(27, beam, tmp_path / "native", ASK) == ANSWER


#: C functions that neither collect garbage nor look at x registers, whatever release: what they make is in heap
#: fragments or where there is room (HAlloc, HeapFragAlloc), or they make nothing.
APART_IN_C = frozenset(
    "eq erts_cmp_compound get_map_element get_map_element_hash big_to_double memcmp erts_cmp_bits erts_cmp_bits__ "
    "erts_bs_get_binary_2 erts_bs_get_binary_all_2 erts_bs_get_float_2 erts_bs_get_integer_2 erts_bs_get_utf8 "
    "erts_bs_get_utf16 erts_new_local_fun_thing abs_1 erts_mixed_plus erts_mixed_minus erts_mixed_times erts_mixed_div "
    "erts_int_div erts_int_rem erts_band erts_bor erts_bxor erts_bsl erts_bsr erts_unary_minus erts_bnot "
    "erts_new_bs_put_binary erts_new_bs_put_binary_all erts_new_bs_put_float erts_new_bs_put_integer "
    "erts_new_bs_put_string erts_bs_put_utf8 erts_bs_put_utf16 "
    # From OTP 29 on; bsl_2 and bsr_2 do nothing but call erts_bsl and erts_bsr.
    "erts_bs_put_binary erts_bs_put_binary_all erts_bs_put_float erts_bs_put_integer_be erts_bs_put_integer_le "
    "erts_bs_put_string erts_int_div_rem bsl_2 bsr_2".split()
)


@pytest.mark.each_release
@pytest.mark.parametrize("name", sorted(APART))
def test_fragments_that_are_apart_call_only_what_is(name: str, otp: int) -> None:
    a, fragments = Assembler(), Fragments()
    try:
        FRAGMENTS[name](a, load(otp), fragments)
    except KeyError:  # no such field: the release does not use it
        pytest.skip(f"not in OTP {otp}")
    asked = {other for other in fragments if fragments.asked_for(other)} - {"module"}
    assert asked <= APART
    for other in asked:
        a.bind(fragments[other])
    assert {one.symbol for one in a.finish().relocations if one.symbol} <= APART_IN_C


def test_emitters_call_fragments_in_one_place_only() -> None:
    """``Emission.call`` and ``go``, which check: only what leaves with all that there is, and the entry, do without."""
    folder = Path(emission.__file__).parent
    users = {path.name for path in folder.glob("*.py") if "shared.fragments[" in path.read_text(encoding="utf-8")}
    assert users == {"emission.py", "module_emission.py"}
