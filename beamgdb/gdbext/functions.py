"""Convenience functions for GDB expressions and breakpoint conditions."""

from __future__ import annotations

import gdb

from beamgdb.gdbext import c_expressions, current_frame, session, term_printing
from beamgdb.gdbext.atomvm import registers as atomvm
from beamgdb.gdbext.atomvm import session as atomvm_session
from beamgdb.gdbext.convenience import ConvenienceFunction
from beamgdb.gdbext.machine_word import machine_word


class XRegisterFunction(ConvenienceFunction):
    """$_xreg(N): x register N of the selected frame, as a term.

    An error where the frame's x registers are not known, because it has called
    another Erlang function."""

    def answer(self, *arguments: gdb.Value) -> gdb.Value:
        (number,) = map(machine_word, arguments)
        vm = atomvm_session.known()
        return term_printing.value(atomvm.one(vm, "x", number) if vm else current_frame.x_register(number))


class _OfAFrame(ConvenienceFunction):
    """A function that is given a register of its frame too, so that a variable object of GDB/MI belongs to that: GDB
    looks for variables and registers in its expression (varobj.c), and evaluates one without any in whichever frame is
    selected."""

    most = 2


class YRegisterFunction(_OfAFrame):
    """$_yreg(N): y register N of the selected frame, as a term.

    Of a frame of C, it is that of the next Erlang frame outside of it. In a
    variable object of GDB/MI, $_yreg(N,$pc) is that of one frame."""

    def answer(self, *arguments: gdb.Value) -> gdb.Value:
        number = machine_word(arguments[0])
        vm = atomvm_session.known()
        if vm:
            return term_printing.value(atomvm.one(vm, "y", number))
        return term_printing.variable(current_frame.y_register(number))


class ArgumentFunction(_OfAFrame):
    """$_arg(N): argument N of the selected frame's function, from 0 on, as a term.

    As `bt` shows it: <not available> where it is not known any more. In a
    variable object of GDB/MI, $_arg(N,$pc) is that of one frame."""

    def answer(self, *arguments: gdb.Value) -> gdb.Value | str:
        word = current_frame.argument(machine_word(arguments[0]))
        return term_printing.not_available() if word is None else term_printing.variable(word)


class TermTextFunction(ConvenienceFunction):
    """$_eterm(WORD): the text of a tagged word in Erlang syntax, as a string.

    For conditions as in: break -function m:f/1 if $_streq($_eterm(x0), "ok")"""

    def answer(self, *arguments: gdb.Value) -> gdb.Value:
        (word,) = map(machine_word, arguments)
        vm = atomvm_session.known() or session.require().node
        # Of a Python string GDB makes an array of just its characters; printf's %s needs the end mark too.
        text = term_printing.any_terms(vm).text(word & vm.memory.address_mask).encode() + b"\0"
        return gdb.Value(text, c_expressions.char().array(len(text) - 1))


def install() -> None:
    """Define the functions."""
    XRegisterFunction("_xreg")
    YRegisterFunction("_yreg")
    ArgumentFunction("_arg")
    TermTextFunction("_eterm")
