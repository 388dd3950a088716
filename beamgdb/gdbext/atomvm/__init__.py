"""AtomVM under GDB: what `gdbext` does for Erlang/OTP's VM."""
