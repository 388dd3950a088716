"""Where functions and variables of a VM are that its file does not name: each is what alone fits what the code does.

What is said here of operations stands in `emu/*.tab`, of BIFs in `bif.tab`. Tests compare all that with the symbols of
releases that export theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from jit.erts.hidden.flow import INDIRECT
from jit.erts.hidden.program import NotFound, Program
from jit.otp import vm_flags

#: What many operations do besides: fail, and let another process run, or at a call.
_ANYWHERE: Final = ("i_yield", "if_end", "i_call_f")

#: By function: operations that call it, and no other function but those of `_ANYWHERE` and of what follows `-`.
CALLED_BY: Final = {
    "apply": "i_apply i_apply_last_Q i_apply_only - i_call_ext_e",
    "apply_fun": "i_apply_fun i_apply_fun_last_Q i_apply_fun_only",
    "big_to_double": "fconv_Sl",
    "build_stacktrace": "build_stacktrace",
    "call_fun": "i_call_fun_t i_call_fun_last_tQ",
    "eq": "is_eq_exact_fxx is_ne_exact_fSS i_get_map_elements_fsI",
    "erl_send": "send",
    "erts_band": "i_band_xcjd i_band_ssjd",
    "erts_bnot": "i_int_bnot_jSd",
    "erts_bor": "i_bor_jssd",
    "erts_bs_get_binary_2": "i_bs_get_binary_imm2_xftWd i_bs_get_binary_imm2_yftWd - test_heap_It",
    "erts_bs_get_binary_all_2": "i_bs_get_binary_all2_xfttd - test_heap_It i_bs_test_unit_fxt",
    "erts_bs_get_float_2": "i_bs_get_float2_xftstd i_bs_get_float2_yftstd - test_heap_It",
    "erts_bs_get_integer_2": "i_bs_get_integer_16_xfd i_bs_get_integer_8_xfd i_bs_get_integer_xfttSd - test_heap_It",
    "erts_bs_get_utf16": "i_bs_get_utf16_xftd i_bs_get_utf16_yftd",
    "erts_bs_get_utf8": "i_bs_get_utf8_xfd i_bs_get_utf8_yfd",
    "erts_bs_init_writable": "bs_init_writable",
    "erts_bs_start_match_3": "i_bs_start_match3_xtjd i_bs_start_match3_ytjd - test_heap_It",
    "erts_bxor": "i_bxor_jssd",
    "erts_cmp_bits__": "i_bs_match_string_xfWW i_bs_match_string_yfWW - is_lt_fss",
    "erts_cmp_compound": "is_lt_literal_fxc is_ge_literal_fxc is_eq_fSs is_lt_fxx",
    "erts_garbage_collect_nobump": "test_heap_It allocate_tt",
    "erts_gc_new_map": "new_map_dtI",
    "erts_gc_new_small_map_lit": "i_new_small_map_lit_dtq",
    "erts_gc_update_map_assoc": "update_map_assoc_xdtI update_map_assoc_cdtI",
    "erts_gc_update_map_exact": "update_map_exact_xjdtI update_map_exact_yjdtI",
    "erts_int_div_rem": "i_int_div_jssd i_rem_ssjd",
    "erts_mixed_div": "i_m_div_jssd",
    "erts_mixed_minus": "i_minus_xxjd i_minus_cyjd",
    "erts_mixed_plus": "i_plus_xxjd i_increment_rWd",
    "erts_mixed_times": "i_times_jssd",
    "erts_msgq_remove_leading_recv_markers_set_save_first": "timeout remove_message i_wait_error - i_call_ext_e",
    "erts_proc_unlock_failed": "timeout_locked wait_locked_f - timeout",
    "erts_unary_minus": "i_unary_minus_xjd i_unary_minus_cjd",
    "fixed_apply": "apply_t apply_last_tQ - i_call_ext_e",
    "get_map_element": "i_get_map_element_fxxx i_get_map_element_fyyy",
    "get_map_element_hash": "i_get_map_element_hash_fxcWx i_get_map_element_hash_fycWy",
    "save_calls": "i_call_ext_e i_call_ext_last_eQ remove_message",
}

#: By function of a BIF: its name in Erlang.
_BIFS: Final = {
    **{f"{name}_{arity}": f"erlang:{name}/{arity}" for name, arity in (
        ("abs", 1), ("bsl", 2), ("bsr", 2), ("is_binary", 1), ("is_bitstring", 1), ("is_function", 2), ("is_number", 1),
        ("is_pid", 1), ("is_port", 1), ("is_reference", 1),
    )},
    "erts_internal_beamfile_module_md5_1": "erts_internal:beamfile_module_md5/1",
    "erts_internal_prepare_loading_2": "erts_internal:prepare_loading/2",
    "erts_internal_purge_module_2": "erts_internal:purge_module/2",
}  # fmt: skip

#: BIFs that look for a module with the code that is in use, and for nothing in code that is being loaded.
_OF_MODULES: Final = ("erlang:module_loaded/1", "erlang:check_old_code/1", "erlang:get_module_info/1")

#: What `i_bs_create_bin` writes a segment with, by the kind of it (erl_bits.h, `BSC_`), the last of which is UTF32.
_WRITERS: Final = {
    3: "erts_bs_put_binary", 4: "erts_bs_put_binary_all", 6: "erts_bs_put_float", 10: "erts_bs_put_utf8",
    11: "erts_bs_put_utf16",
}  # fmt: skip
_INTEGER, _STRING, _UTF32 = 8, 9, 12
#: The bit of `BSF_LITTLE` in flags of a segment.
_LITTLE_BIT: Final = vm_flags.BSF_LITTLE.bit_length() - 1
BIG_ENDIAN, LITTLE_ENDIAN = "erts_bs_put_integer_be", "erts_bs_put_integer_le"

#: What is found that is no code.
VARIABLES: Final = ("bif_table", "the_active_code_index")

#: Instructions whose handlers the glue asks for.
_HANDLERS: Final = ("call_bif_W", "call_nif_WWW", "i_func_info_IaaI")

#: Callers of what only a few call.
_FEW: Final = 4

_Rule = Callable[[Program], Iterator[tuple[str, Iterable[int]]]]


def find(program: Program) -> dict[str, int]:
    """The address of each, by its name in C; of a handler by ``handler:`` and the name of its operation.

    Raises NotFound where not exactly one address fits.
    """
    found: dict[str, int] = {}
    for rule in RULES:
        try:
            for name, places in rule(program):
                fitting = set(places)
                if len(fitting) != 1:
                    raise NotFound(f"{name}: {len(fitting) or 'no'} places fit")
                found[name] = fitting.pop()
        except (KeyError, ValueError) as error:  # a BIF, an operation or a function is not there that others lead to
            raise NotFound(f"what follows {list(found)[-1:]}: {error!r}") from None
    if len(set(found.values())) != len(found):
        raise NotFound("one place fits several names")
    return found


def _calls(program: Program, operation: str) -> list[int]:
    """What the handler of an operation calls, without what many do."""
    if operation not in program.handlers:
        raise NotFound(f"{operation}: there is no such operation")
    anywhere = _called_anywhere(program)
    calls = program.main.calls(program.handlers[operation])
    return [one for one in calls if one not in anywhere]


def _called_anywhere(program: Program) -> set[int]:
    handlers = [program.handlers[operation] for operation in _ANYWHERE]
    return {INDIRECT}.union(*(program.main.calls(handler) for handler in handlers))


def _of_operations(program: Program) -> Iterator[tuple[str, Iterable[int]]]:
    for name, text in CALLED_BY.items():
        by, _, others = text.partition(" - ")
        all_call = set.intersection(*(set(_calls(program, operation)) for operation in by.split()))
        yield name, all_call.difference(*(_calls(program, operation) for operation in others.split()))
    yield from ((f"handler:{name}", [program.handlers[name] & ~1]) for name in _HANDLERS)


def _writing(program: Program) -> dict[int, int]:
    """By kind of a segment, where it is written. Characters of 32 bits are written as integers are."""
    found = []
    for table in program.main.tables(program.handlers["i_bs_create_bin_jIWdW"]):
        cases = dict(enumerate(table, _UTF32 + 1 - len(table)))
        is_one = cases.keys() >= _WRITERS.keys() and cases[_INTEGER] == cases[_UTF32]
        if is_one and all(len(program.main.first_calls(cases[kind])) == 1 for kind in _WRITERS):
            found.append(cases)
    if len(found) != 1:
        raise NotFound(f"i_bs_create_bin: {len(found) or 'no'} tables look like that of segments")
    return found[0]


def _of_writers(program: Program) -> Iterator[tuple[str, Iterable[int]]]:
    cases = _writing(program)
    calls = {kind: program.main.first_calls(to) for kind, to in cases.items()}
    yield from ((name, calls[kind]) for kind, name in _WRITERS.items())
    # The table has none for a string: control goes on to the next segment there, where that is tested for before.
    others = set().union(*(calls[kind] for kind in cases if kind != _STRING))
    yield "erts_bs_put_string", calls[_STRING] - others - _called_anywhere(program)
    little = program.main.called_where_bit_is_set(cases[_INTEGER], bit=_LITTLE_BIT)
    yield LITTLE_ENDIAN, little
    yield BIG_ENDIAN, calls[_INTEGER] - little


def _of_appends(program: Program) -> Iterator[tuple[str, Iterable[int]]]:
    """Both are called once, and from nowhere else. One of them may collect garbage first."""
    written = {call for to in _writing(program).values() for call in program.main.first_calls(to)}
    calls = _calls(program, "i_bs_create_bin_jIWdW")
    own = {one for one in calls if calls.count(one) == 1 and program.callers[one] == {program.main_start}} - written
    (collect,) = set(_calls(program, "test_heap_It"))
    collecting = {one for one in own if _share(program, program.callees[one], collect)}
    yield "erts_bs_append_checked", collecting
    yield "erts_bs_private_append_checked", own - collecting


def _share(program: Program, functions: Iterable[int], function: int) -> bool:
    """Whether one of *functions* calls something that *function* calls, and few others do."""
    few = {to for to in program.callees[function] if len(program.callers[to]) <= _FEW}
    return any(program.callees.get(one, frozenset()) & few for one in functions)


def _of_receives(program: Program) -> Iterator[tuple[str, Iterable[int]]]:
    first, next_ = program.handlers["i_loop_rec_f"], program.handlers["loop_rec_end_f"]
    # Only from one message to the next are there markers to be passed before anything else.
    yield "erts_msgq_pass_recv_markers", program.main.first_calls(next_) - program.main.first_calls(first)
    helpers = (one for one in _calls(program, "i_loop_rec_f") if program.callers[one] == {program.main_start})
    yield "erts_proc_sig_receive_helper", helpers
    remove = program.handlers["remove_message"]
    calls = set(_calls(program, "remove_message"))
    yield "erts_save_message_in_proc", {one for one in calls if not program.main.is_passed_by(remove, one)}
    # It is called when a process ends, too.
    ends = {to for one in _calls(program, "normal_exit") for to in program.callees.get(one, ())}
    yield "erts_cancel_proc_timer", calls & ends


def _of_nifs(program: Program) -> Iterator[tuple[str, Iterable[int]]]:
    """Before and behind the NIF, which a register says, whatever comes of it."""
    handler = program.handlers["call_nif_WWW"]
    calls = program.main.calls(handler)
    always = [one for one in calls if not program.main.is_passed_by(handler, one)]
    nif = always.index(INDIRECT) if INDIRECT in always else 0
    yield "erts_pre_nif", always[:nif]
    yield "erts_post_nif", always[nif + 1 :]


def _of_bifs(program: Program) -> Iterator[tuple[str, Iterable[int]]]:
    yield "bif_table", [program.bif_table]
    for name, bif in _BIFS.items():
        yield name, [program.bifs[bif]] if bif in program.bifs else []


def _others(program: Program) -> Iterator[tuple[str, Iterable[int]]]:
    callees, bifs = program.callees, program.bifs
    of_modules = [bifs[name] for name in _OF_MODULES]
    yield "erts_get_module", frozenset.intersection(*(callees[one] for one in of_modules))
    yield "the_active_code_index", set.intersection(*(program.variables_of(one) for one in of_modules))
    applies = [
        set(_calls(program, operation)) - set(_calls(program, "i_call_ext_e")) for operation in ("i_apply", "apply_t")
    ]
    makers = [bifs["erlang:make_fun/3"], *(one for found in applies for one in found)]
    yield "erts_export_get_or_make_stub", frozenset.intersection(*(callees[one] for one in makers))
    yield "beamfile_get_literal", program.that_say("illegal literal index")
    yield "erts_new_bitstring", _new_bitstring(program)


def _new_bitstring(program: Program) -> set[int]:
    """What two BIFs call that make bitstrings, and that calls something which `i_bs_create_bin` makes large ones with:
    itself, or by what it calls."""
    callees, bifs = program.callees, program.bifs
    makers = {one for one in _calls(program, "i_bs_create_bin_jIWdW") if len(program.callers[one]) > _FEW}
    copies = {to for one in callees[bifs["binary:copy/1"]] for to in callees.get(one, ())}
    near = {
        one: callees.get(one, frozenset()).union(*(callees.get(to, ()) for to in callees.get(one, ())))
        for one in copies & callees[bifs["erts_debug:unaligned_bitstring/2"]]
    }
    return {one for one, reached in near.items() if reached & makers}


#: Each gives names, and what fits them.
RULES: Final[tuple[_Rule, ...]] = (
    _of_operations, _of_writers, _of_appends, _of_receives, _of_nifs, _of_bifs, _others
)  # fmt: skip
