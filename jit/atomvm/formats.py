"""What AtomVM asks of native code: numbers of the chunk, primitives, and where its structures have what, by format.

A format is a version of all that. Facts of format 1 are those of AtomVM's repository at commit 7b282159 (2026-04-30):
src/libAtomVM/jit.h (numbers, primitives and their types), module.h (the chunk), context.h and jit.c (offsets, asserted
there).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Layout:
    """Offsets in bytes on processors whose words have ``word`` bytes.

    Of ``Context``: ``root`` the pointer to the first of what the heap consists of, in the first word of which is the
    next; ``heap`` where the heap ends that is in use, below the stack if there is no next; ``e`` the stack pointer,
    ``x`` the first of x registers, ``cp`` where the running function returns to, ``fr`` the pointer to float registers,
    ``bs`` and ``bs_offset``. Of ``JITState``: ``module``, ``continuation``, ``reductions``. The first 32 bits of a
    ``Module`` are its index.
    """

    word: int
    root: int
    heap: int
    e: int
    x: int
    cp: int
    fr: int
    bs: int
    module: int
    continuation: int
    reductions: int


@dataclass(frozen=True)
class Target:
    """What the code of a processor is called in a chunk, and the size of an entry of its table of labels in bytes."""

    architecture: int
    variant: int
    layout: Layout
    entry: int

    @property
    def float_bytes(self) -> int:
        """The size of a float in the VM's registers for these."""
        return 4 if self.variant & FLOAT32 else 8


@dataclass(frozen=True)
class Format:
    """A version of the contract. ``primitives`` has the index of each in the table that native code is given.

    ``still`` are those that never move the stack.
    ``narrow`` are those whose results are not whole words, with the bytes of these: the C ABI says nothing of the rest
    of the register.
    """

    version: int
    primitives: Mapping[str, int]
    still: frozenset[str]
    narrow: Mapping[str, int]
    targets: Mapping[str, Target]


PIC: Final = 1
FLOAT32: Final = 2
THUMB2: Final = 4

_PRIMITIVES_1: Final = (
    "raise_error do_return schedule_next_cp module_get_atom_term_by_id call_ext allocate handle_error trim_live_regs "
    "get_imported_bif deallocate terminate_context term_compare test_heap put_list module_load_literal "
    "alloc_boxed_integer_fragment term_alloc_tuple send extended_register_pointer raise_error_tuple term_alloc_fun "
    "process_signal_messages mailbox_peek mailbox_remove_message timeout mailbox_next cancel_timeout "
    "clear_timeout_flag raise schedule_wait_cp wait_timeout wait_timeout_trap_handler call_fun context_get_flags "
    "context_ensure_fpregs term_from_float term_is_number term_conv_to_float fadd fsub fmul fdiv fnegate catch_end "
    "memory_ensure_free_with_roots term_alloc_bin_match_state bitstring_extract_integer term_sub_binary_heap_size "
    "term_maybe_create_sub_binary term_find_map_pos bitstring_utf8_size bitstring_utf16_size "
    "term_create_empty_binary decode_flags_list bitstring_insert_utf8 bitstring_insert_utf16 bitstring_insert_utf32 "
    "bitstring_insert_integer bitstring_copy_module_str bitstring_copy_binary apply malloc free put_map_assoc "
    "bitstring_extract_float module_get_fun_arity bitstring_match_module_str bitstring_get_utf8 bitstring_get_utf16 "
    "bitstring_get_utf32 term_copy_map stacktrace_build term_reuse_binary alloc_big_integer_fragment "
    "bitstring_insert_float raw_raise raise_error_mfa"
)

_STILL_1: Final = (
    "module_get_atom_term_by_id extended_register_pointer get_imported_bif term_compare term_is_number "
    "term_sub_binary_heap_size term_find_map_pos bitstring_match_module_str module_get_fun_arity malloc free"
)

