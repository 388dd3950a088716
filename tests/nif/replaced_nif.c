/* NIFs that take the place of functions of tests/erts/replaced.erl: they say so. */
#include <erl_nif.h>

static ERL_NIF_TERM plus(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    int x, y;
    (void)argc;
    if (!enif_get_int(env, argv[0], &x) || !enif_get_int(env, argv[1], &y))
        return enif_make_badarg(env);
    return enif_make_tuple2(env, enif_make_atom(env, "nif"), enif_make_int(env, x + y));
}

static ErlNifFunc functions[] = {
    {"plus", 2, plus, 0},
    {"plus_dirty", 2, plus, ERL_NIF_DIRTY_JOB_CPU_BOUND},
};

static int upgrade(ErlNifEnv *env, void **data, void **old_data, ERL_NIF_TERM information)
{
    (void)env, (void)data, (void)old_data, (void)information;
    return 0;
}

#include "any_release.h"

ERL_NIF_INIT(replaced, functions, NULL, NULL, upgrade, NULL)
