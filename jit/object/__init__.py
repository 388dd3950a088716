"""Writers of ELF object files and DWARF debugging information for any machine."""
