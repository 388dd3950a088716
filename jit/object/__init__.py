"""Writers of ELF object files and DWARF for any machine, and a reader of ELF symbols. Anything may import it."""
