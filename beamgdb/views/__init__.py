"""What is shown of a VM, as rows (dataclasses of plain values) and as text of rows; and how what users type is read.
All that shows something may import it: it imports neither `gdb` nor `beamgdb.gdbext`."""