_BOOL: Final = 1
_INT: Final = 4
_BOOLS_1: Final = (
    "allocate deallocate test_heap send term_is_number fadd fsub fmul fdiv catch_end memory_ensure_free_with_roots "
    "bitstring_insert_utf32 bitstring_insert_integer bitstring_match_module_str bitstring_insert_float"
)
_INTS_1: Final = (
    "term_compare context_get_flags term_find_map_pos bitstring_utf8_size bitstring_utf16_size decode_flags_list "
    "bitstring_insert_utf8 bitstring_insert_utf16 bitstring_copy_binary module_get_fun_arity"
)

_WORDS_OF_4: Final = Layout(
    word=4, root=0x04, heap=0x0C, e=0x14, x=0x18, cp=0x5C, fr=0x60, bs=0x64, module=0, continuation=4, reductions=8
)
_WORDS_OF_8: Final = Layout(
    word=8, root=0x08, heap=0x18, e=0x28, x=0x30, cp=0xB8, fr=0xC0, bs=0xC8, module=0, continuation=8, reductions=16
)

F1: Final = Format(
    version=1,
    primitives={name: index for index, name in enumerate(_PRIMITIVES_1.split())},
    still=frozenset(_STILL_1.split()),
    narrow={**dict.fromkeys(_BOOLS_1.split(), _BOOL), **dict.fromkeys(_INTS_1.split(), _INT)},
    targets={
        "x86_64": Target(1, PIC, _WORDS_OF_8, 5),
        "x86_64+float32": Target(1, PIC | FLOAT32, _WORDS_OF_8, 5),
        "aarch64": Target(2, PIC, _WORDS_OF_8, 4),
        "aarch64+float32": Target(2, PIC | FLOAT32, _WORDS_OF_8, 4),
        "armv6m": Target(3, PIC, _WORDS_OF_4, 12),
        "armv6m+float32": Target(3, PIC | FLOAT32, _WORDS_OF_4, 12),
        "armv6m+thumb2": Target(3, PIC | THUMB2, _WORDS_OF_4, 6),
        "armv6m+thumb2+float32": Target(3, PIC | THUMB2 | FLOAT32, _WORDS_OF_4, 6),
        "riscv32": Target(4, PIC, _WORDS_OF_4, 8),
        "riscv32+float32": Target(4, PIC | FLOAT32, _WORDS_OF_4, 8),
        "riscv64": Target(5, PIC, _WORDS_OF_8, 8),
        "riscv64+float32": Target(5, PIC | FLOAT32, _WORDS_OF_8, 8),
        "arm32": Target(6, PIC, _WORDS_OF_4, 8),
        "arm32+float32": Target(6, PIC | FLOAT32, _WORDS_OF_4, 8),
        "wasm32": Target(7, PIC, _WORDS_OF_4, 4),
        "xtensa": Target(8, PIC, _WORDS_OF_4, 20),
    },
)

#: So many x registers are in the ``Context``; those above have places of their own, which a primitive gives.
X_REGISTERS: Final = 16
#: One word behind them is the collector's to look at as well.
EXTRA: Final = X_REGISTERS

#: Of a code offset in a return address, above two bits of tag, and of a module's index above that.
OFFSET_BITS: Final = 22
MODULE_SHIFT: Final = 24
#: Of the number of a label in a catch term.
CATCH_BITS: Final = 18

#: ``n_words`` of ``call_ext``: the call of a function that comes back; a tail call of a function without a frame.
CALL, TAIL_CALL = -2, -1

#: Flags of a process that ``context_get_flags`` is asked for (context.h): its timeout has expired.
TIMEOUT_EXPIRED: Final = 2
#: Of ``memory_ensure_free_with_roots`` (memory.h).
CAN_SHRINK: Final = 1
#: Results of ``term_find_map_pos``.
NOT_FOUND, NO_MEMORY = -1, -2
#: An option of ``term_compare``. Its results for less, equal and greater are 2, 1 and 4, which with these bits changed
#: are less than, equal to and greater than ``MIDDLE``.
EXACT: Final = 1
ORDERING: Final = 3
MIDDLE: Final = 2
