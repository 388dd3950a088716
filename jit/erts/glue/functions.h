/* Functions of a VM that hides them, tried with arguments whose results are known. */
#ifndef NATIVE_FUNCTIONS_H
#define NATIVE_FUNCTIONS_H

#include "vm.h"

/* functions(): the names of those that do not do what they should, as atoms; none in a VM that exports its symbols. */
ERL_NIF_TERM functions_wrong(ErlNifEnv *env, int argc, const ERL_NIF_TERM arguments[]);

/* call_nif(): whether the code of this function is that of a NIF, as it is a while after it was loaded. True in a VM that
 * exports its symbols. */
ERL_NIF_TERM functions_call_nif(ErlNifEnv *env, int argc, const ERL_NIF_TERM arguments[]);

#endif
