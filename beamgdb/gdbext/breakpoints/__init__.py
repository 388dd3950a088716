"""Breakpoints on Erlang functions and lines, in code of BeamAsm and of the interpreter. Commands and steps import them;
they import no command."""
