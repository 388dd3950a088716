"""Erlang in a BEAM without a JIT: the interpreter `process_main` (emu/beam_emu.c), which runs loaded code as data.

For the node, `unwinding`, `disassembly` and what steps through bytecode."""
