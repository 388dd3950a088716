"""Pretty printers: values of type `Eterm` show as terms, in the console and to MI front ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import gdb
import gdb.printing

from beamgdb.atomvm.vm import AtomVm
from beamgdb.code.symbol_file import NOT_AVAILABLE_TYPE
from beamgdb.gdbext import errors, session, term_printing
from beamgdb.gdbext.atomvm import session as atomvm
from beamgdb.gdbext.debug_adapter import DebugAdapter
from beamgdb.gdbext.extension import extension
from beamgdb.terms.parts import Part
from beamgdb.views import term_parts
from beamgdb.views.registers import NOT_AVAILABLE
from beamgdb.views.terms import AnyTerms

TERM_TYPES = ("Eterm", "ERL_NIF_TERM")
"""Names of the C types of terms, in the VM (sys.h) and in NIFs (erl_nif.h)."""

MORE = "(set beam-width shows more)"


class _Text:
    """Prints a text as it is."""

    def __init__(self, text: str) -> None:
        self._text = text

    def to_string(self) -> str:
        return encodable(self._text, gdb.target_charset())


def encodable(text: str, charset: str) -> str:
    """The text, or with escapes of Erlang where GDB could not take it: it encodes values as characters of the target,
    names as those of the host, and both are ASCII where no locale is set (GDB manual, "Character Sets")."""
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        pass
    except LookupError:
        charset = "ascii"  # one that Python does not know
    else:
        return text
    return "".join(one if one.encode(charset, "ignore") else f"\\x{{{ord(one):x}}}" for one in text)


class _Compound(_Text):
    """Prints a term that has parts.

    `print` and its like, also in GDB/MI, would print the parts behind the text, which has them all: it is known by what
    it asks for, first the hint, then the text, then the parts (py-prettyprint.c). Variable objects of GDB/MI do not
    begin so (varobj.c), nor does the debug adapter.
    """

    def __init__(self, terms: AnyTerms, word: int, text: str) -> None:
        super().__init__(text)
        self._terms = terms
        self._word = word
        self._asked: list[str] = []

    def display_hint(self) -> None:
        """None: GDB is to choose how it prints this."""
        self._asked.append("hint")

    def to_string(self) -> str:
        """The text."""
        self._asked.append("text")
        return super().to_string()

    def children(self) -> Iterator[tuple[str, gdb.Value | str]]:
        """The parts by name: elements by their places, values of a map by their keys."""
        if self._asked == ["hint", "text"]:
            return
        most = extension().parameters.limits.width
        found = self._terms.node.parts(self._word, most + 1)
        names = [self._name(part) for part in found[:most]]
        for name, part in zip(names if extension().part(DebugAdapter).is_connected else _addresses(names), found):
            yield name, term_printing.value(part.word)
        if len(found) > most:
            yield "...", MORE

    def _name(self, part: Part) -> str:
        if part.key is not None:
            return encodable(self._terms.text(part.key), gdb.target_charset())
        return f"[{part.place}]" if part.place is not None else "[tail]"


def _addresses(names: Iterable[str]) -> Iterator[str]:
    """Names by which front ends of GDB/MI ask for children of children: no two alike, which GDB refuses, as those of
    long keys may be; and without what would need escapes between double quotes, for not all of them escape it."""
    known: Counter[str] = Counter()
    for name in names:
        plain = name.replace('"', "''").replace("\\", "/")
        known[plain] += 1
        yield plain if known[plain] == 1 else f"{plain} #{known[plain]}"


def _terms() -> AnyTerms | None:
    """What writes terms of the VM that GDB debugs, None without one."""
    current = session.find()
    if current is not None:
        return term_printing.terms(current.node)
    vm = atomvm.known()
    return term_printing.any_terms(vm) if vm is not None else None


class EtermPrinter(gdb.printing.PrettyPrinter):
    """Chooses by the names of types, before typedefs are resolved: `Eterm` is an integer to C."""

    def __init__(self) -> None:
        super().__init__("beamgdb")

    def __call__(self, value: gdb.Value) -> _Text | None:
        name = value.type.unqualified().name
        if name == NOT_AVAILABLE_TYPE:
            return _Text(NOT_AVAILABLE)
        if name not in (*TERM_TYPES, term_printing.OF_ATOMVM):
            return None
        terms = _terms()
        # (Others have types of such a name too, of anything.)
        is_of_atomvm = name == term_printing.OF_ATOMVM
        if terms is None or is_of_atomvm is not isinstance(terms.node, AtomVm) or not _is_integer(value.type):
            return None
        try:
            if value.is_optimized_out:
                return _Text(NOT_AVAILABLE)
            word = int(value)
        except (gdb.error, ValueError) as error:
            return _Text(f"<{errors.one_line(error)}>")
        text = terms.text(word)
        if term_parts.has_parts(terms, word, text):
            return _Compound(terms, word, text)
        return _Text(text)


def _is_integer(kind: gdb.Type) -> bool:
    return bool(kind.strip_typedefs().code == gdb.TYPE_CODE_INT)


def install() -> None:
    """Register the printer for all programs; it answers only in a VM."""
    gdb.printing.register_pretty_printer(None, EtermPrinter(), replace=True)
