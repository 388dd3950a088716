/* Resources: of a type with a destructor, and of one that also watches processes; one is kept by C code alone. */
#include <erl_nif.h>
#include <stdint.h>
#include <string.h>

#ifndef MODULE
#define MODULE holding
#endif

static ErlNifResourceType *plain, *watching;

static void destroy(ErlNifEnv *env, void *object)
{
    (void)env;
    memset(object, 0, 1);
}

static void down(ErlNifEnv *env, void *object, ErlNifPid *pid, ErlNifMonitor *monitor)
{
    (void)env;
    (void)object;
    (void)pid;
    (void)monitor;
}

/* {Resource, Address} of so many bytes. */
static ERL_NIF_TERM make(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    ERL_NIF_TERM term;
    void *object;
    unsigned size;
    (void)argc;
    if (!enif_get_uint(env, argv[1], &size))
        return enif_make_badarg(env);
    object = enif_alloc_resource(enif_is_identical(argv[0], enif_make_atom(env, "plain")) ? plain : watching, size);
    term = enif_make_resource(env, object);
    enif_release_resource(object);
    return enif_make_tuple2(env, term, enif_make_uint64(env, (uintptr_t)object));
}

/* Of {Resource, Pid}: the object has the pid and a binary, and watches the process. A binary that is a part of the
 * object, and the address of the other one. */
static ERL_NIF_TERM hold(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    struct { char own[100]; ErlNifPid pid; ErlNifBinary binary; } *object;
    (void)argc;
    if (!enif_get_resource(env, argv[0], watching, (void **)&object) || !enif_get_local_pid(env, argv[1], &object->pid)
        || !enif_alloc_binary(5000, &object->binary) || enif_monitor_process(env, object, &object->pid, NULL))
        return enif_make_badarg(env);
    return enif_make_tuple2(env, enif_make_resource_binary(env, object, (char *)object + 1000, 500),
                            enif_make_uint64(env, (uintptr_t)object->binary.ref_bin));
}

static ERL_NIF_TERM keep(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    (void)argv;
    return enif_make_uint64(env, (uintptr_t)enif_alloc_resource(plain, 77));
}

static ERL_NIF_TERM destructor(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    (void)argv;
    return enif_make_uint64(env, (uintptr_t)destroy);
}

static int load(ErlNifEnv *env, void **data, ERL_NIF_TERM info)
{
    ErlNifResourceTypeInit callbacks = {destroy, NULL, down};
    (void)data;
    (void)info;
    plain = enif_open_resource_type(env, NULL, "plain", destroy, ERL_NIF_RT_CREATE, NULL);
    watching = enif_open_resource_type_x(env, "watching one", &callbacks, ERL_NIF_RT_CREATE, NULL);
    return plain == NULL || watching == NULL;
}

static ErlNifFunc functions[] = {
    {"make", 2, make, 0}, {"hold", 2, hold, 0}, {"keep", 0, keep, 0}, {"destructor", 0, destructor, 0}};

#include "any_release.h"

#define INIT(name) ERL_NIF_INIT(name, functions, load, NULL, NULL, NULL)
INIT(MODULE)
