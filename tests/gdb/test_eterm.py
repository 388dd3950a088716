"""`eterm`: every kind of term, compared with what the Erlang that holds it prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.gdb.conftest import Looking, Scene
from tests.harness import gdb_facts
from tests.harness.gdb import Gdb, one_line_error

DEFAULTS = {"depth": 12, "width": 50, "bytes": 200}


def words(looking: Looking) -> dict[str, int]:
    """Words of the terms by name, as the node has told them."""
    found = re.findall(r"^word (\w+) ([0-9a-f]+)$", looking.node.said, re.M)
    return {name: int(word, 16) for name, word in found}


def printed(looking: Looking) -> dict[str, str]:
    """Terms by name, as the node prints them."""
    return dict(re.findall(r"^(\w+)\t(.*)$", looking.node.said, re.M))


@contextmanager
def limits(gdb: Gdb, **limit: int) -> Iterator[None]:
    for name, number in limit.items():
        assert gdb.cmd(f"set beam-{name} {number}") == ""
    try:
        yield
    finally:
        for name in limit:
            gdb.cmd(f"set beam-{name} {DEFAULTS[name]}")


def eterm(gdb: Gdb, expression: str) -> str:
    return gdb.cmd(f"eterm {expression}").removesuffix("\n")


def test_every_kind_of_term(looking: Looking) -> None:
    expected = printed(looking)
    assert len(expected) > 40
    assert expected.keys() == words(looking).keys()
    with limits(looking.gdb, depth=1000, width=100000, bytes=100000):
        shown = {name: eterm(looking.gdb, hex(word)) for name, word in words(looking).items()}
    # Nested 200 deep: no setting lets a debugger go down that far.
    depth = shown["nested_list"].count("[")
    assert depth >= 50
    assert shown.pop("nested_list") == "[" * depth + "..." + "]" * depth
    assert expected.pop("nested_list") == "[" * 200 + "bottom" + "]" * 200
    assert shown == expected


def test_what_is_no_term(looking: Looking) -> None:
    gdb = looking.gdb
    assert eterm(gdb, "0") == "<non-value>"
    # A tuple's header word has its arity above six bits of zeros (erl_term.h).
    assert re.fullmatch(r"<header 0x80 tuple/2>", eterm(gdb, "2 << 6"))
    looking.up_to("stages:in_nif/2")
    assert re.fullmatch(r"<cp stages:in_nif/2\+\d+>", eterm(gdb, "$pc"))
    # A list and a boxed term at an address where nothing is mapped.
    assert "<unreadable 0x10000>" in eterm(gdb, "0x10001")
    assert eterm(gdb, "0x10002") == "<unreadable 0x10000>"


def test_any_expression(looking: Looking) -> None:
    gdb, word = looking.gdb, words(looking)
    assert eterm(gdb, "argument") == "{argument,3}"
    assert eterm(gdb, "$rsi") == eterm(gdb, gdb.cmd("p/x $rsi").split(" = ")[1].strip())
    # Tuples are tagged with 2: the word after the header is the first element.
    tuple_word = word["tuple"]
    assert eterm(gdb, f"*(unsigned long *)({tuple_word:#x} - 2 + 8)") == "a"
    assert eterm(gdb, f"((unsigned long *)({tuple_word:#x} - 2))[2]") == '"b"'
    assert eterm(gdb, "-1") == "-1"
    assert eterm(gdb, f"{word['small']}") == "42"


def test_boxed(looking: Looking) -> None:
    gdb, expected = looking.gdb, printed(looking)
    with limits(gdb, depth=1000, width=100000, bytes=100000):
        for name, word in words(looking).items():
            if word & 3 == 2:  # boxed
                assert eterm(gdb, f"-boxed {word & ~3:#x}") == expected[name]


def test_limits(looking: Looking) -> None:
    gdb, word = looking.gdb, words(looking)
    with limits(gdb, width=3):
        assert eterm(gdb, hex(word["long_list"])) == "[1,2,3|...]"
        assert "At most 3." in gdb.cmd("show beam-width")
    with limits(gdb, bytes=5):
        assert eterm(gdb, hex(word["refc_binary"])) == '<<"refc "...>>'
    with limits(gdb, depth=3):
        shallow = eterm(gdb, hex(word["nested_tuple"]))
        assert shallow.startswith("{10,{9,{8,")
        assert "7" not in shallow
        assert "..." in shallow
    with limits(gdb, depth=0, width=0, bytes=0):
        for one in word.values():
            assert len(eterm(gdb, hex(one))) < 2000
    assert eterm(gdb, hex(word["long_list"])).endswith("|...]")


def test_in_expressions(looking: Looking) -> None:
    gdb, word = looking.gdb, words(looking)
    assert gdb.cmd(f"p $_eterm({word['improper_list']:#x})").endswith(' = "[a,b|c]"\n')
    assert gdb.cmd(f"p $_streq($_eterm({word['odd_atom']:#x}), \"'hello world'\")").endswith(" = 1\n")
    assert gdb.cmd(f"p (Eterm){word['map']:#x}").endswith(f" = {printed(looking)['map']}\n")


@pytest.mark.skipif(not gdb_facts.writes_vector_registers(), reason="GDB 13 cannot call functions on this processor")
def test_in_printf(scene: Scene) -> None:
    """Not with a core: GDB's printf puts strings into the memory of the program."""
    assert scene.attached.cmd('printf "%s|\\n", $_eterm(0x2af)') == "42|\n"


@pytest.mark.parametrize("wrong", ["", "no_such_symbol", "1.5", "*(unsigned long *)0x10", "-boxed", "(", "$nothing("])
def test_errors(looking: Looking, wrong: str) -> None:
    one_line_error(looking.gdb, f"eterm {wrong}".strip())


def test_help(looking: Looking) -> None:
    assert "Usage: eterm" in looking.gdb.cmd("help eterm")
    assert "eterm stage_reached" in looking.gdb.cmd("complete eterm stage_reach").splitlines()
