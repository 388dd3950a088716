"""What native code and its glue take of a release's table: all of it is there, and nothing else is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jit.erts import layout
from jit.erts.glue import write_facts
from jit.otp.layouts.layout import Layout, load_table
from jit.otp.layouts.resolve import StructLayout
from jit.otp.layouts.wanted import BUILD, NATIVE, STRUCTS, native

ROOT = Path(__file__).resolve().parents[2]
GLUE = "".join(path.read_text() for path in (ROOT / "jit" / "erts" / "glue").iterdir())
GENERATOR = "".join(path.read_text() for half in ("codegen", "erts") for path in (ROOT / "jit" / half).rglob("*.py"))


def table(otp: int) -> Layout:
    found = load_table(layout.load(otp).erts, *NATIVE)
    assert found is not None
    return found


def reading(changed: Layout | None) -> Callable[..., Layout | None]:
    return lambda *_: changed


@pytest.mark.parametrize("otp", layout.RELEASES)
def test_a_table_that_lacks_any_of_it_is_none(otp: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = table(otp)
    for name, path in native(otp):
        struct = whole.structs[name]
        fields = {other: field for other, field in struct.fields.items() if other != path}
        lacking = replace(whole, structs={**whole.structs, name: StructLayout(struct.size, fields)})
        monkeypatch.setattr(layout, "load_table", reading(lacking))
        with pytest.raises(KeyError, match=re.escape(f"{name}.{path}: unknown in built-in table otp-{otp}.")):
            layout.load.__wrapped__(otp)
    monkeypatch.setattr(layout, "load_table", reading(None))
    with pytest.raises(KeyError):
        layout.load.__wrapped__(otp)


@pytest.mark.parametrize("otp", layout.RELEASES)
def test_it_is_of_the_build_that_native_code_is_for(otp: int) -> None:
    loaded = layout.load(otp)
    assert (loaded.otp, loaded.arch) == (otp, "arm-unknown-linux-gnueabihf")
    assert list(loaded.build) == sorted(BUILD)
    assert (loaded.build["etp_arch_bits"], loaded.build["etp_beamasm"]) == (32, 0)


def test_all_that_is_asked_for_is_marked() -> None:
    """The checksum that an object and the glue compare covers it."""
    asked = set(re.findall(r'layout\["(\w+\.[\w.]+)"\]', GENERATOR))
    asked |= {f"{name}.{path}" for name, path in re.findall(r"(?:FIELD|ADDRESS)\(\S+?, ([A-Z]\w+?)_(\w+)\)", GLUE)}
    marked = {f"{struct}.{path}" for otp in layout.RELEASES for struct, path in native(otp)}
    assert len(asked) > 50
    assert {name.replace(".", "_") for name in asked} <= {name.replace(".", "_") for name in marked}


def test_the_glue_has_what_the_compiler_writes_from_the_compiler(tmp_path: Path) -> None:
    """Names of chunks and sections."""
    spelled = re.compile(r'"(?:Nat.|\.beam\.\w+)"')
    assert spelled.findall(GLUE) == []
    write_facts(tmp_path)
    assert len(spelled.findall((tmp_path / "layouts.h").read_text())) == 6


def test_nothing_is_marked_in_vain() -> None:
    marked = {field.name for struct in STRUCTS for field in struct.fields if field.native}
    for name in marked:
        assert re.search(rf"(\b|_){name.rpartition('.')[2]}\b", GENERATOR + GLUE), name
