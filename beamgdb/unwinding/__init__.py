"""From a frame to its caller, by what runs the code: BeamAsm, the interpreter, native code in it, or C on 32-bit ARM.

For the code that answers a debugger; nothing below asks how frames are unwound."""
