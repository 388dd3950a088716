"""AtomVM as what is debugged: its terms, processes, modules and stacks, beside those of Erlang/OTP's VM in `vm`,
`terms` and `code`. Facts are those of AtomVM's src/libAtomVM at commit 7b282159 (2026-04-30); each module names the
files.
"""
