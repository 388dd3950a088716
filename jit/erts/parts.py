"""What the parts of files are called that carry native code: chunks of a .beam file, sections of the native object.

They are written in ``jit.erts.arm32``, and read by the glue.
"""

from __future__ import annotations

from typing import Final

#: The chunk that holds the native object, the one that holds the bytecode beside it, and that with their checksum.
CHUNK: Final = "NatA"
BYTECODE_CHUNK: Final = "NatB"
CHECKSUM_CHUNK: Final = "NatC"

#: Rows of three words: a label of the bytecode, the ways in from the interpreter and from native code.
ENTRIES_SECTION: Final = ".beam.entries"
#: What the layout of the VM must be: ``NativeLayout.identity``.
LAYOUT_SECTION: Final = ".beam.layout"
#: A word: bits of AT_HWCAP that Linux must tell of the processor (``jit.arm32.cpus``).
PROCESSOR_SECTION: Final = ".beam.processor"
