"""Stepping through Erlang code by lines and calls, with the process and not with a thread."""
