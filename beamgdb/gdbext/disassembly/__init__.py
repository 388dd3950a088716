"""The code of a function as `beam-disas` shows it."""
