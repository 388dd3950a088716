"""Where fields lie: offsets and sizes of the VM's C structures, from DWARF, else from built-in tables."""
