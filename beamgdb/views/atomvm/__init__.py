"""What commands show of AtomVM: rows of the same kinds as of Erlang/OTP's VM, in the modules of the same names."""
