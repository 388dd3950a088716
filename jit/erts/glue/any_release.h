/* A library says which version of the interface of NIFs it needs: that of the header, unless it is told another. Nothing
 * here is newer than that of OTP 24 (erl_nif.h, "2.16"), which has the same structures; so older releases than that of
 * the header load the library, too. To be included behind erl_nif.h. */
#undef ERL_NIF_MINOR_VERSION
#define ERL_NIF_MINOR_VERSION 16
#undef ERL_NIF_MIN_ERTS_VERSION
#define ERL_NIF_MIN_ERTS_VERSION "erts-12.0"
