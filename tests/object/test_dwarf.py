"""DWARF entries, lists and strings, read back by pyelftools, readelf and llvm-dwarfdump."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from elftools.dwarf.aranges import ARangeEntry
from elftools.dwarf.dwarf_expr import DWARFExprParser
from elftools.dwarf.locationlists import BaseAddressEntry, LocationEntry
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st

from jit.object import dwarf_expression as expression
from jit.object.dwarf import AddressRelocation, Dwarf
from jit.object.dwarf_constants import DW_AT, DW_ATE, DW_FORM, DW_LANG, DW_OP, DW_TAG
from jit.object.dwarf_info import Attributes, Die, Unit, WithForm
from jit.object.dwarf_line import LineNumberTable
from jit.object.dwarf_ranges import ListedLocation
from jit.object.elf import ElfFile
from jit.object.elf_constants import EM, ET, SHF, SHT, STT
from jit.object.leb128 import sleb128, uleb128
from jit.object.target import Target

Parse = Callable[[bytes], Any]

CODE = 0x10000
SIZE = 0x100
FUNCTION_COLUMNS = (
    (DW_AT.name, DW_FORM.strp),
    (DW_AT.low_pc, DW_FORM.addr),
    (DW_AT.high_pc, DW_FORM.data4),
    (DW_AT.decl_line, DW_FORM.data2),
)


def read_dwarf(dwarf: Dwarf) -> Any:
    return ELFFile(BytesIO(object_file(dwarf))).get_dwarf_info()


def object_file(dwarf: Dwarf) -> bytes:
    elf = ElfFile(dwarf.target, ET.EXEC)
    elf.add_section(".text", SHT.NOBITS, SHF.ALLOC | SHF.EXECINSTR, address=CODE, size=SIZE)
    dwarf.add_to(elf)
    return elf.to_bytes()


def children(die: Any) -> list[Any]:
    return list(die.iter_children())


def read_leb128(data: bytes, *, signed: bool) -> int:
    value = sum((byte & 0x7F) << 7 * position for position, byte in enumerate(data))
    assert all(byte & 0x80 for byte in data[:-1])
    assert not data[-1] & 0x80
    return value - (1 << 7 * len(data)) if signed and data[-1] & 0x40 else value


@given(st.integers(0, 1 << 80))
def test_unsigned_leb128_round_trip(value: int) -> None:
    assert read_leb128(uleb128(value), signed=False) == value


@given(st.integers(-(1 << 80), 1 << 80))
def test_signed_leb128_round_trip(value: int) -> None:
    assert read_leb128(sleb128(value), signed=True) == value


def test_leb128_examples_of_the_standard() -> None:
    # DWARF 5, tables 7.7 and 7.8.
    unsigned = {2: "02", 127: "7f", 128: "8001", 129: "8101", 12857: "b964"}
    signed = {2: "02", -2: "7e", 127: "ff00", -127: "817f", 128: "8001", -128: "807f", 129: "8101", -129: "ff7e"}
    assert {value: uleb128(value).hex() for value in unsigned} == unsigned
    assert {value: sleb128(value).hex() for value in signed} == signed
    with pytest.raises(ValueError, match="negative"):
        uleb128(-1)


texts = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=8)
values = st.one_of(
    texts.map(lambda text: (text, text.encode())),
    st.integers(-(1 << 63), (1 << 63) - 1).map(lambda number: (number, number)),
    st.binary(max_size=20).map(lambda block: (block, list(block))),
    st.just((True, True)),
    st.integers(0, 0xFFFF).map(lambda number: (WithForm(DW_FORM.data2, number), number)),
    texts.map(lambda text: (WithForm(DW_FORM.string, text), text.encode())),
    texts.map(lambda text: (WithForm(DW_FORM.line_strp, text), text.encode())),
    st.binary(max_size=255).map(lambda block: (WithForm(DW_FORM.block1, block), list(block))),
)
attributes = st.dictionaries(
    st.sampled_from([DW_AT.name, DW_AT.const_value, DW_AT.description, DW_AT.upper_bound]), values
)
tags = st.sampled_from([DW_TAG.subprogram, DW_TAG.variable, DW_TAG.lexical_block, DW_TAG.structure_type])
targets = st.builds(Target, st.sampled_from([4, 8]), st.sampled_from(["little", "big"]))
# (tag, attributes, children, number of the entry that DW_AT_type refers to)
trees = st.recursive(
    st.tuples(tags, attributes, st.just([]), st.none() | st.integers(0, 50)),
    lambda nested: st.tuples(tags, attributes, st.lists(nested, max_size=4), st.none() | st.integers(0, 50)),
    max_leaves=15,
)


def planted(tree: Any, dies: list[Die], references: list[tuple[Die, int]]) -> Die:
    tag, attribute_values, nested, reference = tree
    die = Die(tag, {attribute: written for attribute, (written, _) in attribute_values.items()})
    dies.append(die)
    if reference is not None:
        references.append((die, reference))
    die.children = [planted(child, dies, references) for child in nested]
    return die


def check_tree(tree: Any, read: Any) -> int:
    tag, attribute_values, nested, _ = tree
    assert read.tag == f"DW_TAG_{tag.name}"
    got = {name: attribute.value for name, attribute in read.attributes.items()}
    got.pop("DW_AT_type", None)
    sibling = got.pop("DW_AT_sibling", None)
    assert got == {f"DW_AT_{attribute.name}": expected for attribute, (_, expected) in attribute_values.items()}
    if sibling is not None:
        assert read.cu.cu_offset + sibling == read.offset + tree_size(read)
    kept = children(read)
    assert len(kept) == len(nested)
    return 1 + sum(check_tree(child, kept_child) for child, kept_child in zip(nested, kept))


def tree_size(read: Any) -> int:
    """Bytes of an entry with all below it, by reading on without using DW_AT_sibling."""
    size = int(read.size)
    if read.has_children:
        for child in children(read):
            size += tree_size(child)
        size += 1
    return size


def in_order(read: Any) -> list[Any]:
    return [read, *(below for child in children(read) for below in in_order(child))]


@given(targets, st.lists(st.lists(trees, max_size=3), min_size=1, max_size=3))
def test_trees_come_back(target: Target, units: list[list[Any]]) -> None:
    dwarf = Dwarf(target)
    expected = []
    for forest in units:
        unit = dwarf.add_unit({DW_AT.name: "unit", DW_AT.language: DW_LANG.C11})
        dies: list[Die] = []
        references: list[tuple[Die, int]] = []
        roots = [planted(tree, dies, references) for tree in forest]
        for die, number in references:
            die.attributes = {**die.attributes, DW_AT.type: dies[number % len(dies)]}
        unit.add(*roots)
        places = {die: place for place, die in enumerate(dies)}
        expected.append({places[die]: number % len(dies) for die, number in references})
    for read, forest, links in zip(read_dwarf(dwarf).iter_CUs(), units, expected, strict=True):
        roots_read = children(read.get_top_DIE())
        assert len(roots_read) == len(forest)
        assert sum(check_tree(tree, root) for tree, root in zip(forest, roots_read)) >= len(forest)
        entries = [entry for root in roots_read for entry in in_order(root)]
        for place, number in links.items():
            assert entries[place].attributes["DW_AT_type"].value + read.cu_offset == entries[number].offset


def word_types() -> tuple[Die, Die]:
    word = Die(DW_TAG.base_type, {DW_AT.name: "Uint", DW_AT.byte_size: 8, DW_AT.encoding: DW_ATE.unsigned})
    return word, Die(DW_TAG.typedef, {DW_AT.name: "Eterm", DW_AT.type: word})


def x_registers(eterm: Die) -> list[Die]:
    return [
        Die(
            DW_TAG.variable,
            {DW_AT.name: f"x{number}", DW_AT.type: eterm, DW_AT.location: expression.breg(3, 8 * number)},
        )
        for number in range(16)
    ]


def plain(die: Any) -> Any:
    """An entry as comparable data, without offsets."""
    kept = {
        name: attribute.value
        for name, attribute in die.attributes.items()
        if name not in ("DW_AT_sibling", "DW_AT_type")
    }
    if "DW_AT_type" in die.attributes:
        kept["type"] = plain(die.get_DIE_from_attribute("DW_AT_type"))
    return die.tag, kept, [plain(child) for child in children(die)]


def test_rows_equal_single_entries(target: Target) -> None:
    rows = [(f"lists:map/{number}", CODE + 16 * number, 16, 40 + number) for number in range(5)]

    def entries(add: Callable[[Unit, Die], None]) -> Any:
        dwarf = Dwarf(target)
        word, eterm = word_types()
        unit = dwarf.add_unit({DW_AT.name: "lists.erl"}, ranges=[(CODE, SIZE)])
        unit.add(word, eterm)
        add(unit, eterm)
        unit.add(Die(DW_TAG.variable, {DW_AT.name: "last"}))
        (read,) = read_dwarf(dwarf).iter_CUs()
        return [plain(die) for die in children(read.get_top_DIE())]

    def bulk(unit: Unit, eterm: Die) -> None:
        registers = unit.encode(*x_registers(eterm))
        offsets = unit.add_rows(
            DW_TAG.subprogram, FUNCTION_COLUMNS, rows, constants={DW_AT.external: True}, children=registers
        )
        assert len(offsets) == len(rows)

    def single(unit: Unit, eterm: Die) -> None:
        for name, start, size, line in rows:
            attributes: Attributes = {
                DW_AT.name: name,
                DW_AT.low_pc: start,
                DW_AT.high_pc: size,
                DW_AT.decl_line: line,
                DW_AT.external: True,
            }
            unit.add(Die(DW_TAG.subprogram, attributes, x_registers(eterm)))

    def in_advance(unit: Unit, eterm: Die) -> None:
        registers = unit.encode(*x_registers(eterm))
        for name, start, size, line in rows:
            attributes: Attributes = {
                DW_AT.name: name,
                DW_AT.low_pc: start,
                DW_AT.high_pc: size,
                DW_AT.decl_line: line,
                DW_AT.external: True,
            }
            unit.add(Die(DW_TAG.subprogram, attributes, registers))

    assert entries(bulk) == entries(single) == entries(in_advance)


def test_row_offsets_and_siblings(target: Target) -> None:
    dwarf = Dwarf(target)
    unit = dwarf.add_unit({DW_AT.name: "lists.erl"})
    registers = unit.encode(Die(DW_TAG.variable, {DW_AT.name: "x0"}))
    rows = [("a", CODE, 16, 1), ("b", CODE + 16, 16, 2), ("c", CODE + 32, 16, 3)]
    offsets = unit.add_rows(DW_TAG.subprogram, FUNCTION_COLUMNS, rows, children=registers)
    (read,) = read_dwarf(dwarf).iter_CUs()
    found = children(read.get_top_DIE())
    assert [die.offset - read.cu_offset for die in found] == list(offsets)
    assert [die.attributes["DW_AT_sibling"].value for die in found] == [*offsets[1:], offsets.stop]


def test_types_written_once_serve_all_units(target: Target) -> None:
    dwarf = Dwarf(target)
    word, eterm = word_types()
    first = dwarf.add_unit({DW_AT.name: "a.erl"}, ranges=[(CODE, 16)])
    types = first.add(word, eterm)
    registers = first.encode(*x_registers(eterm))
    second = dwarf.add_unit({DW_AT.name: "b.erl"}, ranges=[(CODE + 16, 16), (CODE + 64, 16)])
    second.embed(types)
    for unit in (first, second):
        unit.add_rows(DW_TAG.subprogram, FUNCTION_COLUMNS, [("f", CODE, 16, 1)], children=registers)
    for unit_read in read_dwarf(dwarf).iter_CUs():
        x0 = children(children(unit_read.get_top_DIE())[2])[0]
        assert x0.get_DIE_from_attribute("DW_AT_type").attributes["DW_AT_name"].value == b"Eterm"


def test_encoded_entries_are_refused_where_their_references_would_lie() -> None:
    dwarf = Dwarf(Target(8))
    word, eterm = word_types()
    first = dwarf.add_unit({DW_AT.name: "a.erl"})
    types = first.add(word, eterm)
    registers = first.encode(*x_registers(eterm))
    shifted = dwarf.add_unit({DW_AT.name: "b.erl", DW_AT.producer: "this makes the unit's own entry longer"})
    with pytest.raises(ValueError, match="refer to each other"):
        shifted.embed(types)
    with pytest.raises(ValueError, match="Eterm"):
        shifted.embed(registers)
    with pytest.raises(ValueError, match="Eterm"):
        shifted.add_rows(DW_TAG.subprogram, FUNCTION_COLUMNS, [("f", CODE, 16, 1)], children=registers)
    with pytest.raises(ValueError, match="Eterm"):
        shifted.add(Die(DW_TAG.variable, {DW_AT.type: eterm}))
    with pytest.raises(ValueError, match="another Dwarf"):
        Dwarf(Target(8)).add_unit({}).embed(registers)


@pytest.mark.parametrize(
    "attribute_values",
    [
        {DW_AT.low_pc: 1 << 32},
        {DW_AT.high_pc: -1},
        {DW_AT.byte_size: WithForm(DW_FORM.data1, 256)},
        {DW_AT.name: WithForm(DW_FORM.string, "a\0b")},
        {DW_AT.name: WithForm(DW_FORM.data4, "text")},
        {DW_AT.location: WithForm(DW_FORM.block1, bytes(256))},
    ],
)
def test_values_that_do_not_fit_are_refused(attribute_values: Attributes) -> None:
    unit = Dwarf(Target(4)).add_unit({})
    with pytest.raises(ValueError, match=r"fit|hold"):
        unit.add(Die(DW_TAG.variable, attribute_values))


def test_rows_that_do_not_fit_are_refused() -> None:
    unit = Dwarf(Target(4)).add_unit({})
    with pytest.raises(ValueError, match="fit"):
        unit.add_rows(DW_TAG.subprogram, FUNCTION_COLUMNS, [("f", 1 << 32, 4, 1)])
    with pytest.raises(ValueError, match="fixed size"):
        unit.add_rows(DW_TAG.subprogram, [(DW_AT.name, DW_FORM.string)], [("f",)])
    assert unit.add_rows(DW_TAG.subprogram, FUNCTION_COLUMNS, []) == range(unit.size, unit.size)


def test_ranges_and_aranges(target: Target, parse: Parse) -> None:
    dwarf = Dwarf(target)
    one, several = [(CODE, 0x20)], [(CODE + 0x40, 0x10), (CODE + 0x80, 0x70)]
    dwarf.add_unit({DW_AT.name: "one"}, ranges=one)
    dwarf.add_unit({DW_AT.name: "several"}, ranges=several)
    dwarf.add_unit({DW_AT.name: "none"})
    read = parse(object_file(dwarf)).get_dwarf_info()
    first, second, _ = read.iter_CUs()
    top = first.get_top_DIE().attributes
    assert [(top["DW_AT_low_pc"].value, top["DW_AT_high_pc"].value)] == one
    offset = second.get_top_DIE().attributes["DW_AT_ranges"].value
    entries = read.range_lists().get_range_list_at_offset(offset, second)
    assert [(entry.begin_offset, entry.end_offset - entry.begin_offset) for entry in entries] == several
    assert all(entry.is_absolute for entry in entries)
    aranges: list[ARangeEntry] = read.get_aranges().entries
    got = [(entry.info_offset, entry.begin_addr, entry.length) for entry in aranges]
    assert sorted(got) == [(0, *one[0])] + [(second.cu_offset, *place) for place in several]


def test_an_empty_range_does_not_end_the_others(target: Target, parse: Parse) -> None:
    """It may look like what ends them: two zeros (DWARF 5, 6.1.2)."""
    dwarf = Dwarf(target)
    dwarf.add_unit({DW_AT.name: "one"}, ranges=[(0, 0), (CODE, 0x20), (CODE + 0x40, 0)])
    aranges: list[ARangeEntry] = parse(object_file(dwarf)).get_dwarf_info().get_aranges().entries
    assert [(entry.begin_addr, entry.length) for entry in aranges] == [(CODE, 0x20)]


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("default", [None, expression.fbreg(-8)])
@pytest.mark.parametrize("unit_base", [None, CODE])
def test_location_lists(target: Target, parse: Parse, count: int, default: bytes | None, unit_base: int | None) -> None:
    dwarf = Dwarf(target)
    locations = [ListedLocation(CODE + 200 - 60 * n, 30, expression.reg(n) + expression.piece(4)) for n in range(count)]
    dwarf.locations.add_locations([ListedLocation(CODE, 1, b"")])
    addresses = len(dwarf.locations.address_offsets)
    offset = dwarf.locations.add_locations(locations, default=default, unit_base=unit_base)
    assert len(dwarf.locations.address_offsets) == addresses + (unit_base is None and count > 0)
    unit = dwarf.add_unit({DW_AT.name: "u"}, ranges=[(CODE, SIZE)])
    unit.add(Die(DW_TAG.variable, {DW_AT.location: offset}))
    read = parse(object_file(dwarf)).get_dwarf_info()
    (variable,) = children(next(read.iter_CUs()).get_top_DIE())
    assert variable.attributes["DW_AT_location"].form == "DW_FORM_sec_offset"
    base, got = unit_base or 0, []
    for entry in read.location_lists().get_location_list_at_offset(int(offset), variable):
        if isinstance(entry, BaseAddressEntry):
            base = entry.base_address
        elif isinstance(entry, LocationEntry) and entry.begin_offset >= 0:
            begin = entry.begin_offset + (0 if entry.is_absolute else base)
            end = entry.end_offset + (0 if entry.is_absolute else base)
            got.append(ListedLocation(begin, end - begin, bytes(entry.loc_expr)))
        else:
            assert bytes(entry.loc_expr) == default
    assert got == locations


def test_expressions(target: Target) -> None:
    program = b"".join(
        (
            expression.addr(target, 0x1234),
            expression.deref(),
            expression.deref_size(2),
            expression.const(31),
            expression.const(32),
            expression.const(-5),
            expression.plus_uconst(300),
            expression.op(DW_OP.and_),
            expression.breg(7, -128),
            expression.breg(40, 8),
            expression.fbreg(-16),
            expression.call_frame_cfa(),
            expression.stack_value(),
            expression.implicit_value(b"\1\2\3"),
            expression.entry_value(expression.reg(4)),
            expression.reg(33),
            expression.piece(8),
            expression.bit_piece(4, 2),
        )
    )
    dwarf = Dwarf(target)
    dwarf.add_unit({})
    structs = next(read_dwarf(dwarf).iter_CUs()).structs
    got = [(operation.op_name, operation.args) for operation in DWARFExprParser(structs).parse_expr(list(program))]
    nested = got.pop(14)
    assert nested[0] == "DW_OP_entry_value"
    assert nested[1][0][0].op_name == "DW_OP_reg4"
    assert got == [
        ("DW_OP_addr", [0x1234]),
        ("DW_OP_deref", []),
        ("DW_OP_deref_size", [2]),
        ("DW_OP_lit31", []),
        ("DW_OP_constu", [32]),
        ("DW_OP_consts", [-5]),
        ("DW_OP_plus_uconst", [300]),
        ("DW_OP_and", []),
        ("DW_OP_breg7", [-128]),
        ("DW_OP_bregx", [40, 8]),
        ("DW_OP_fbreg", [-16]),
        ("DW_OP_call_frame_cfa", []),
        ("DW_OP_stack_value", []),
        ("DW_OP_implicit_value", [[1, 2, 3]]),
        ("DW_OP_regx", [33]),
        ("DW_OP_piece", [8]),
        ("DW_OP_bit_piece", [4, 2]),
    ]


def everything(target: Target, code: int) -> Dwarf:
    """One of each kind, for code of 0xc0 bytes at *code*."""
    dwarf = Dwarf(target)
    word, eterm = word_types()
    types = registers = None
    for number in range(3):
        start = code + 0x40 * number
        table = LineNumberTable(target, ["/src", "/src/lib"], [(f"m{number}.erl", 0), ("include.hrl", 1)])
        table.add_sequence([(start, 1, 5), (start + 4, 2, 900, 3, 0), (start + 16, 1, 6)], start + 0x20)
        attribute_values: Attributes = {
            DW_AT.name: f"m{number}.erl",
            DW_AT.comp_dir: "/src",
            DW_AT.language: DW_LANG.C11,
            DW_AT.stmt_list: dwarf.add_line_table(table),
        }
        ranges = [(start, 0x20)] if number else [(start, 0x10), (start + 0x10, 0x10)]
        unit = dwarf.add_unit(attribute_values, ranges=ranges)
        if types is None:
            types, registers = unit.add(word, eterm), unit.encode(*x_registers(eterm))
        else:
            unit.embed(types)
        unit.add_rows(DW_TAG.subprogram, FUNCTION_COLUMNS, [(f"m{number}:f/1", start, 0x10, 5)], children=registers)
        unit.add(general_function(dwarf, eterm, start + 0x10))
    cie = dwarf.frames.add_cie(16, data_alignment=-8, code_alignment=1)
    dwarf.frames.add_fdes(cie, [(code, 0x20)], cie.program().def_cfa(7, 16).advance(4).offset(6, -16))
    return dwarf


def general_function(dwarf: Dwarf, eterm: Die, start: int) -> Die:
    """A subprogram of 16 bytes with a variable that moves, and a call site."""
    where = dwarf.locations.add_locations(
        [ListedLocation(start, 4, expression.reg(1)), ListedLocation(start + 4, 4, expression.breg(2, 8))]
    )
    variable = Die(DW_TAG.variable, {DW_AT.name: "N", DW_AT.type: eterm, DW_AT.location: where})
    call = Die(DW_TAG.call_site, {DW_AT.call_return_pc: start + 8})
    function: Attributes = {
        DW_AT.name: "'Elixir.M':g/0",
        DW_AT.low_pc: start,
        DW_AT.high_pc: 0x10,
        DW_AT.frame_base: expression.call_frame_cfa(),
        DW_AT.call_all_calls: True,
    }
    return Die(DW_TAG.subprogram, function, [variable, call])


def test_other_readers_accept_everything_together(target: Target, accepted: Callable[[bytes], None]) -> None:
    accepted(object_file(everything(target, CODE)))


def test_moved_code_changes_the_addresses_alone(target: Target) -> None:
    moved_by = 0x1234_5670
    here, there = everything(target, CODE), everything(target, CODE + moved_by)
    moved = {name: bytearray(content) for name, content in here.sections().items()}
    for name, places in here.address_offsets().items():
        assert len(set(places)) == len(places) > 0
        for place in places:
            field = slice(place, place + target.address_size)
            address = int.from_bytes(moved[name][field], target.byte_order) + moved_by
            moved[name][field] = target.address(address)
    assert moved == there.sections()


def test_addresses_in_rows_constants_and_encoded_entries_are_found(target: Target) -> None:
    def written(code: int) -> Dwarf:
        dwarf = Dwarf(target)
        unit = dwarf.add_unit({DW_AT.name: "u"})
        call = unit.encode(Die(DW_TAG.call_site, {DW_AT.name: "c", DW_AT.call_return_pc: code + 3}))
        unit.embed(call)
        unit.add(Die(DW_TAG.subprogram, {DW_AT.low_pc: code}, [Die(DW_TAG.lexical_block, {}, call)]))
        rows = [("a", code, 1, 2), ("b", code + 1, 1, 2)]
        constants: Attributes = {DW_AT.external: True, DW_AT.entry_pc: code + 2}
        unit.add_rows(DW_TAG.subprogram, FUNCTION_COLUMNS, rows, constants=constants, children=call)
        return dwarf

    here, there = written(0x1000), written(0x2222)
    content = bytearray(here.sections()[".debug_info"])
    places = here.address_offsets()[".debug_info"]
    assert len(places) == 1 + 2 + 2 * 3
    for place in places:
        field = slice(place, place + target.address_size)
        content[field] = target.address(int.from_bytes(content[field], target.byte_order) + 0x1222)
    assert content == there.sections()[".debug_info"]


@pytest.mark.parametrize(
    ("target", "absolute", "rela"),
    # R_X86_64_64 (x86-64 psABI), R_ARM_ABS32 (ELF for the Arm Architecture)
    [(Target(8, "little", EM.X86_64), 1, True), (Target(4, "little", EM.ARM, 0x0500_0000), 2, False)],
)
def test_relocated_addresses(
    target: Target, absolute: int, rela: bool, parse: Parse, accepted: Callable[[bytes], None]
) -> None:
    def written(address: int) -> bytes:
        elf = ElfFile(target, ET.REL)
        text = elf.add_section(".text", flags=SHF.ALLOC | SHF.EXECINSTR, address=address, data=bytes(0xC0))
        symbol = elf.add_symbol("", address, section=text, type=STT.SECTION)
        everything(target, 0).add_to(elf, relocation=AddressRelocation(symbol, absolute, rela))
        return elf.to_bytes()

    accepted(written(0))
    read = parse(written(0x4000)).get_dwarf_info(relocate_dwarf_sections=True)
    expected = {f"m{number}.erl".encode(): 0x4000 + 0x40 * number for number in range(3)}
    tops = [unit.get_top_DIE().attributes for unit in read.iter_CUs()]
    assert {top["DW_AT_name"].value: top["DW_AT_low_pc"].value for top in tops} == expected
    program = read.line_program_for_CU(list(read.iter_CUs())[2])
    assert [entry.state.address for entry in program.get_entries() if entry.state][0] == 0x4080
    assert [entry["initial_location"] for entry in read.CFI_entries()[1:]] == [0x4000]
