"""Machine instructions: what they do to registers and memory, where they lead, what they refer to, and their text.

For whoever reads code of any kind; knows nothing of Erlang."""
