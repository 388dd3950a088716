"""An assembler for 64-bit ARM: the A64 instructions that runtimes here make.

It knows the code generator's interface of a processor alone. ``assembler.Assembler`` is the way in. Encodings are those
of chapter C6 of the Arm Architecture Reference Manual for A-profile (DDI 0487, "the manual").
"""
