"""The macro operations on RISC-V, of 32 and 64 bits."""
