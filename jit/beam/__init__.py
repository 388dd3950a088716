"""The .beam file: read into functions, operations and tables, and written back. Anything may import it."""
