"""Erlang in a BEAM without a JIT: the interpreter `process_main` (emu/beam_emu.c), which runs loaded code as data."""
