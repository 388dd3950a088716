/* A NIF that writes behind the end of a binary that it is given. */
#include <string.h>
#include <erl_nif.h>

static ERL_NIF_TERM write_behind(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    ErlNifBinary binary;
    ERL_NIF_TERM boxed = ((ERL_NIF_TERM) -1 / 255) * 0x41 + 1; /* a pointer to nowhere, as terms have them */
    ERL_NIF_TERM *behind;
    int i;

    if (argc != 1 || !enif_inspect_binary(env, argv[0], &binary))
        return enif_make_badarg(env);
    behind = (ERL_NIF_TERM *) (binary.data + (binary.size + sizeof *behind - 1) / sizeof *behind * sizeof *behind);
    for (i = 0; i < 4; i++)
        behind[i] = boxed;
    return enif_make_atom(env, "ok");
}

static ErlNifFunc functions[] = {{"write_behind", 1, write_behind}};

ERL_NIF_INIT(overrun, functions, NULL, NULL, NULL, NULL)
