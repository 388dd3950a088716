"""What OTP's JIT, BeamAsm, uses registers for, and its code followed from the entry: where the frame and arguments are.

`flow` is the data-flow analysis, and a file for each processor says what its instructions do. For `unwinding`, and the
node that says which processor it is."""
