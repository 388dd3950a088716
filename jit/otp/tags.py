"""How a term is tagged, as data, per OTP release and word size.

Source: `erl_term.h`, `erl_map.h`, `erl_fun.h`, `big.h` and `erl_ptab.h` of OTP 25.2.3, 27.3.4.1 and 29.1.1. The lowest
two bits of a word are its primary tag; immediates go on with four or six tag bits; a header word has a four-bit subtag
above the primary tag and a size above that. Primary and immediate tags are the same in all releases; subtags are not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from jit.otp.features import (
    BITS_NOT_BYTES,
    FUN_REFERENCES,
    LONG_IDENTIFIERS,
    NATIVE_RECORDS,
    SHORT_INTEGERS,
    WHOLE_ALIASES,
)

# Primary tags (bits 0 and 1).
PRIMARY_MASK: Final = 0x3
HEADER: Final = 0x0
CONS: Final = 0x1
BOXED: Final = 0x2

# First-level immediates (bits 0 to 3) and second-level ones (bits 0 to 5).
IMMED1_MASK: Final = 0xF
IMMED1_BITS: Final = 4
PID: Final = 0x3
PORT: Final = 0x7
SMALL: Final = 0xF
IMMED2_MASK: Final = 0x3F
IMMED2_BITS: Final = 6
ATOM: Final = 0x0B
CATCH: Final = 0x1B
NIL: Final = 0x3B

#: Bits that are clear in pointers alone: to lists, and to what is boxed.
NOT_CONS: Final = PRIMARY_MASK ^ CONS
NOT_BOXED: Final = PRIMARY_MASK ^ BOXED

# The words of the atoms that are the first two (atom.names).
FALSE: Final = 0 << IMMED2_BITS | ATOM
TRUE: Final = 1 << IMMED2_BITS | ATOM

# Header words: subtag in bits 2 to 5, arity above.
SUBTAG_SHIFT: Final = 2
SUBTAG_MASK: Final = 0xF
ARITY_SHIFT: Final = 6
HEADER_MASK: Final = SUBTAG_MASK << SUBTAG_SHIFT | PRIMARY_MASK
MAX_TUPLE_ARITY: Final = (1 << 24) - 1

# Map headers: the arity field holds type:2, arity:8, value:16. The value is a HAMT node's bitmap.
MAP_TYPE_MASK: Final = 0x3
MAP_ARITY_SHIFT: Final = ARITY_SHIFT + 2
MAP_ARITY_MASK: Final = 0xFF
MAP_VALUE_SHIFT: Final = MAP_ARITY_SHIFT + 8
MAP_VALUE_BITS: Final = 16
MAP_VALUE_MASK: Final = (1 << MAP_VALUE_BITS) - 1
MAP_FLAT: Final = 0
MAP_NODE: Final = 1
MAP_HEAD_ARRAY: Final = 2
MAP_HEAD_BITMAP: Final = 3
#: A flatmap has at most this many keys (erl_map.h, MAP_SMALL_MAP_LIMIT).
MAX_FLATMAP_SIZE: Final = 32

# Fun headers since OTP 27: arity in bits 8 to 15, environment size above; in 27 that is 0 for an external fun.
FUN_ARITY_SHIFT: Final = 8
FUN_ENV_SHIFT: Final = 16
#: Since OTP 28 the environment size is a byte, and this bit is that of an external fun. There is nothing above it.
FUN_KIND_SHIFT: Final = 24
#: Arities and numbers of free variables are bytes in all releases.
MAX_FUN_ARITY: Final = 0xFF


class Kind(Enum):
    """What a header word introduces. The values are the names shown to a user."""

    TUPLE = "tuple"
    POS_BIG = "positive bignum"
    NEG_BIG = "negative bignum"
    REF = "reference"
    FUN = "fun"
    FLOAT = "float"
    EXTERNAL_PID = "external pid"
    EXTERNAL_PORT = "external port"
    EXTERNAL_REF = "external reference"
    MAP = "map"
    # OTP 25
    MATCH_STATE = "match state"
    PROC_BIN = "refc binary"
    HEAP_BIN = "heap binary"
    SUB_BIN = "sub binary"
    # since OTP 27, a fun ref only there
    FUN_REF = "fun ref"
    HEAP_BITS = "heap bitstring"
    SUB_BITS = "sub bitstring"
    BIN_REF = "binary ref"
    # since OTP 29
    RECORD = "native record"

    # There is one of each, and kinds are looked up for each term: what `Enum` does in Python takes its time.
    __hash__ = object.__hash__


#: By the four bits of a header word above the primary tag, before bit strings were counted in bits, and since.
_SUBTAGS_IN_BYTES: Final = (
    Kind.TUPLE, Kind.MATCH_STATE, Kind.POS_BIG, Kind.NEG_BIG,
    Kind.REF, Kind.FUN, Kind.FLOAT, None,
    Kind.PROC_BIN, Kind.HEAP_BIN, Kind.SUB_BIN, None,
    Kind.EXTERNAL_PID, Kind.EXTERNAL_PORT, Kind.EXTERNAL_REF, Kind.MAP,
)  # fmt: skip
_SUBTAGS_IN_BITS: Final = (
    Kind.TUPLE, None, Kind.POS_BIG, Kind.NEG_BIG,
    Kind.REF, Kind.FUN, Kind.FLOAT, None,
    Kind.HEAP_BITS, Kind.SUB_BITS, Kind.BIN_REF, Kind.MAP,
    Kind.EXTERNAL_PID, Kind.EXTERNAL_PORT, Kind.EXTERNAL_REF, None,
)  # fmt: skip


def _subtags(release: int) -> tuple[Kind | None, ...]:
    """What subtags stand for in a release."""
    if not BITS_NOT_BYTES.of(release):
        return _SUBTAGS_IN_BYTES
    subtags = list(_SUBTAGS_IN_BITS)
    if FUN_REFERENCES.of(release):
        subtags[0x1] = Kind.FUN_REF
    if NATIVE_RECORDS.of(release):
        subtags[0x7] = Kind.RECORD
    return tuple(subtags)


def _headers(subtags: tuple[Kind | None, ...]) -> dict[Kind, int]:
    return {kind: subtag << SUBTAG_SHIFT | HEADER for subtag, kind in enumerate(subtags) if kind is not None}


#: A header word without its arity, in either scheme: what all of its releases have.
HEADERS_IN_BYTES: Final = _headers(_SUBTAGS_IN_BYTES)
HEADERS_IN_BITS: Final = _headers(_SUBTAGS_IN_BITS)

# Those that are the same in all known releases, as far as native code uses them.
TUPLE_HEADER: Final = HEADERS_IN_BITS[Kind.TUPLE]
BIG_HEADER: Final = HEADERS_IN_BITS[Kind.POS_BIG]
BIG_SIGN: Final = HEADERS_IN_BITS[Kind.POS_BIG] ^ HEADERS_IN_BITS[Kind.NEG_BIG]
FUN_HEADER: Final = HEADERS_IN_BITS[Kind.FUN]
FLOAT_HEADER: Final = HEADERS_IN_BITS[Kind.FLOAT]
#: What is in a queue of signals and no message begins as if it were an external pid (erl_proc_sig_queue.h).
SIGNAL_HEADER: Final = HEADERS_IN_BITS[Kind.EXTERNAL_PID]

#: Kinds of boxed terms that are the same in all known releases, and need no C structure to be read.
SAME_IN_ALL: Final = frozenset({Kind.TUPLE, Kind.POS_BIG, Kind.NEG_BIG, Kind.FLOAT})

#: What `erl_etp.c` calls kinds, where that is not as here; None for one that it does not tell.
_ETP_NAMES: Final = {Kind.TUPLE: "arityval", Kind.RECORD: None}
_ETP_MAPS: Final = {
    "head_flatmap": MAP_FLAT, "node_bitmap": MAP_NODE, "head_array": MAP_HEAD_ARRAY, "head_bitmap": MAP_HEAD_BITMAP,
}  # fmt: skip

#: Releases whose term format is known. 26 is 25 but for what `jit.otp.features` says. Funs of 28 are those of 29, as
#: its erl_fun.h has them; what is the same in 27 and 29 is taken to be so in 28, and native records came in 29.
RELEASES: Final = (25, 26, 27, 28, 29)


@dataclass(frozen=True)
class TagScheme:
    """The tag scheme of one release on one word size (in bytes)."""

    release: int
    word_size: int
    subtags: tuple[Kind | None, ...]
    non_value: int
    literal_bit: int
    id_bits: int
    #: Local pids and ports hold a table slot instead of a plain number; see `slots`.
    ids_by_slot: bool
    pid_number_bits: int
    max_big_words: int
    #: Numbers of a reference that carries a pid (an alias) as `ref_to_list/1` prints them.
    pid_ref_shown: int
    #: Whether this is the scheme of the release, and not only what all known releases have in common.
    is_whole: bool = True
    #: Whether it was proved on a VM, and is not known by its release: kinds of which there were no terms are not in it.
    is_proved: bool = False

    @property
    def word_bits(self) -> int:
        return 8 * self.word_size

    def kind(self, header: int) -> Kind | None:
        """What the header word introduces; None for a subtag that the release does not use."""
        return self.subtags[header >> SUBTAG_SHIFT & SUBTAG_MASK]

    def told(self) -> dict[str, int]:
        """What a VM tells of this in numbers that it exports since OTP 27, by their names (erl_etp.c)."""
        headers = _headers(self.subtags)
        named = {_ETP_NAMES.get(kind, kind.name.lower()): header for kind, header in headers.items()}
        return {
            "etp_tag_primary_mask": PRIMARY_MASK, "etp_tag_primary_header": HEADER, "etp_tag_primary_list": CONS,
            "etp_tag_primary_boxed": BOXED, "etp_tag_immed1_mask": IMMED1_MASK, "etp_tag_immed1_size": IMMED1_BITS,
            "etp_tag_immed1_pid": PID, "etp_tag_immed1_port": PORT, "etp_tag_immed1_small": SMALL,
            "etp_tag_immed2_mask": IMMED2_MASK, "etp_tag_immed2_size": IMMED2_BITS, "etp_tag_immed2_atom": ATOM,
            "etp_tag_immed2_catch": CATCH, "etp_tag_immed2_nil": NIL, "etp_tag_header_mask": HEADER_MASK,
            "etp_header_subtag_mask": SUBTAG_MASK << SUBTAG_SHIFT, "etp_header_arity_offs": ARITY_SHIFT,
            "etp_tag_literal_ptr": self.literal_bit,
            **{f"etp_{name}_subtag": header for name, header in named.items() if name is not None},
            **{f"etp_map_subtag_{name}": one << ARITY_SHIFT | headers[Kind.MAP] for name, one in _ETP_MAPS.items()},
        }  # fmt: skip


def tag_scheme(release: int, word_size: int, *, debug: bool = False, literal_bit: bool = False) -> TagScheme:
    """The scheme of an OTP release; raises LookupError for one whose format is not known.

    `debug`: that of a debug emulator, where the non-value is an empty float header (`ET_DEBUG`), and that has the
    literal bit too. `literal_bit`: literal pointers carry bit 2 (`TAG_LITERAL_PTR`: also on 64-bit systems where
    address space cannot be reserved without memory; not Linux).
    """
    if release not in RELEASES or word_size not in (4, 8):
        raise LookupError(f"the term format of OTP {release} on {8 * word_size} bits is not known")
    subtags = _subtags(release)
    is_long = LONG_IDENTIFIERS.of(release)
    return TagScheme(
        release=release,
        word_size=word_size,
        subtags=subtags,
        non_value=subtags.index(Kind.FLOAT) << SUBTAG_SHIFT if debug else HEADER,
        literal_bit=4 if (literal_bit or debug) and word_size == 8 else 0,
        id_bits=60 if is_long and word_size == 8 else 28,
        ids_by_slot=is_long or word_size == 4,
        pid_number_bits=28 if is_long else 15,
        max_big_words=((1 << 22) // (8 * word_size) if SHORT_INTEGERS.of(release) else 1 << 19) - 1,
        pid_ref_shown=(5 if word_size == 8 else 4) if WHOLE_ALIASES.of(release) else 3,
    )


def common_scheme(word_size: int) -> TagScheme:
    """What the schemes of all known releases have in common, for one that is not known: nobody has proved that it is
    the same there. Pids, ports, binaries, funs, references and maps are not told from each other."""
    schemes = [tag_scheme(release, word_size) for release in RELEASES]
    shared = (kinds[0] if len(set(kinds)) == 1 else None for kinds in zip(*(one.subtags for one in schemes)))
    return replace(
        schemes[-1],
        subtags=tuple(kind if kind in SAME_IN_ALL else None for kind in shared),
        ids_by_slot=True,
        max_big_words=min(one.max_big_words for one in schemes),
        is_whole=False,
    )
