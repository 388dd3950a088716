"""From BEAM operations to machine code: the driver, its analyses and what describes code to debuggers.

It knows no processor and no runtime but by ``processor`` and ``runtime``, and imports none: processors import the
former alone, runtimes all of it, and commands begin at ``compile.compile_module``.
"""
