"""The container and the tables of a .beam file, in the forms of all releases, sound and damaged; on bytes made here."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable

import pytest

from jit.beam.chunks import LARGEST, Chunk, read_chunks, unfold, write_chunks
from jit.beam.code import decode_code
from jit.beam.errors import BeamError
from jit.beam.lines import LineTable, decode_lines, encode_lines
from jit.beam.literals import LiteralTable, decode_literals, encode_literals
from jit.beam.matching import MatchCommand, match_commands
from jit.beam.module import Module, decode_module, encode_module
from jit.beam.opcodes import NAMED
from jit.beam.operands import NOWHERE, Allocation, BeamLabel, Character, Import, Literal, Location, String, X
from jit.beam.operations import Tables, operation
from jit.beam.tables import FunctionEntry, decode_atoms, decode_entries, decode_imports, decode_lambdas, encode_atoms
from jit.beam.terms import NIL, Atom, List, Tuple
from jit.beam.text import operation_text, type_text
from jit.beam.types import ANY, Type, TypeKind


def refused(read: Callable[[], object], text: str) -> None:
    """*read* raises a BeamError of exactly this text."""
    with pytest.raises(BeamError) as caught:
        read()
    assert str(caught.value) == text


def words(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}i", *numbers)


# the container


def test_chunks_come_back() -> None:
    chunks = [("Atom", b"abc"), ("Empt", b""), ("Four", b"1234"), ("\xff\0a ", b"x")]
    data = write_chunks(chunks)
    assert len(data) % 4 == 0
    assert int.from_bytes(data[4:8], "big") == len(data) - 8
    assert [(chunk.name, chunk.data) for chunk in read_chunks(data, "f")] == chunks
    assert read_chunks(gzip.compress(data), "f") == read_chunks(data, "f")
    assert read_chunks(data + b"what comes after the form", "f") == read_chunks(data, "f")


def test_no_sound_container() -> None:
    sound = write_chunks([("Atom", b"abc")])
    text = "f: not a .beam file: it does not begin with an IFF form of type BEAM"
    refused(lambda: read_chunks(b"", "f"), text)
    refused(lambda: read_chunks(b"\x7fELF" + bytes(60), "f"), text)
    refused(lambda: read_chunks(sound.replace(b"BEAM", b"AIFF"), "f"), text)
    refused(lambda: read_chunks(sound[:-1], "f"), "f: the file is cut short: 23 bytes of 24")
    too_long = sound.replace(words(3), words(5))
    refused(lambda: read_chunks(too_long, "f"), "f: chunk Atom: 5 bytes of data expected, 4 are left")
    refused(
        lambda: read_chunks(gzip.compress(sound)[:-9], "f"),
        "f: compressed by gzip, but the compressed data is cut short",
    )
    with pytest.raises(ValueError, match="four bytes"):
        write_chunks([("Chunk", b"")])


def test_what_unfolds_is_bounded() -> None:
    assert unfold(zlib.compress(bytes(5000)), 5000) == bytes(5000)
    with pytest.raises(ValueError, match="more than 4999 bytes"):
        unfold(zlib.compress(bytes(5000)), 4999)
    bomb = zlib.compressobj(wbits=31)
    data = b"".join(bomb.compress(bytes(1 << 20)) for _ in range((LARGEST >> 20) + 1)) + bomb.flush()
    assert len(data) < 1 << 20
    refused(lambda: read_chunks(data, "f"), f"f: compressed by gzip, but it unfolds to more than {LARGEST} bytes")


# atoms


@pytest.mark.parametrize(
    ("name", "data", "atoms"),
    [
        ("Atom", words(2) + b"\1m\2\xe4b", ["m", "äb"]),
        ("AtU8", words(2) + b"\1m\3\xc3\xa4b", ["m", "äb"]),
        ("AtU8", words(-2) + b"\x10m\x30\xc3\xa4b", ["m", "äb"]),
        ("AtU8", words(-1) + b"\x08\xff" + "ä".encode() * 127 + b"x" + b"", ["ä" * 127 + "x"]),
    ],
)
def test_atoms(name: str, data: bytes, atoms: list[str]) -> None:
    assert decode_atoms(Chunk("f", name, data)) == atoms
    if name == "AtU8":
        assert encode_atoms(atoms, long_lengths=data[0] == 0xFF) == data


def test_the_longest_atom() -> None:
    """255 characters, whatever their bytes are."""
    for name in (255 * "x", 255 * "é"):
        assert decode_atoms(Chunk("f", "AtU8", encode_atoms([name], long_lengths=True))) == [name]
        longer = Chunk("f", "AtU8", encode_atoms([name + "x"], long_lengths=True))
        with pytest.raises(BeamError, match="an atom of 256 characters: 255 are the most"):
            decode_atoms(longer)


def test_long_atoms_need_long_lengths() -> None:
    names = ["m", "ä" * 200]
    assert decode_atoms(Chunk("f", "AtU8", encode_atoms(names, long_lengths=True))) == names
    with pytest.raises(ValueError, match="more than 255 bytes"):
        encode_atoms(names)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (words(0), "offset 0x0: an atom expected at least, the module's name"),
        (words(2) + b"\1m", "offset 0x6: the length of an atom expected, but the data ends"),
        (words(1) + b"\3m", "offset 0x4: an atom of 3 bytes expected, 1 are left"),
        (words(1) + b"\1\xff", "offset 0x5: an atom in UTF-8 expected"),
        (words(1) + b"\1mx", "offset 0x6: the end after 1 atoms expected, 1 bytes are left"),
        (words(-1) + b"\x11m", "offset 0x4: the length of an atom with tag u expected, not tag i"),
        (words(-1) + b"\x29\x00" + b"x" * 256, "offset 0x4: the length of an atom with tag u expected, not tag i"),
        (words(-1) + b"\x28\x00" + b"x" * 256, "offset 0x6: an atom of 256 characters: 255 are the most"),
        (words(-1000) + b"\x10m", "offset 0x6: a compact term expected, but the data ends"),
        (words(-(1 << 31)) + b"\x10m", "offset 0x0: 2147483648 atoms: 1048576 are the most that is read"),
    ],
)
def test_damaged_atoms(data: bytes, text: str) -> None:
    refused(lambda: decode_atoms(Chunk("f", "AtU8", data)), f"f: chunk AtU8, {text}")


# other tables


def test_damaged_tables() -> None:
    atoms = ["m", "f"]

    def chunk(*numbers: int) -> Chunk:
        return Chunk("f", "ImpT", words(*numbers))

    assert decode_imports(chunk(1, 1, 2, 3), atoms) == [Import("m", "f", 3)]
    refused(lambda: decode_imports(chunk(), atoms), "f: chunk ImpT, offset 0x0: a count of 32 bits expected")
    text = "f: chunk ImpT, offset 0x4: 2 entries of 12 bytes expected, but there are 12 bytes"
    refused(lambda: decode_imports(chunk(2, 1, 2, 3), atoms), text)
    text = "f: chunk ImpT, offset 0x8: the index of an atom expected, 1..2, not 3"
    refused(lambda: decode_imports(chunk(1, 1, 3, 3), atoms), text)
    refused(lambda: decode_entries(chunk(1, 0, 0, 0), atoms), text.replace("0x8", "0x4").replace("not 3", "not 0"))
    text = "f: chunk ImpT, offset 0xc: an arity of 0..255 expected, not 256"
    refused(lambda: decode_imports(chunk(1, 1, 1, 256), atoms), text)
    refused(
        lambda: decode_lambdas(chunk(1, 1, 300, 0, 0, 0, 0), atoms), text.replace("0xc", "0x8").replace("256", "300")
    )


def test_literals_in_both_forms() -> None:
    table = LiteralTable()
    assert table.add(Tuple((Atom("a"), 1))) == Literal(0, Tuple((Atom("a"), 1)))
    assert table.add(List((1, 2.0))) == Literal(1, List((1, 2.0)))
    folded = encode_literals(table)
    table.compressed, table.encoded = False, b""
    plain = encode_literals(table)
    assert plain[:4] == bytes(4)
    assert zlib.decompress(folded[4:]) == plain[4:]
    for data in (folded, plain):
        read = decode_literals(Chunk("f", "LitT", data))
        assert (read.literals, read.external) == (table.literals, table.external)
        assert encode_literals(read) == data
        assert read.compressed == (data is folded)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "LitT, offset 0x0: a size of 32 bits expected"),
        (
            words(9) + b"no zlib",
            "LitT, offset 0x0: a compressed table, but zlib says: Error -3 while decompressing data: ",
        ),
        (words(-1), "LitT, offset 0x0: a compressed table, but it is said to unfold to 4294967295 bytes: "),
        (words(9) + zlib.compress(words(0)), "LitT, offset 0x0: a compressed table, but it unfolds to 4 bytes, not 9"),
        (words(0, 1), "LitT, offset 0x8: literal 0 of 1 expected, with its size, but the data ends"),
        (words(0, 1, 3) + b"\x83j", "LitT, offset 0x8: literal 0 of 1 expected, with its size, but the data ends"),
        (words(0, 1, 2) + b"\x83!", "LitT, offset 0x1, literal 0: no term begins with the byte 33"),
        (words(0, 1, 2) + b"\x83jj", "LitT, offset 0xe: the end after 1 literals expected, 1 bytes are left"),
        (
            words(5) + zlib.compress(words(1) + b"x"),
            "LitT (unfolded), offset 0x4: literal 0 of 1 expected, with its size",
        ),
    ],
)
def test_damaged_literals(data: bytes, text: str) -> None:
    with pytest.raises(BeamError) as caught:
        decode_literals(Chunk("f", "LitT", data))
    assert str(caught.value).startswith(f"f: chunk {text}")


def test_lines() -> None:
    # Two files beside the module's own; a line beyond 16 bits.
    data = words(0, 1, 4, 4, 2) + bytes.fromhex("a1 12 b1 22 39011170 02 c1") + b"\0\5a.hrl\0\5b.hrl"
    table = decode_lines(Chunk("f", "Line", data), "m")
    places = [NOWHERE, *(Location(*place) for place in (("m.erl", 10), ("a.hrl", 11), ("b.hrl", 70000), ("m.erl", 12)))]
    assert table == LineTable("m.erl", 1, 4, places, ["a.hrl", "b.hrl"])
    assert encode_lines(table) == data
    assert decode_lines(Chunk("f", "Line", words(7) + data[4:]), "m") is None


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (words(0, 0, 0, 0), "offset 0x0: a header of 20 bytes expected, there are 16"),
        (words(0, 0, 0, 1, 0) + b"\x03", "offset 0x14: a line (tag i) or one of 0 files (tag a) expected"),
        (words(0, 0, 0, 1, 0) + b"\x12", "offset 0x14: a line (tag i) or one of 0 files (tag a) expected"),
        (words(0, 0, 0, 1, 0) + b"\x19\xff\xff", "offset 0x14: a line (tag i) or one of 0 files (tag a) expected"),
        (words(0, 0, 0, 2, 0) + b"\x11", "offset 0x15: a compact term expected, but the data ends"),
        (words(0, 0, 0, 0, 1) + b"\0\2a", "offset 0x14: file name 1 of 1 expected, but the data ends"),
        (words(0, 0, 0, 0, 1) + b"\0\1\xff", "offset 0x16: a file name in UTF-8 expected"),
        (words(0, 0, 0, 0, 0) + b"x", "offset 0x14: the end after 0 file names expected, 1 bytes are left"),
    ],
)
def test_damaged_lines(data: bytes, text: str) -> None:
    refused(lambda: decode_lines(Chunk("f", "Line", data), "m"), f"f: chunk Line, {text}")


# code

TABLES = Tables(
    atoms=["m", "f"],
    imports=[Import("lists", "map", 2)],
    literals=[Literal(0, Tuple(()))],
    lambdas=[],
    locations=[NOWHERE, Location("m.erl", 5)],
    types=[ANY, Type(TypeKind.INTEGER, 0, 9)],
    strings=b"string",
)


def code(body: str, *, labels: int = 9, functions: int = 1) -> Chunk:
    """A Code chunk of m:f/0 with these operations in hexadecimal after the entry's label 2."""
    header = words(16, 0, 180, labels, functions)
    beginning = "01 10  99 10  02 12 22 00  01 20"  # label 1, line 1, func_info m f 0, label 2
    return Chunk("f", "Code", header + bytes.fromhex(beginning + body))


