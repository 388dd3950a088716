"""Frames of C code for 32-bit ARM that has no unwind information and hardly any symbols: `CUnwinder` finds them.

For what takes GDB through C frames; asks `machine_code` alone."""
