/* A native function with a bug: it reads address 0. */
#include <erl_nif.h>
#include <stddef.h>

static ERL_NIF_TERM read_null(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    const volatile int *nowhere = NULL;
    (void)argc;
    (void)argv;
    return enif_make_int(env, *nowhere);
}

static ErlNifFunc functions[] = {{"read_null", 1, read_null, 0}};

#include "any_release.h"

ERL_NIF_INIT(crash, functions, NULL, NULL, NULL, NULL)