@pytest.mark.parametrize(
    ("data", "expected", "text"),
    [
        ("40 f2 13", None, ""),
        ("40 02 03", operation("move", NIL, X(0)), "{move,nil,{x,0}}"),
        ("40 22 13", operation("move", Atom("f"), X(1)), "{move,{atom,f},{x,1}}"),
        ("40 36 03", operation("move", Character(3), X(0)), "{move,{char,3},{x,0}}"),
        ("40 47 00 03", operation("move", TABLES.literals[0], X(0)), "{move,{literal,{}},{x,0}}"),
        ("4e 20 00", operation("call_ext_only", 2, TABLES.imports[0]), "{call_ext_only,2,{extfunc,lists,map,2}}"),
        ("99 10", operation("line", Location("m.erl", 5)), '{line,[{location,"m.erl",5}]}'),
        ("99 00", operation("line", NOWHERE), "{line,[]}"),
        ("3d 25", operation("jump", BeamLabel(2)), "{jump,{f,2}}"),
        (
            "10 37 20 00 40 10 10 10",  # the kinds of room in any order, or left out
            operation("test_heap", Allocation(4, 1, 0), 1),
            "{test_heap,{alloc,[{words,4},{floats,1},{funs,0}]},1}",
        ),
        (
            "84 25 03 08 18 10",
            operation("bs_match_string", BeamLabel(2), X(0), 24, String(1, b"tri")),
            '{bs_match_string,{f,2},{x,0},24,{string,<<"tri">>}}',
        ),
        (
            "75 25 03 10 81 10 60 03",
            None,
            "{bs_get_integer2,{f,2},{x,0},1,{integer,8},1,{field_flags,[little,signed]},{x,0}}",
        ),
        ("40 6b ff 03", None, "{move,{x,1023},{x,0}}"),
        ("2d 05 57 03 10", None, "{is_integer,{f,0},{tr,{x,0},integer(0..9)}}"),
    ],
)
def test_operations(data: str, expected: object, text: str) -> None:
    if not text:
        what = "f: chunk Code, offset 0x1f, operation 2 of m:f/0 (move): atom 14, but there are 2"
        refused(lambda: decode_code(code(data + "03"), TABLES), what)
        return
    read = decode_code(code(data + "03"), TABLES)
    last = read.functions[0].operations[-1]
    assert expected in (None, last)
    assert operation_text(last) == text
    assert last.location == (NOWHERE if text == "{line,[]}" else Location("m.erl", 5))
    assert read.functions[0].operations[0].location == NOWHERE


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "offset 0x1e, operation 2 of m:f/0: the code ends before int_code_end"),
        ("40 02", "offset 0x1e, operation 2 of m:f/0 (move): the code ends before int_code_end"),
        ("03 00", "offset 0x1f: 1 bytes after int_code_end"),
        ("00", "offset 0x1e, operation 2 of m:f/0: opcode 0, which no release known here has"),
        ("e0", "offset 0x1e, operation 2 of m:f/0: opcode 224, which no release known here has"),
        ("1b", "offset 0x1e, operation 2 of m:f/0 (m_plus): m_plus, which no release from OTP 25 on takes"),
        ("40 02 02", "offset 0x1e, operation 2 of m:f/0 (move): operand 2 cannot be nil"),
        ("40 47 10 03", "offset 0x20, operation 2 of m:f/0 (move): literal 1, but there are 1"),
        ("40 07 00", "offset 0x1f, operation 2 of m:f/0 (move): an extended operand 0"),
        ("40 17 00 03", "offset 0x1f, operation 2 of m:f/0 (move): a list where none can be"),
        ("40 57 05 10 03", "offset 0x20, operation 2 of m:f/0 (move): a register with a type expected, not tag f"),
        ("40 57 03 20 03", "offset 0x21, operation 2 of m:f/0 (move): type 2, but there are 2"),
        ("40 8b 00 03", "offset 0x1f, operation 2 of m:f/0 (move): a register of 0..1023 expected, not 1024"),
        ("40 8b ff 03", "offset 0x1f, operation 2 of m:f/0 (move): a register of 0..1023 expected, not 1279"),
        ("3d 95", "offset 0x1f, operation 2 of m:f/0 (jump): label 9, but the header says that all are below 9"),
        ("3d 05 03", "no"),
        ("3d 35 03", ": label 3 is named but not there"),
        ("01 20 03", "offset 0x1e, label: label 2 a second time, or not of 1..8"),
        ("01 90 03", "offset 0x1e, label: label 9 a second time, or not of 1..8"),
        ("a4 03 17 10 20", "offset 0x1e, operation 2 of m:f/0 (put_tuple2): 2 in a list where it cannot be"),
        ("3b 03 25 17 10 11", "a list of 1 operands, which is no multiple of 2"),
        (
            "a4 03 17 18ff",
            "offset 0x21, operation 2 of m:f/0 (put_tuple2): a number of 2 bytes expected, but 1 are left",
        ),
        ("a4 03 17 0fff", "the size of a list expected (tag u), not tag z"),
        ("a4 03 17 98 7fffffffffff", "operands of a list expected"),
        ("10 37 40 00", "at most 3 kinds to allocate expected, not 4"),
        ("10 37 10 30 10 10", "a kind to allocate of 0..2 expected, not 3"),
        ("5c 50 20", "5 bytes of a string expected at 2 of 6"),
        ("5c 00 20", "a string of bytes"),
        ("b6 25 03 17 10 12", "a command of bs_match expected, not {atom,m}"),
    ],
)
def test_damaged_code(body: str, text: str) -> None:
    if text in ("no", "a string of bytes"):  # a jump to label 0 is the loader's affair; a string of none is one
        decode_code(code(body if text == "no" else body + "03"), TABLES)
        return
    with pytest.raises(BeamError) as caught:
        decode_code(code(body), TABLES)
    message = str(caught.value)
    assert text in message
    assert message.startswith("f: chunk Code")


