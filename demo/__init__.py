"""`python -m demo`: a busy stock Erlang node, looked at with GDB and this extension."""
