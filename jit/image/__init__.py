"""A program as its file has it: where things lie in memory, also what no symbol names. Both halves search it."""