def test_damaged_header() -> None:
    refused(
        lambda: decode_code(Chunk("f", "Code", words(16, 0)), TABLES),
        "f: chunk Code, offset 0x0: a header of 20 bytes expected, there are 8",
    )
    sound = code("03").data
    for at, number, text in (
        (0, 12, "offset 0x0: a header of 12 bytes, which cannot be"),
        (0, 1 << 30, "offset 0x0: a header of 1073741824 bytes, which cannot be"),
        (4, 1, "offset 0x4: instruction set 0 expected, not 1"),
        (16, 2, "offset 0x10: 1 functions, but the header says 2"),
    ):
        chunk = Chunk("f", "Code", sound[:at] + words(number) + sound[at + 4 :])
        refused(lambda chunk=chunk: decode_code(chunk, TABLES), f"f: chunk Code, {text}")  # type: ignore[misc]
    without_info = Chunk("f", "Code", sound[:20] + bytes.fromhex("40 02 03 03"))
    text = "f: chunk Code, offset 0x14: labels and a func_info expected at the beginning"
    refused(lambda: decode_code(without_info, TABLES), text)
    without_entry = Chunk("f", "Code", sound[:20] + bytes.fromhex("01 10 02 12 22 00 13 03"))
    text = "f: chunk Code, offset 0x16: func_info with a name expected, followed by the label of the function's entry"
    refused(lambda: decode_code(without_entry, TABLES), text)


