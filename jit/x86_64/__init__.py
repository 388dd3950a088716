"""An assembler for x86-64: the instructions that runtimes here make.

It knows the code generator's interface of a processor alone. ``assembler.Assembler`` is the way in. Instructions are
encoded as in volume 2 of the Intel 64 and IA-32 Architectures Software Developer's Manual ("the manual"), each in the
shortest way that GNU as has too.
"""
