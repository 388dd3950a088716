"""Facts of the VM: where fields of its structures lie, how terms are tagged, flags of processes, what releases changed.

Both halves of the project import it; it imports neither.
"""
