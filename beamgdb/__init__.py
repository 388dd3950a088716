"""A GDB extension that shows Erlang inside a running or dead BEAM: terms, processes, stacks, code."""

__version__ = "0.1.0"
