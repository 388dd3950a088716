"""Pretty printers: values of type `Eterm` show as terms, in the console and to MI front ends."""

from __future__ import annotations

import gdb
import gdb.printing

from beamgdb.code.symbol_file import NOT_AVAILABLE_TYPE
from beamgdb.gdbext import errors, term_printing
from beamgdb.views.registers import NOT_AVAILABLE

TERM_TYPES = ("Eterm", "ERL_NIF_TERM")
"""Names of the C types of terms, in the VM (sys.h) and in NIFs (erl_nif.h)."""


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


class EtermPrinter(gdb.printing.PrettyPrinter):
    """Chooses by the names of types, before typedefs are resolved: `Eterm` is an integer to C."""

    def __init__(self) -> None:
        super().__init__("beamgdb")

    def __call__(self, value: gdb.Value) -> _Text | None:
        name = value.type.unqualified().name
        if name == NOT_AVAILABLE_TYPE:
            return _Text(NOT_AVAILABLE)
        if name not in TERM_TYPES:
            return None
        try:
            text = NOT_AVAILABLE if value.is_optimized_out else term_printing.of_current(int(value))
        except (gdb.error, ValueError) as error:
            text = f"<{errors.one_line(error)}>"
        return _Text(text) if text is not None else None


def install() -> None:
    """Register the printer for all programs; it answers only in a VM."""
    gdb.printing.register_pretty_printer(None, EtermPrinter(), replace=True)
