"""Crash dumps as the VM writes them (`erl_crash.dump`), made of what a debugger sees of it.

The format is that of ERTS's break.c and erl_process_dump.c, version 0.5, which OTP 25, 27 and 29 write; what it means
is what crashdump_viewer.erl of OTP's observer application reads. What is not known has no line.
"""
