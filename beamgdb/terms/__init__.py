"""Erlang terms in target memory: tagged words -> values (`decode`) -> Erlang syntax (`text`)."""
