"""An assembler for 32-bit ARM: instructions of A32, and of VFP for floats, as far as a processor has them (``cpus``).

It knows the code generator's interface of a processor alone; runtimes for 32-bit ARM import it, and who lists code.

``assembler.Assembler`` is the way in; ``text`` turns machine code back into GNU as's syntax. Instructions are declared
in one file per family, with fields named as in the ARM Architecture Reference Manual ARMv7-A and ARMv7-R edition (DDI
0406C, here "the manual"); each declaration cites its heading in chapter A8.8 and the encoding there.
"""
