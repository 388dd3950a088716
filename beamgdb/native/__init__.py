"""What native code for the interpreter, which `jit/` has made, uses the registers of 32-bit ARM for.

For `unwinding` and what shows or steps through such code."""
