"""Native code for AtomVM, as it loads it from the chunk ``avmN`` of a .beam file.

What the VM asks of native code stands in ``formats.py``, by format and target; emitters (``code_*.py``) know no
processor, only the macro operations of ``macros.py``, which a package for each processor has.
"""