def test_commands_of_bs_match() -> None:
    operands = (Atom("ensure_at_least"), 8, 1, Atom("integer"), 2, NIL, 8, 1, X(1), Atom("get_tail"), 2, 1, X(0))
    assert match_commands(operands) == [
        MatchCommand("ensure_at_least", (8, 1)),
        MatchCommand("integer", (2, NIL, 8, 1, X(1))),
        MatchCommand("get_tail", (2, 1, X(0))),
    ]
    with pytest.raises(ValueError, match="3 operands of get_tail in bs_match, not"):
        match_commands((Atom("get_tail"), 2, 1, 0))
    with pytest.raises(ValueError, match="3 operands of get_tail in bs_match, not"):
        match_commands((Atom("get_tail"), 2, 1))


def test_text_of_types() -> None:
    assert type_text(ANY) == "any"
    assert type_text(Type(TypeKind.INTEGER | TypeKind.NIL, 0, 255)) == "integer(0..255)|nil"
    assert type_text(Type(TypeKind.FLOAT, lowest=1)) == "float(1..)"
    assert type_text(Type(TypeKind.BITSTRING, unit=8)) == "bitstring(unit 8)"


# whole modules


def small_module() -> dict[str, bytes]:
    return {
        "AtU8": encode_atoms(["m", "f"]),
        "Code": code("13 03").data.replace(bytes.fromhex("9910"), b""),
        "StrT": b"",
        "ImpT": words(0),
        "ExpT": words(1, 2, 0, 2),
    }


