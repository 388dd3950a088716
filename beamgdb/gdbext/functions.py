"""Convenience functions for GDB expressions and breakpoint conditions."""

from __future__ import annotations

import gdb

from beamgdb.gdbext import current_frame, errors, session, term_printing


class _Function(gdb.Function):
    """A function whose errors are one line."""

    def invoke(self, *arguments: gdb.Value) -> gdb.Value:
        if len(arguments) != 1:
            raise gdb.GdbError(f"usage: {self.__doc__}".splitlines()[0])
        return errors.raised_as_gdb_error(lambda: self.answer(int(arguments[0])))

    def answer(self, number: int) -> gdb.Value:
        raise NotImplementedError


class XRegister(_Function):
    """$_xreg(N): x register N of the selected frame, as a term.

    An error where the frame's x registers are not known, because it has called another Erlang function."""

    def answer(self, number: int) -> gdb.Value:
        return term_printing.value(current_frame.x_register(number))


class YRegister(_Function):
    """$_yreg(N): y register N of the selected frame, or of the next Erlang frame outside of it, as a term."""

    def answer(self, number: int) -> gdb.Value:
        return term_printing.value(current_frame.y_register(number))


class TermText(_Function):
    """$_eterm(WORD): the text of a tagged word in Erlang syntax, as a string.

    For conditions as in: break -function m:f/1 if $_streq($_eterm(x0), "ok")"""

    def answer(self, number: int) -> gdb.Value:
        node = session.require().node
        # Of a Python string GDB makes an array of just its characters; printf's %s needs the end mark too.
        text = term_printing.text(node, number & node.memory.address_mask).encode() + b"\0"
        return gdb.Value(text, gdb.lookup_type("char").array(len(text) - 1))


def install() -> None:
    """Define the functions."""
    XRegister("_xreg")
    YRegister("_yreg")
    TermText("_eterm")
