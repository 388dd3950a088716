/* Prints terms as the machine words that they are. */
#include <erl_nif.h>
#include <stdio.h>

static ERL_NIF_TERM print(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    ERL_NIF_TERM pairs = argv[0], pair;
    (void)argc;
    while (enif_get_list_cell(env, pairs, &pair, &pairs)) {
        const ERL_NIF_TERM *elements;
        char name[64];
        int arity;
        if (!enif_get_tuple(env, pair, &arity, &elements) || arity != 2
            || !enif_get_atom(env, elements[0], name, sizeof name, ERL_NIF_LATIN1))
            return enif_make_badarg(env);
        printf("word %s %lx\n", name, (unsigned long)elements[1]);
    }
    fflush(stdout);
    return enif_make_atom(env, "ok");
}

static ErlNifFunc functions[] = {{"print", 1, print, 0}};

#include "any_release.h"

ERL_NIF_INIT(words, functions, NULL, NULL, NULL, NULL)