def read(chunks: dict[str, bytes]) -> Module:
    return decode_module(write_chunks(chunks.items()), "f")


def test_the_least_that_is_a_module() -> None:
    module = read(small_module())
    assert module.name == "m"
    assert module.exports == [FunctionEntry("f", 0, 2)]
    assert [op.name for op in module.function("f", 0).operations] == ["label", "func_info", "label", "return"]
    assert (module.lines, module.types, module.attributes, module.meta) == (None, None, None, None)
    assert {chunk.name: chunk.data for chunk in read_chunks(encode_module(module), "f")} == small_module()
    with pytest.raises(KeyError, match="m:g/1"):
        module.function("g", 1)


def test_an_old_atom_chunk_becomes_a_new_one() -> None:
    chunks = small_module()
    old = {"Atom": words(2) + b"\1m\1f", **chunks}
    del old["AtU8"]
    assert {chunk.name: chunk.data for chunk in read_chunks(encode_module(read(old)), "f")} == chunks


def test_without_what_is_needed() -> None:
    for name in ("AtU8", "Code", "ImpT", "ExpT"):
        chunks = small_module()
        del chunks[name]
        refused(lambda chunks=chunks: read(chunks), f"f: chunk {name}: the chunk is expected, but not there")  # type: ignore[misc]


def test_registers_without_types_where_none_can_be_read() -> None:
    body = "2d 05 57 03 10 13 03"
    chunks = {**small_module(), "Code": code(body).data.replace(bytes.fromhex("9910"), b"")}
    for types in ({}, {"Type": words(9, 1) + b"of a release to come"}):
        module = read({**chunks, **types})
        assert operation("is_integer", BeamLabel(0), X(0)) in module.functions[0].operations
        written = {chunk.name: chunk.data for chunk in read_chunks(encode_module(module), "f")}
        assert written.get("Type") == types.get("Type")


def test_lines_stay_numbers_where_none_can_be_read() -> None:
    module = read({**small_module(), "Code": code("13 03").data})
    assert module.functions[0].operations[1] == operation("line", 1)
    written = {chunk.name: chunk.data for chunk in read_chunks(encode_module(module), "f")}
    assert written["Code"] == code("13 03").data


def test_operations_are_made_by_name() -> None:
    assert operation("return").opcode is NAMED["return"]
    with pytest.raises(KeyError):
        operation("goto")
    with pytest.raises(ValueError, match="move has 2 operands, not 1"):
        operation("move", X(0))
