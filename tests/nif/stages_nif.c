/* Native functions to stop in, with debug information. */
#include <erl_nif.h>

ERL_NIF_TERM stage_reached(ErlNifEnv *env, ERL_NIF_TERM argument)
{
    return enif_make_tuple2(env, argument, argument);
}

ERL_NIF_TERM dirty_stage_reached(ErlNifEnv *env, ERL_NIF_TERM argument)
{
    return enif_make_list1(env, argument);
}

static ERL_NIF_TERM c_function(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    return stage_reached(env, argv[0]);
}

static ERL_NIF_TERM dirty_c_function(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    return dirty_stage_reached(env, argv[0]);
}

static ErlNifFunc functions[] = {
    {"c_function", 1, c_function, 0},
    {"dirty_c_function", 1, dirty_c_function, ERL_NIF_DIRTY_JOB_CPU_BOUND},
};

#include "any_release.h"

ERL_NIF_INIT(stages, functions, NULL, NULL, NULL, NULL)
