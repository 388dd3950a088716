"""What a short piece of machine code does, as formulas over the registers and stack slots that it starts with.

For `interpreter`, which reads the handlers of its operations so."""
