"""Native code inside a stock Erlang/OTP: which builds of it, the glue (a NIF) that links the code there, boot scripts.

``arm32`` makes the code and the files that carry it, for the one processor on which the interpreter is stock. What lies
beside it imports nothing of a processor. Only commands import this package.
"""
