"""Code as text: loaded bytecode, machine code with the data in it, and operations of .beam files.

For what shows listings; no gdb here."""
