"""The BEAM operations: their numbers, names and arities, and what each operand means.

Numbers, names and arities come from OTP's lib/compiler/src/genop.tab by ``tools/genop``. What the operands mean stands
here, operation by operation, as OTP's beam_validator.erl and beam_disasm.erl have it. Operations that no loader of
OTP 25 and later takes are known by name and arity only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files
from typing import Final


class Role(Enum):
    """What an operand is to its operation."""

    USE = "use"  # a register that is read, or a constant
    DEF = "def"  # a register that is written
    USE_DEF = "use_def"  # a register that is read, then written
    CONSTANT = "constant"  # a term that is no register
    NUMBER = "number"  # a plain number: an arity of a tuple, an index, a unit, a size
    FLAGS = "flags"  # a plain number: 2 little, 4 signed, 16 native
    ARITY = "arity"  # a plain number: arguments of a call, in x registers from x0 on
    LIVE = "live"  # a plain number: x registers from x0 on that keep their values; others lose them
    STACK = "stack"  # a plain number: y registers to allocate, to deallocate, or to remove
    HEAP = "heap"  # words to have free: a plain number or an Allocation
    SIZE = "size"  # a plain number, or as USE
    LABEL = "label"  # the number of a label that is defined here, as a plain number
    PLACE = "place"  # a label that is named, but control does not go there
    CALLEE = "callee"  # the label of a function's entry
    JUMP = "jump"  # a label where control may go
    FAIL = "fail"  # a label where control goes on failure; label 0: failure raises an exception
    MODE = "mode"  # of bs_start_match4: as FAIL, or the atom no_fail, or resume
    IMPORT = "import"
    LAMBDA = "lambda"
    TAG = "tag"  # of call_fun2: a Lambda if the fun is known, else an atom
    LINE = "line"  # a location
    BITS = "bits"  # a plain number: bits of the string that follows
    BYTES = "bytes"  # a plain number: bytes of the string that follows
    STRING = "string"
    COMMAND = "command"  # the commands of bs_match, one after the other: see ``jit.beam.matching``
    SEGMENT = "segment"  # the value of a segment of bs_create_bin: to USE, or a String


@dataclass(frozen=True)
class Opcode:
    """``since`` is the release that brought it as far as it is told; ``obsolete`` the first release seen without it.

    ``roles`` has one entry per operand, None if they are not told here. If the last operand is a list, its role is a
    tuple: the roles of its elements, over and over.
    """

    number: int
    name: str
    arity: int
    since: str
    obsolete: int | None
    roles: tuple[Role | tuple[Role, ...], ...] | None


# A word per operand; words in brackets are the elements of an operand list, repeated.
_ROLES: Final = {
    # calls
    "call": "arity callee",
    "call_last": "arity callee stack",
    "call_only": "arity callee",
    "call_ext": "arity import",
    "call_ext_last": "arity import stack",
    "call_ext_only": "arity import",
    "call_fun": "arity",
    "call_fun2": "tag arity use",
    "apply": "arity",
    "apply_last": "arity stack",
    "return": "",
    # bifs
    "bif0": "import def",
    "bif1": "fail import use def",
    "bif2": "fail import use use def",
    "bif3": "fail import use use use def",
    "gc_bif1": "fail live import use def",
    "gc_bif2": "fail live import use use def",
    "gc_bif3": "fail live import use use use def",
    # common
    "label": "label",
    "func_info": "constant constant number",
    "int_code_end": "",
    "on_load": "",
    "nif_start": "",
    "line": "line",
    "executable_line": "line number",
    "debug_line": "constant line number number",
    "jump": "jump",
    "move": "use def",
    "swap": "use_def use_def",
    "allocate": "stack live",
    "allocate_heap": "stack heap live",
    "allocate_zero": "stack live",
    "allocate_heap_zero": "stack heap live",
    "test_heap": "heap live",
    "deallocate": "stack",
    "trim": "stack number",
    "init": "def",
    "init_yregs": "[def]",
    "get_list": "use def def",
    "get_hd": "use def",
    "get_tl": "use def",
    "put_list": "use use def",
    "get_tuple_element": "use number def",
    "set_tuple_element": "use use number",
    "put_tuple2": "def [use]",
    "update_record": "constant number use def [number use]",
    # tests
    "is_lt": "fail use use",
    "is_ge": "fail use use",
    "is_eq": "fail use use",
    "is_ne": "fail use use",
    "is_eq_exact": "fail use use",
    "is_ne_exact": "fail use use",
    "is_integer": "fail use",
    "is_float": "fail use",
    "is_number": "fail use",
    "is_atom": "fail use",
    "is_pid": "fail use",
    "is_reference": "fail use",
    "is_port": "fail use",
    "is_nil": "fail use",
    "is_binary": "fail use",
    "is_bitstr": "fail use",
    "is_list": "fail use",
    "is_nonempty_list": "fail use",
    "is_tuple": "fail use",
    "is_map": "fail use",
    "is_boolean": "fail use",
    "is_function": "fail use",
    "is_function2": "fail use use",
    "test_arity": "fail use number",
    "is_tagged_tuple": "fail use number constant",
    # selections
    "select_val": "use fail [constant jump]",
    "select_tuple_arity": "use fail [number jump]",
    # exceptions
    "badmatch": "use",
    "if_end": "",
    "case_end": "use",
    "try_case_end": "use",
    "badrecord": "use",
    "raise": "use use",
    "raw_raise": "",
    "build_stacktrace": "",
    "catch": "def jump",
    "catch_end": "use_def",
    "try": "def jump",
    "try_end": "use_def",
    "try_case": "use_def",
    # messages
    "send": "",
    "remove_message": "",
    "timeout": "",
    "loop_rec": "fail def",
    "loop_rec_end": "jump",
    "wait": "jump",
    "wait_timeout": "jump use",
    "recv_mark": "place",
    "recv_set": "place",
    "recv_marker_bind": "use use",
    "recv_marker_clear": "use",
    "recv_marker_reserve": "def",
    "recv_marker_use": "use",
    # funs
    "make_fun2": "lambda",
    "make_fun3": "lambda def [use]",
    # floats
    "fclearerror": "",
    "fcheckerror": "fail",
    "fmove": "use def",
    "fconv": "use def",
    "fadd": "fail use use def",
    "fsub": "fail use use def",
    "fmul": "fail use use def",
    "fdiv": "fail use use def",
    "fnegate": "fail use def",
    # maps
    "put_map_assoc": "fail use def live [use use]",
    "put_map_exact": "fail use def live [use use]",
    "has_map_fields": "fail use [use]",
    "get_map_elements": "fail use [use def]",
    # matching of bitstrings
    "bs_start_match3": "fail use live def",
    "bs_start_match4": "mode live use def",
    "bs_match": "fail use [command]",
    "bs_get_integer2": "fail use live use number flags def",
    "bs_get_float2": "fail use live use number flags def",
    "bs_get_binary2": "fail use live use number flags def",
    "bs_skip_bits2": "fail use use number flags",
    "bs_test_tail2": "fail use number",
    "bs_test_unit": "fail use number",
    "bs_match_string": "fail use bits string",
    "bs_get_utf8": "fail use live flags def",
    "bs_get_utf16": "fail use live flags def",
    "bs_get_utf32": "fail use live flags def",
    "bs_skip_utf8": "fail use live flags",
    "bs_skip_utf16": "fail use live flags",
    "bs_skip_utf32": "fail use live flags",
    "bs_get_tail": "use def live",
    "bs_get_position": "use def live",
    "bs_set_position": "use use",
    # making of bitstrings
    "bs_create_bin": "fail heap live number def [constant number number use segment use]",
    "bs_init_writable": "",
    "bs_init2": "fail size heap live flags def",
    "bs_init_bits": "fail size heap live flags def",
    "bs_add": "fail use use number def",
    "bs_append": "fail use heap live number use flags def",
    "bs_private_append": "fail use number use flags def",
    "bs_put_integer": "fail use number flags use",
    "bs_put_binary": "fail use number flags use",
    "bs_put_float": "fail use number flags use",
    "bs_put_string": "bytes string",
    "bs_utf8_size": "fail use def",
    "bs_utf16_size": "fail use def",
    "bs_put_utf8": "fail flags use",
    "bs_put_utf16": "fail flags use",
    "bs_put_utf32": "fail flags use",
    # native records
    "is_any_native_record": "fail use",
    "is_native_record": "fail use constant constant",
    "is_record_accessible": "fail use constant",
    "get_record_elements": "fail use [constant def]",
    "get_record_field": "fail use constant constant def",
    "put_record": "fail constant use def live [constant use]",
}


def _roles(name: str) -> tuple[Role | tuple[Role, ...], ...] | None:
    if name not in _ROLES:
        return None
    plain, _, rest = _ROLES[name].partition("[")
    roles: list[Role | tuple[Role, ...]] = [Role(word) for word in plain.split()]
    if rest:
        roles.append(tuple(Role(word) for word in rest.removesuffix("]").split()))
    return tuple(roles)


def _table() -> dict[int, Opcode]:
    rows = json.loads(files(__package__).joinpath("opcodes.json").read_text(encoding="utf-8"))
    return {
        int(number): Opcode(int(number), row["name"], row["arity"], row["since"], row["obsolete"], _roles(row["name"]))
        for number, row in rows.items()
    }


#: The operations by number.
OPCODES: Final = _table()

#: The operations by name.
NAMED: Final = {opcode.name: opcode for opcode in OPCODES.values()}
