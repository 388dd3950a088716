"""The path of a module's source, from its compile info as `erl` itself writes it."""

from __future__ import annotations

import base64
import subprocess

import pytest

from beamgdb.code.module import Module
from beamgdb.vm import compile_info
from tests.harness.patience import PATIENCE
from tests.vm.image import Image


def external(term: str) -> bytes:
    """`term_to_binary` of an Erlang expression."""
    # Escapes, so that the expression does not depend on the locale.
    text = "".join(c if c.isascii() else f"\\x{{{ord(c):x}}}" for c in term)
    say = f"io:put_chars(base64:encode(term_to_binary({text}))), halt()."
    done = subprocess.run(["erl", "-noinput", "-eval", say], capture_output=True, timeout=PATIENCE, check=True)
    return base64.b64decode(done.stdout)


@pytest.mark.parametrize("module", ["lists", "gen_server"])
def test_of_modules_of_otp(module: str) -> None:
    info = external(f"lists:keysort(1, {module}:module_info(compile))")
    path = compile_info.source_in(info)
    assert path is not None
    assert path.endswith(f"/{module}.erl")


@pytest.mark.parametrize("path", ["/src/a.erl", "/src/żółw/日本.erl", "/src/é.erl", "/" + 300 * "x" + ".erl"])
def test_paths_of_all_kinds(path: str) -> None:
    """Up to latin-1 a path is a string in the format, else a list."""
    assert compile_info.source_in(external(f'[{{version,"8"}},{{options,[source]}},{{source,"{path}"}}]')) == path


def test_modules_that_do_not_tell() -> None:
    """Such as those compiled with `deterministic`."""
    info = external('[{version,"8.2.3"},{options,[deterministic]}]')
    assert compile_info.source_in(info) is None


@pytest.mark.parametrize("value", ["[]", "undefined", "[a|b]", "[$a,-5]"])
def test_a_source_that_is_no_path(value: str) -> None:
    assert compile_info.source_in(external(f"[{{source,{value}}}]")) in (None, "")


def test_shortened_info_raises_nothing() -> None:
    """The last bytes only end the lists."""
    info = external('[{source,"/src/żółw.erl"}]')
    for size in range(len(info)):
        assert compile_info.source_in(info[:size]) == (None if size < len(info) - 2 else "/src/żółw.erl")


def test_of_a_loaded_module() -> None:
    image = Image()
    info = external('[{source,"/src/a.erl"}]')
    header = image.struct("BeamCodeHeader", {"compile_ptr": image.bytes(info), "compile_size": len(info)})
    node, module = image.node(), Module("a", header.address, 0x100, ())
    assert compile_info.source(node, module) == "/src/a.erl"
    image.struct("BeamCodeHeader", {"compile_size": 0xFFFF_FFFF}, header.address)
    node.memory.forget()
    assert compile_info.source(node, module) is None
