"""Stepping through Erlang code by lines and calls, with the process and not with a thread. The commands that step
import it, and the breakpoints of the interpreter ask it where a process is."""
