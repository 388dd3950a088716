/* Native functions that people have trouble with: they hang, on schedulers of both kinds; they start a thread; their
   resource is freed wrongly; they make sure of what is not so. */
#include <assert.h>
#include <erl_nif.h>
#include <stddef.h>
#include <unistd.h>

static ErlNifResourceType *fragile;
static volatile int seconds;

static void *work(void *unused)
{
    for (;;)
        sleep(1);
    return unused;
}

static ERL_NIF_TERM hang(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    (void)argv;
    for (;;)
        seconds += sleep(1) == 0;
    return enif_make_int(env, seconds);
}

static ERL_NIF_TERM start_thread(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    ErlNifTid thread;
    (void)argc;
    (void)argv;
    return enif_make_int(env, enif_thread_create("troubles_work", &thread, work, NULL, NULL));
}

static void destroy(ErlNifEnv *env, void *object)
{
    int **where = object;
    (void)env;
    **where = seconds;
}

static ERL_NIF_TERM make_fragile(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    int **object = enif_alloc_resource(fragile, sizeof *object);
    ERL_NIF_TERM term = enif_make_resource(env, object);
    (void)argc;
    (void)argv;
    *object = NULL;
    enif_release_resource(object);
    return term;
}

static ERL_NIF_TERM make_sure(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    int number = 0;
    (void)argc;
    enif_get_int(env, argv[0], &number);
    assert(number == 4);
    return argv[0];
}

static ERL_NIF_TERM over_released(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    int **object = enif_alloc_resource(fragile, sizeof *object);
    ERL_NIF_TERM one = enif_make_resource(env, object), other = enif_make_resource(env, object);
    (void)argc;
    (void)argv;
    *object = (int *)&seconds;
    enif_release_resource(object);
    enif_release_resource(object);
    return enif_make_tuple2(env, one, other);
}

static int load(ErlNifEnv *env, void **data, ERL_NIF_TERM info)
{
    (void)data;
    (void)info;
    fragile = enif_open_resource_type(env, NULL, "fragile", destroy, ERL_NIF_RT_CREATE, NULL);
    return fragile == NULL;
}

static ErlNifFunc functions[] = {
    {"hang", 2, hang, 0},
    {"dirty_hang", 2, hang, ERL_NIF_DIRTY_JOB_CPU_BOUND},
    {"dirty_io_hang", 1, hang, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"start_thread", 0, start_thread, 0},
    {"make_fragile", 0, make_fragile, 0},
    {"make_sure", 1, make_sure, 0},
    {"over_released", 0, over_released, 0},
};

#include "any_release.h"

ERL_NIF_INIT(troubles, functions, load, NULL, NULL, NULL)
