"""Native code that runs inside of the interpreter on 32-bit ARM: ELF objects registered with GDB's JIT interface."""
