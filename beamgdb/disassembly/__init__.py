"""Code as text: loaded bytecode, machine code, and operations of .beam files. No gdb here."""
