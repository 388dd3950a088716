"""Pretty printers: values of type `Eterm` show as terms, in the console and to MI front ends."""

from __future__ import annotations

import gdb
import gdb.printing

from beamgdb.beamasm.symbol_file import NOT_AVAILABLE_TYPE
from beamgdb.gdbext import errors, term_printing

NOT_AVAILABLE = "<not available>"

TERM_TYPES = ("Eterm", "ERL_NIF_TERM")
"""Names of the C types of terms, in the VM (sys.h) and in NIFs (erl_nif.h)."""


class _Text:
    """Prints a text as it is."""

    def __init__(self, text: str) -> None:
        self._text = text

    def to_string(self) -> str:
        return self._text


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
    term_printing.install()
