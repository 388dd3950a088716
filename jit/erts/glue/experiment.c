#define _GNU_SOURCE
#include "experiment.h"

#include <string.h>
#include <unistd.h>

/* Copy a word from anywhere, without a fault: the kernel looks whether it can be read. */
static int read_word(Word address, Word *word)
{
    int ends[2];
    int good = 0;

    if (address % sizeof(Word) || pipe(ends))
        return 0;
    if (write(ends[1], (const void *)address, sizeof(Word)) == sizeof(Word))
        good = read(ends[0], word, sizeof(Word)) == sizeof(Word);
    close(ends[0]);
    close(ends[1]);
    return good;
}

static int field_offset(ErlNifEnv *env, ERL_NIF_TERM name, Word *offset)
{
    ErlNifBinary text;

    if (!enif_inspect_binary(env, name, &text))
        return 0;
    for (unsigned i = 0; i < FIELD_COUNT; i++)
        if (strlen(field_names[i]) == text.size && memcmp(field_names[i], text.data, text.size) == 0) {
            *offset = vm_layout->offset[i];
            return 1;
        }
    return 0;
}

static int base_address(ErlNifEnv *env, ERL_NIF_TERM base, const ERL_NIF_TERM arguments[], Word *address)
{
    unsigned long number;

    if (enif_is_identical(base, enif_make_atom(env, "process")))
        *address = FIELD(env, ErlNifEnv_proc);
    else if (enif_is_identical(base, enif_make_atom(env, "registers")))
        *address = (Word)arguments - vm_layout->offset[ErtsSchedulerRegisters_x_reg_array];
    else if (enif_get_ulong(env, base, &number))
        *address = number;
    else
        return 0;
    return 1;
}

ERL_NIF_TERM experiment_peek(ErlNifEnv *env, int argc, const ERL_NIF_TERM arguments[])
{
    Word base, offset, word;

    (void)argc;
    if (!base_address(env, arguments[0], arguments, &base) || !field_offset(env, arguments[1], &offset))
        return enif_make_badarg(env);
    return read_word(base + offset, &word) ? enif_make_ulong(env, word) : enif_make_atom(env, "false");
}

ERL_NIF_TERM experiment_address(ErlNifEnv *env, int argc, const ERL_NIF_TERM arguments[])
{
    Word offset;

    (void)argc;
    if (!field_offset(env, arguments[0], &offset))
        return enif_make_badarg(env);
    return enif_make_ulong(env, FIELD(env, ErlNifEnv_proc) + offset);
}

ERL_NIF_TERM experiment_word(ErlNifEnv *env, int argc, const ERL_NIF_TERM arguments[])
{
    (void)argc;
    return enif_make_ulong(env, arguments[0]);
}

ERL_NIF_TERM experiment_raise(ErlNifEnv *env, int argc, const ERL_NIF_TERM arguments[])
{
    Word process = FIELD(env, ErlNifEnv_proc), reason = FIELD(process, Process_freason);

    (void)argc;
    FIELD(process, Process_freason) = 0;
    enif_raise_exception(env, arguments[0]);
    if (FIELD(process, Process_freason) != 0 && FIELD(process, Process_fvalue) == arguments[0])
        return 0;
    FIELD(process, Process_freason) = reason;
    return enif_raise_exception(env, enif_make_atom(env, "elsewhere"));
}
