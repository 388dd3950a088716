"""What the tests that run real programs share: Erlang nodes, GDB sessions and cores."""
