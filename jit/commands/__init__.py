"""What each command of ``python -m jit`` does, one in each file."""
