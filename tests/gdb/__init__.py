"""The extension in real GDB on real Erlang: sessions of a user."""
