"""From BEAM operations to ARM machine code: one file per family of operations, named as in BeamAsm.

``compile.compile_module`` is the way in. Native code and the module's own bytecode share all state: x registers are in
the scheduler's array, y registers on the Erlang stack, each where the interpreter would have it. So code can go on in
the interpreter before any operation: what is rare, and every exception, is left to the bytecode that stays beside it.
"""
