"""A compiler from BEAM bytecode to native code, and the object files that describe what it makes.

``python -m jit`` is the way in. The debugger imports only what knows no compiler: ``beam``, ``object``, ``otp``,
``sandbox`` and ``system``.
"""
