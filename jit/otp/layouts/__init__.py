"""Where fields lie: offsets and sizes of the VM's C structures, from DWARF, else from built-in tables.

``python -m jit.otp.layouts BEAM`` makes a table. Both halves import it, as all of ``jit.otp``: the debugger for the VM
that it has found, the compiler for the build that code is for.
"""
