"""An assembler for RISC-V, of 32 and of 64 bits: the instructions that runtimes here make.

It knows the code generator's interface of a processor alone. ``assembler.Assembler`` is the way in. Encodings are those
of the RISC-V Instruction Set Manual, volume I ("the manual"): the base sets RV32I and RV64I with the extensions M
(multiplication) and C (instructions of 16 bits), which are taken wherever they say the same.
"""
