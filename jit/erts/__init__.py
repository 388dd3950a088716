"""Running native code inside a stock Erlang/OTP: field offsets, the glue (a NIF), and what both sides agree on."""
