/* What native.erl needs to try the layout on the running VM. */
#ifndef NATIVE_EXPERIMENT_H
#define NATIVE_EXPERIMENT_H

#include "vm.h"

/* peek(Base, Field): a word, at a field by its name in jit/otp/layouts/wanted.py. Base is `process`, the caller's,
 * `registers`, its scheduler's, or an address. false if nothing can be read there. */
ERL_NIF_TERM experiment_peek(ErlNifEnv *env, int argc, const ERL_NIF_TERM arguments[]);

/* address(Field): where a field of the process is. */
ERL_NIF_TERM experiment_address(ErlNifEnv *env, int argc, const ERL_NIF_TERM arguments[]);

/* word(Term): the word of a term. */
ERL_NIF_TERM experiment_word(ErlNifEnv *env, int argc, const ERL_NIF_TERM arguments[]);

/* raise(Reason): raises it, or `elsewhere` if its fields of the process are not where they should be. */
ERL_NIF_TERM experiment_raise(ErlNifEnv *env, int argc, const ERL_NIF_TERM arguments[]);

#endif
