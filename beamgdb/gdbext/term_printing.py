"""Terms as text, within limits that the user sets."""

from __future__ import annotations

import gdb

from beamgdb.code.symbol_file import NOT_AVAILABLE_TYPE
from beamgdb.gdbext import c_expressions
from beamgdb.gdbext.atomvm import session as atomvm
from beamgdb.gdbext.extension import extension
from beamgdb.node import Node
from beamgdb.views.registers import NOT_AVAILABLE
from beamgdb.views.terms import AnyTerms, TermReader, Terms
from beamgdb.vm.frame import HeldWord

OF_ATOMVM = "term"
"""The name of the C type of terms in AtomVM (term_typedef.h)."""


def terms(node: Node) -> Terms:
    """Writes terms of a VM, within the limits and in the syntax in force."""
    parameters = extension().parameters
    return Terms(node, parameters.limits, parameters.syntax)


def any_terms(vm: TermReader) -> AnyTerms:
    """The same for a VM of whichever kind."""
    parameters = extension().parameters
    return AnyTerms(vm, parameters.limits, parameters.syntax)


def function(name: str) -> str:
    """A function's name as users see it, from that of its symbol."""
    return extension().parameters.syntax.function(name)


def module(name: str) -> str:
    """A module's name likewise; many registered names of Elixir are such."""
    return extension().parameters.syntax.module(name)


def eterm_type() -> gdb.Type:
    """The type of terms: the VM's own if GDB knows it, else that of the symbol files."""
    try:
        return gdb.lookup_type(OF_ATOMVM if atomvm.known() is not None else "Eterm")
    except gdb.error:
        return c_expressions.word()


def value(word: int) -> gdb.Value:
    """A term as a GDB value, which GDB prints through the pretty printer."""
    kind = eterm_type()
    return gdb.Value(word & ((1 << 8 * kind.sizeof) - 1)).cast(kind)


def variable(word: HeldWord) -> gdb.Value:
    """A word of a frame likewise; one in memory can be assigned to."""
    if word.address is None:
        return value(word)
    return gdb.Value(word.address).cast(eterm_type().pointer()).dereference()


def not_available() -> gdb.Value | str:
    """What GDB prints in place of a value that is not known."""
    try:
        return gdb.Value(0).cast(gdb.lookup_type(NOT_AVAILABLE_TYPE))
    except gdb.error:
        return NOT_AVAILABLE
