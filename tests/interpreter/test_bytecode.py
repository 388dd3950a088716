"""Operands of instructions, for every operation of the interpreters of Debian's stripped builds."""

from __future__ import annotations

import pytest

from beamgdb.interpreter import effects
from beamgdb.interpreter.bytecode import Decoded, Operand, OperandKind, decode, generic_name
from beamgdb.interpreter.instructions import LoadedInstruction
from beamgdb.interpreter.operations import Operation
from tests.interpreter.assembler import NO_LABEL, START, assemble, label, number, operations_of, term, x, y

RELEASES = pytest.mark.parametrize("release", [25, 27, 29])

#: Operations of which no code of functions is made: words of the VM itself, and what the loader leaves out.
NOT_IN_FUNCTIONS = """
    call_error_handler continue_exit error_action_code i_call_trace_return i_debug_breakpoint i_func_info
    i_generic_breakpoint i_lambda_error i_line_breakpoint_cleanup i_nif_padding i_return_time_trace i_return_to_trace
    int_code_end label line nif_start normal_exit on_load padding return_trace trace_jump
"""


def operand(letter: str, at: int) -> Operand:
    """Some operand that this letter may stand for; another one for each place."""
    kinds = {
        "x": x(at + 1), "y": y(at + 1), "r": x(0), "n": term(0x3B), "d": (x, y)[at % 2](at + 2),
        "S": (y, x)[at % 2](at + 2), "s": (x(at + 3), y(at + 3), term(0xFF))[at % 3],
        "l": Operand(OperandKind.FLOAT, at + 1), "f": label(0), "j": NO_LABEL,
        "e": Operand(OperandKind.EXPORT, 0x4000_0000 + at), "b": Operand(OperandKind.BIF, 0x4000 + at),
        "F": Operand(OperandKind.FUN, 0x5000 + at), "L": number(1),
    }  # fmt: skip
    return kinds.get(letter, term(0x1000B + 64 * at) if letter in "aciq" else number(at + 2))


@RELEASES
def test_what_the_loader_writes_is_read_again(release: int) -> None:
    for name, operation in operations_of(release).items():
        if name in ("catch_yf", "label_L"):
            continue
        operands = [operand(letter, at) for at, letter in enumerate(operation.signature)]
        (instruction,) = assemble(release, (name, operands))
        expected = [one._replace(value=START) if one.kind is OperandKind.LABEL else one for one in operands]
        assert list(decode(instruction).operands) == expected, name


@RELEASES
def test_the_effects_of_all_operations_are_known(release: int) -> None:
    unknown = set()
    for operation in operations_of(release).values():
        operands = tuple(operand(letter, at) for at, letter in enumerate(operation.signature))
        if effects.of(Decoded(START, generic_name(operation), operation.signature, operands, (), START)) is None:
            unknown.add(generic_name(operation))
    assert unknown <= set(NOT_IN_FUNCTIONS.split())


#: Words as they were loaded in a node of OTP 27 for armhf, and what erts_debug:disassemble/1 says of them.
LOADED = [
    ("allocate_heap_tIt", (0x000B0003, 2), (number(3), number(2), number(11))),
    ("get_list_xxy", (0x00400010,), (x(4), x(0), y(0))),
    ("i_get_tuple_element2_dst_xPyy", (0x00809000, 8), (x(0), number(1), y(8), y(1))),
    ("i_minus_xxjd", (0x00080010, 0, 0x14), (x(4), x(2), NO_LABEL, x(5))),
    ("move2_par_yxxy", (0x00080008, 0x000C0000), (y(1), x(2), x(0), y(2))),
    ("move_shift_xyx", (0x01405000,), (x(0), y(4), x(5))),
    ("move_shift_yry", (0x001C0010,), (y(3), x(0), y(6))),
    ("move_src_window4_yxxxx", (0x00804014, 4), (y(4), x(4), x(2), x(1), x(0))),
    ("move_trim_yxt", (0x00040004, 1), (y(0), x(1), number(1))),
    ("move_window5_xxxxxy", (0x00804014, 0x00C00004), (x(5), x(4), x(2), x(1), x(0), y(2))),
    ("swap2_xxx", (0x01407018,), (x(6), x(7), x(5))),
]


@pytest.mark.parametrize(("name", "words", "operands"), LOADED, ids=[each[0] for each in LOADED])
def test_loaded_words(name: str, words: tuple[int, ...], operands: tuple[Operand, ...]) -> None:
    instruction = LoadedInstruction(START, operations_of(27)[name], (0, *words))
    assert decode(instruction).operands == operands


def test_a_catch_has_the_index_of_its_handler() -> None:
    catch = operations_of(27)["catch_yf"]
    decoded = decode(LoadedInstruction(START, catch, (0, 4, 7 << 6 | 0x1B)))
    assert decoded.operands == (y(0), Operand(OperandKind.CATCH, 7))


def test_tables_are_read_by_the_operation() -> None:
    select = ("i_select_val_lins_xfI", [x(0), label(0), number(2), term(0x0B), term(0x4B), label(0), label(1)])
    code = assemble(27, select, ("return", []))
    assert decode(code[0]).table == (
        term(0x0B), term(0x4B), Operand(OperandKind.LABEL, START), Operand(OperandKind.LABEL, code[1].address),
    )  # fmt: skip
    (tuple2,) = assemble(27, ("put_tuple2_xI", [x(0), number(3), x(1), y(2), term(0x0B)]))
    assert decode(tuple2).table == (x(1), y(2), term(0x0B))


