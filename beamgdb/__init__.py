"""A GDB extension that shows Erlang inside a running or dead BEAM: terms, processes, stacks, code.

GDB loads it by `loader.py`; scripts of users may import what needs no GDB, such as `views`.
`jit` imports none of it."""

__version__ = "0.1.0"
