"""Erlang terms in target memory: tagged words -> values (`decode`) -> Erlang syntax (`text`).

For all that reads or shows terms; knows memory and tags, and of the VM only what it is given."""
