"""The code of a function as `beam-disas` shows it: rows, their text, and comments. As for all of `beamgdb.views`,
anything may import it that shows something."""
