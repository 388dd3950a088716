"""What both halves need of the operating system: command lines, text for terminals, files, the cache folder.

Anything in `jit` and `beamgdb` may import it; it imports nothing of either.
"""
