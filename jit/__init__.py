"""A compiler from BEAM bytecode to native code, and the object files that describe what it makes."""
