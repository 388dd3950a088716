"""An assembler for Thumb code as ARMv6-M has it, and for what ARMv7-M has beyond that where it is asked for.

It knows the code generator's interface of a processor, and registers and conditions of 32-bit ARM.
``assembler.Assembler`` is the way in. Encodings are those of chapter A6 of the ARMv6-M Architecture Reference Manual
(DDI 0419), those that ARMv6-M does not have of chapter A7 of the one for ARMv7-M (DDI 0403).
"""
