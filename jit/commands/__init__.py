"""What each command of ``python -m jit`` does, one in each file, and the table of targets. ``__main__`` imports it."""
