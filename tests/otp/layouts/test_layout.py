"""Built-in tables: what they answer, which VM they are for, and what they refuse."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beamgdb.terms.fields import FIELDS
from jit.otp.layouts.identity import Identity
from jit.otp.layouts.layout import Layout, NoLayout, TableKey, for_identity, from_json, known, load_table, to_json
from jit.otp.layouts.resolve import Field, StructLayout
from jit.otp.layouts.wanted import BUILD, CONSTANTS, ONLY, STRUCTS, has
from tests.harness.work import calls

DEBIAN_12 = Identity(
    otp_release="25", erts_version="13.1.5", arch="x86_64", triplet="x86_64-pc-linux-gnu", word_size=8,
    byteorder="little", flavour="jit", build="opt", options=frozenset(), smp=True, unknown={},
)  # fmt: skip

NAMES = st.text("abcXYZ_.", min_size=1, max_size=8)
NUMBERS = st.integers(0, 100_000)
ANY_BITS = st.builds(Field, NUMBERS, NUMBERS, st.none(), st.tuples(NUMBERS, NUMBERS))
ANY_FIELD = st.builds(Field, NUMBERS, NUMBERS, st.none() | NUMBERS) | ANY_BITS
ANY_LAYOUT = st.builds(
    Layout,
    origin=st.just("built-in table otp-1.2 arm32 emu"), release=st.just("1.2"), erts_version=st.just("3.4"),
    arch=st.just("arm32"), flavour=st.just("emu"), triplet=st.just("arm-unknown-linux-gnu"),
    word_size=st.sampled_from([4, 8]), options=st.frozensets(st.sampled_from(["vm-probes", "extra-msacc"])),
    structs=st.dictionaries(NAMES, st.builds(StructLayout, NUMBERS, st.dictionaries(NAMES, ANY_FIELD))),
    constants=st.dictionaries(NAMES, NUMBERS), build=st.dictionaries(NAMES, NUMBERS),
)  # fmt: skip


@given(ANY_LAYOUT)
def test_a_table_says_what_the_layout_said(layout: Layout) -> None:
    assert from_json(json.loads(to_json(layout))) == layout


@pytest.mark.parametrize("key", known())
def test_built_in_tables_have_all_that_is_always_wanted(key: TableKey) -> None:
    layout = load_table(*key)
    assert layout is not None
    assert (layout.erts_version, layout.arch, layout.flavour) == key
    for struct in STRUCTS:
        assert struct.optional or layout.has(struct.name), struct.name
        for field in struct.fields if layout.has(struct.name) else ():
            assert field.optional or layout.has(struct.name, field.name), f"{struct.name}.{field.name}"
    assert all(c.optional or layout.constant(c.name) >= 0 for c in CONSTANTS)
    assert set(layout.build) == set(BUILD)
    assert layout.build["etp_arch_bits"] == 8 * layout.word_size
    assert layout.build["etp_beamasm"] == (layout.flavour == "jit")


@pytest.mark.parametrize("key", known())
def test_a_table_has_what_its_release_has(key: TableKey) -> None:
    layout = load_table(*key)
    assert layout is not None
    release = int(layout.release.partition(".")[0])
    for name in ONLY:
        struct, _, field = name.partition(".")
        assert (name, layout.has(struct, field or None)) == (name, has(release, name))


def test_there_is_a_table_for_each_of_debians_vms() -> None:
    assert {
        ("13.1.5", "arm32", "emu"), ("13.1.5", "x86_64", "jit"),
        ("15.2.7", "aarch64", "jit"), ("15.2.7", "arm32", "emu"), ("15.2.7", "x86_64", "jit"),
        ("17.1", "aarch64", "jit"), ("17.1", "arm32", "emu"), ("17.1", "x86_64", "jit"),
    } <= set(known())  # fmt: skip


@pytest.mark.parametrize("key", known())
def test_a_table_is_for_its_words_and_flavour(key: TableKey) -> None:
    layout = load_table(*key)
    assert layout is not None
    assert layout.word_size == (4 if key.arch == "arm32" else 8)
    for struct, path in (
        ("Process", "heap"), ("Process", "common.id"), ("Process", "i"), ("Range", "end"), ("ranges", "n"),
        ("BeamCodeHeader", "functions"), ("BeamCodeLineTab", "func_tab"), ("ErtsCodeMFA", "arity"),
        ("ErtsSchedulerRegisters", "x_reg_array.d"), ("OpEntry", "name"), ("ErtsPTab", "r.o.invalid_element"),
    ):  # fmt: skip
        assert layout.width(struct, path) == layout.word_size, f"{struct}.{path} is a word"
    # code_ix.h: an instruction, a pointer, module, function and arity come before the first instruction.
    assert layout.size("ErtsCodeInfo") == 5 * layout.word_size
    assert layout.size("ErtsCodeMFA") == 3 * layout.word_size
    # erl_process.h: x registers start on a cache line of their own.
    assert layout.offset("ErtsSchedulerRegisters", "x_reg_array.d") % 64 == 0
    assert layout.has("OpEntry", "pack") == (key.flavour == "emu")
    assert layout.has("ErtsSchedulerRegisters", "start_time") == (key.flavour == "jit")


@pytest.mark.parametrize("key", known())
def test_fields_lie_within_their_structs(key: TableKey) -> None:
    layout = load_table(*key)
    assert layout is not None
    for name, struct in layout.structs.items():
        for path, field in struct.fields.items():
            size = field.width * (1 if field.elements is None else field.elements)
            assert field.offset + size <= layout.size(name), f"{name}.{path}"
            if field.bits is not None:
                assert sum(field.bits) <= 8 * field.width, f"{name}.{path}"


@pytest.mark.parametrize("key", known())
def test_elements_are_as_wide_as_their_struct(key: TableKey) -> None:
    layout = load_table(*key)
    assert layout is not None
    for array, element in (
        (("ErtsRunQueue", "procs.prio_info"), "ErtsRunQueueInfo"),
        (("ErtsRunQueue", "procs.prio"), "ErtsRunPrioQueue"),
        (("ErtsRecvMarkerBlock", "marker"), "ErtsRecvMarker"),
        (("Module", "curr"), "erl_module_instance"),
        (("Export", "info"), "ErtsCodeInfo"),
        (("DbTable", "common"), "DbTableCommon"),
    ):
        assert layout.width(*array) == layout.size(element)


def test_terms_find_their_fields_among_the_wanted() -> None:
    wanted = {(struct.name, field.name) for struct in STRUCTS for field in struct.fields}
    assert set(FIELDS) <= wanted


def test_nothing_is_wanted_twice() -> None:
    names = [struct.name for struct in STRUCTS] + [constant.name for constant in CONSTANTS]
    assert len(names) == len(set(names))
    for struct in STRUCTS:
        paths = [field.name for field in struct.fields]
        assert len(paths) == len(set(paths)), struct.name


def test_questions_without_an_answer_are_key_errors() -> None:
    layout = load_table("13.1.5", "x86_64", "jit")
    assert layout is not None
    with pytest.raises(KeyError, match=r"Process\.nothing: unknown in built-in table otp-25\.2\.3 x86_64 jit"):
        layout.offset("Process", "nothing")
    with pytest.raises(KeyError, match="Nothing"):
        layout.offset("Nothing", "x")
    with pytest.raises(KeyError, match="Nothing"):
        layout.size("Nothing")
    with pytest.raises(KeyError, match="NOTHING"):
        layout.constant("NOTHING")
    assert not layout.has("ErlSubBits")
    assert not layout.has("Process", "nothing")


def test_the_table_of_a_vm() -> None:
    layout = for_identity(DEBIAN_12)
    assert (layout.release, layout.origin) == ("25.2.3", "built-in table otp-25.2.3 x86_64 jit")


def test_a_version_with_the_structures_of_another_has_its_table() -> None:
    """And that says what it is of."""
    layout = for_identity(replace(DEBIAN_12, otp_release="29", erts_version="17.1.1"))
    assert (layout.release, layout.erts_version) == ("29.1.1", "17.1")
    with pytest.raises(NoLayout, match=r"17\.1\.2 x86_64 jit"):
        for_identity(replace(DEBIAN_12, otp_release="29", erts_version="17.1.2"))


@pytest.mark.parametrize(
    ("vm", "message"),
    [
        (replace(DEBIAN_12, erts_version="13.1.4"), r"erts 13\.1\.4 x86_64 jit; there are: .*13\.1\.5 x86_64 jit"),
        (replace(DEBIAN_12, arch="riscv64", flavour="emu"), "riscv64 emu; there are"),
        (replace(DEBIAN_12, build="debug"), "a debug build"),
        (replace(DEBIAN_12, options=frozenset({"vm-probes"})), "not for this build: vm-probes"),
        (replace(DEBIAN_12, word_size=4), "words of 4 bytes"),
        (replace(DEBIAN_12, arch=None, unknown={"arch": "no symbol etp_arch"}), "arch unknown, no symbol etp_arch"),
        (replace(DEBIAN_12, options=None, unknown={"options": "unreadable"}), "options unknown, unreadable"),
        (replace(DEBIAN_12, erts_version="../../../13"), "no built-in table"),
    ],
)
def test_a_table_that_is_nearly_right_is_refused(vm: Identity, message: str) -> None:
    with pytest.raises(NoLayout, match=message):
        for_identity(vm)


def test_a_build_for_musl() -> None:
    """A mutex of musl has the size of one of glibc, but on ARM64."""
    assert for_identity(replace(DEBIAN_12, triplet="x86_64-alpine-linux-musl")) == for_identity(DEBIAN_12)
    vm = replace(DEBIAN_12, arch="aarch64", triplet="aarch64-alpine-linux-musl")
    with pytest.raises(
        NoLayout, match=r"is for aarch64-unknown-linux-gnu, and a mutex of aarch64-alpine-linux-musl has"
    ):
        for_identity(vm)


def test_no_table() -> None:
    assert load_table("1.0", "x86_64", "jit") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"structs": 1}', '{"otp": "1", "erts": "1"}', "\xff"])
def test_a_damaged_table(tmp_path: Path, text: str) -> None:
    key = TableKey("1.0", "x86_64", "jit")
    (tmp_path / key.file_name).write_text(text, "latin-1")
    assert known(tmp_path) == [key]
    with pytest.raises(ValueError, match="not a layout table"):
        load_table(*key, directory=tmp_path)


def test_loading_a_table_takes_a_few_calls_for_each_field() -> None:
    table = load_table("13.1.5", "x86_64", "jit")
    assert table is not None
    fields = sum(len(struct.fields) for struct in table.structs.values())
    assert calls(lambda: load_table("13.1.5", "x86_64", "jit")) < 5 * fields
