"""The runtime of stock Erlang/OTP on 32-bit ARM: one file per family of operations, named as in BeamAsm.

Native code and the module's own bytecode share all state: x registers are in the scheduler's array, y registers on the
Erlang stack, each where the interpreter would have it. So code can go on in the interpreter before any operation: what
is rare, and every exception, is left to the bytecode that stays beside it. ``runtime.StockErts`` is the way in, for
the table of targets; the rest is for this package.
"""
