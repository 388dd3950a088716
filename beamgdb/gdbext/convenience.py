"""What all convenience functions share: a check of their arguments, and errors of one line."""

from __future__ import annotations

import gdb

from beamgdb.gdbext import errors


class ConvenienceFunction(gdb.Function):
    """A function for expressions. Its class docstring is the help text, whose first word shows how it is called."""

    least = most = 1
    """Numbers of arguments that it takes."""

    def invoke(self, *arguments: gdb.Value) -> gdb.Value | str | bool:
        if not self.least <= len(arguments) <= self.most:
            usage = (self.__doc__ or "").partition(":")[0]
            raise gdb.GdbError(f"usage: {usage}")
        return errors.raised_as_gdb_error(lambda: self.answer(*arguments))

    def answer(self, *arguments: gdb.Value) -> gdb.Value | str | bool:
        """The value for these arguments; whatever it raises becomes an error of one line."""
        raise NotImplementedError


def text_of(argument: gdb.Value) -> str:
    """An argument that must be a string; raises `gdb.GdbError`."""
    try:
        return argument.string()
    except (gdb.error, ValueError, OverflowError):
        raise gdb.GdbError(f"a string is wanted here, not a value of type {argument.type}") from None
