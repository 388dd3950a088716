"""How a term is tagged, as data, per OTP release and word size.

Source: `erl_term.h`, `erl_map.h`, `erl_fun.h`, `big.h` and `erl_ptab.h` of OTP 25.2.3 and 27.3.4.1. The lowest two
bits of a word are its primary tag; immediates go on with four or six tag bits; a header word has a four-bit subtag
above the primary tag and a size above that. Primary and immediate tags are the same in both releases; subtags are not.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

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

# Header words: subtag in bits 2 to 5, arity above.
SUBTAG_SHIFT: Final = 2
SUBTAG_MASK: Final = 0xF
ARITY_SHIFT: Final = 6
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

# OTP 27 fun headers: arity in bits 8 to 15, environment size (0 for an external fun) above.
FUN_ARITY_SHIFT: Final = 8
FUN_ENV_SHIFT: Final = 16
#: Arities and numbers of free variables are bytes in both releases.
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
    # OTP 27
    FUN_REF = "fun ref"
    HEAP_BITS = "heap bitstring"
    SUB_BITS = "sub bitstring"
    BIN_REF = "binary ref"


_SUBTAGS: Final[dict[int, tuple[Kind | None, ...]]] = {
    25: (
        Kind.TUPLE, Kind.MATCH_STATE, Kind.POS_BIG, Kind.NEG_BIG,
        Kind.REF, Kind.FUN, Kind.FLOAT, None,
        Kind.PROC_BIN, Kind.HEAP_BIN, Kind.SUB_BIN, None,
        Kind.EXTERNAL_PID, Kind.EXTERNAL_PORT, Kind.EXTERNAL_REF, Kind.MAP,
    ),
    27: (
        Kind.TUPLE, Kind.FUN_REF, Kind.POS_BIG, Kind.NEG_BIG,
        Kind.REF, Kind.FUN, Kind.FLOAT, None,
        Kind.HEAP_BITS, Kind.SUB_BITS, Kind.BIN_REF, Kind.MAP,
        Kind.EXTERNAL_PID, Kind.EXTERNAL_PORT, Kind.EXTERNAL_REF, None,
    ),
}  # fmt: skip

#: Bits of a local pid's or port's data, and of them the pid's number (the rest is its serial).
_ID_BITS: Final = {(25, 4): (28, 15), (25, 8): (28, 15), (27, 4): (28, 28), (27, 8): (60, 28)}

#: Largest bignum, in words (BIG_ARITY_MAX).
_MAX_BIG_WORDS: Final = {
    (25, 4): (1 << 19) - 1,
    (25, 8): (1 << 19) - 1,
    (27, 4): (1 << 17) - 1,
    (27, 8): (1 << 16) - 1,
}

#: Releases whose term format is known.
RELEASES: Final = tuple(_SUBTAGS)


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

    @property
    def word_bits(self) -> int:
        return 8 * self.word_size

    def kind(self, header: int) -> Kind | None:
        """What the header word introduces; None for a subtag that the release does not use."""
        return self.subtags[header >> SUBTAG_SHIFT & SUBTAG_MASK]


def tag_scheme(release: int, word_size: int, *, debug: bool = False, literal_bit: bool = False) -> TagScheme:
    """The scheme of an OTP release (25 or 27); raises LookupError for one whose format is not known.

    `debug`: the emulator was built with term checking (`ET_DEBUG`), where the non-value is an empty float header.
    `literal_bit`: literal pointers carry bit 2 (`TAG_LITERAL_PTR`: debug emulators, and 64-bit systems where address
    space cannot be reserved without memory; not Linux).
    """
    if release not in _SUBTAGS or word_size not in (4, 8):
        raise LookupError(f"the term format of OTP {release} on {8 * word_size} bits is not known")
    id_bits, pid_number_bits = _ID_BITS[release, word_size]
    pid_ref_numbers = 5 if word_size == 8 else 4
    return TagScheme(
        release=release,
        word_size=word_size,
        subtags=_SUBTAGS[release],
        non_value=_SUBTAGS[release].index(Kind.FLOAT) << SUBTAG_SHIFT if debug else HEADER,
        literal_bit=4 if literal_bit and word_size == 8 else 0,
        id_bits=id_bits,
        ids_by_slot=(release, word_size) != (25, 8),
        pid_number_bits=pid_number_bits,
        max_big_words=_MAX_BIG_WORDS[release, word_size],
        pid_ref_shown=pid_ref_numbers if release >= 27 else 3,
    )
