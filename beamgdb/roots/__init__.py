"""Where variables and functions of the VM are that a stripped beam.smp does not name.

`-fvisibility=hidden`, as OTP is built since 29, leaves in the table of symbols only what NIFs and drivers call. `Roots`
(`finder.py`) finds the rest by what it must be: constants by their neighbours, tables by the strings that name them,
what describes code by that code, and functions by what they refer to. Whoever asks for a variable does so by its name,
and does not know whether a symbol or a proof gave it. What is ambiguous is not found.
"""