#: `BSC_*` of erl_bits.h, by number from 0 on: whether the source of a segment is a number, and whether its size is.
SEGMENTS = {
    "append": (False, False), "private_append": (False, False), "binary": (False, False),
    "binary_fixed_size": (False, True), "binary_all": (False, False), "float": (False, False),
    "float_fixed_size": (False, True), "integer": (False, False), "integer_fixed_size": (False, True),
    "string": (True, True), "utf8": (False, False), "utf16": (False, False), "utf32": (False, True),
}  # fmt: skip


@RELEASES
def test_the_segments_of_a_binary_have_numbers_and_sources(release: int) -> None:
    segments: list[Operand] = []
    for kind, (source, size) in enumerate(SEGMENTS.values()):
        segments += [number(kind), number(8), number(0), number(99) if source else x(kind)]
        segments.append(number(0x23) if size else y(1))
    fixed = [NO_LABEL, number(0), number(4), x(0), number(len(segments))]
    (create,) = assemble(release, ("i_bs_create_bin_jIWdW", [*fixed, *segments]))
    assert decode(create).table == tuple(segments)


#: Operations of OTP 29 on 64 bits, words as they were loaded in a node, and what erts_debug:df/1 says of them. Each has
#: its name, size, the word that labels are relative to and packing program; its words and how many labels are half a
#: word; its operands and table, where labels are told by their distance in words.
LOADED_64 = [
    (("is_ge_literal_fcx", 3, 0, "4q4Ppp"), (0xFFFFFFF6, 0x10FFFFF), 0, f"f-10 {1114111 << 4 | 0xF} x0", ""),
    (("allocate_tt", 2, 0, "33Pp"), (0x10001,), 0, "1 1", ""),
    (("i_get_tuple_element_xPx", 3, 0, "3g3Ppp"), (0x80000, 0x20), 0, "x0 3 x1", ""),
    (("move_shift_xyx", 2, 0, "222Pp"), (0x1000080000,), 0, "x0 y0 x2", ""),
    (("i_get_tuple_element2_dst_xPxx", 3, 0, "22g2Ppp"), (0x80000, 8), 0, "x0 0 x1 x0", ""),
    (("move2_par_xxxy", 2, 0, "3333Pp"), (0x8001000000008,), 0, "x1 x0 x2 y0", ""),
    (("i_plus_xxjd", 3, 0, "44P33Ppp"), (0x80000, 0), 0, "x0 x1 - x0", ""),
    (("move_window5_xxxxxy", 3, 0, "222P222Ppp"), (0x1800000020, 0x1000080010), 0, "x4 x0 x3 x2 x1 y1", ""),
    (("move_src_window4_yxxxx", 3, 0, "33P222Ppp"), (0x2800300020, 0x180020), 0, "y3 x6 x5 x4 x3", ""),
    (("is_tuple_of_arity_fxA", 3, 0, "g44Ppp"), (0x1000000011, 0x80), 0, "f17 x2 2", ""),
    (("i_bs_ensure_bits_read_xtf", 3, 1, "f33Ppp"), (0x80000, 0x7A), 0, "x0 8 f123", ""),
    (("move_call_last_yfQ", 3, 0, "3f3Ppp"), (0x100008, 0xFFFFFFFFFFFFFFD4), 0, "y0 f-44 1", ""),
    (("put_tuple2_xI", 2, 0, "44Pp"), (0x200000000, 0x138B, 3), 0, "x0 2", "5003 x0"),
    (("i_select_tuple_arity2_xfAA", 5, 0, ""), (0, 31, 0x80, 0x100, 0x600000014), 2, "x0 f31 2 4", "f20 f6"),
    (("i_jump_on_val_xfIW", 4, 0, "g44Ppp"), (0x18, 0x200000007, 0xFE0E, 0x500000005), 2, "x3 f7 2 65038", "f5 f5"),
    # By the loader's rule, with a half that is left over.
    (("i_jump_on_val_zero_xfI", 3, 0, "44Pp"), (0x18, 0x300000007, 0x500000004, 6), 3, "x3 f7 3", "f4 f5 f6"),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "words", "labels", "operands", "table"), LOADED_64)
def test_words_of_64_bits(
    operation: tuple[str, int, int, str], words: tuple[int, ...], labels: int, operands: str, table: str
) -> None:
    name, size, adjust, pack = operation
    known = Operation(0, name, name.rpartition("_")[2], size, adjust, pack, 0x4000)
    decoded = decode(LoadedInstruction(START, known, (0x4000, *words), 8, labels))
    assert (told(decoded.operands), told(decoded.table)) == (operands, table)
    assert decoded.end == START + 8 * (1 + len(words))


def told(operands: tuple[Operand, ...]) -> str:
    """Operands in a few letters."""
    kinds = {OperandKind.X: "x{}", OperandKind.Y: "y{}", OperandKind.NO_LABEL: "-", OperandKind.LABEL: "f{}"}
    values = ((one.value - START) // 8 if one.kind is OperandKind.LABEL else one.value for one in operands)
    return " ".join(kinds.get(one.kind, "{}").format(value) for one, value in zip(operands, values))


def test_operands_in_the_upper_half_of_the_operations_word() -> None:
    """So it is where handlers have addresses of 32 bits. Three x registers share 30 bits (`BEAM_TIGHTEST_MASK`)."""
    move = Operation(0, "move2_par_xxx", "xxx", 1, 0, "111#", 0x4000)
    packed = 1 | 2 << 10 | 3 << 20
    decoded = decode(LoadedInstruction(START, move, (packed << 32 | 0x4000,), 8))
    assert told(decoded.operands) == "x1 x2 x3"
