/*
 * The library of the module `native`: native code for modules whose .beam file carries some.
 *
 * The loader's two ends are caught. erts_internal:prepare_loading/2 gives code that nobody can call yet: there the
 * object is mapped, and the functions that it has are patched so that the interpreter runs it as a NIF.
 * erts_internal:purge_module/2 frees the code of a module: there the object goes too. Both are called by preloaded
 * modules, whose code holds the address of the C function: those words are exchanged.
 */
#define _GNU_SOURCE
#include "experiment.h"
#include "gdb_jit.h"
#include "object.h"
#include "vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef Word (*Bif)(Word process, Word *arguments, const Word *instruction);

/* Native code of one module instance; `header` is where the instance's code begins. `preparation` holds the loader's
 * state until it is known whether anybody has finished loading the module. */
struct native {
    struct native *next;
    const void *header;
    ErlNifEnv *preparation;
    Word module, state, binary;
    struct object object;
    void *registration;
};

static struct native *natives;
static ErlNifMutex *lock; /* of natives, and of GDB's list */
static Bif prepare_loading, purge_module;
static Word call_nif, library, suspended;

enum { BOXED = 2 }; /* the tag of a pointer to a boxed term (erl_term.h) */
enum { ENV_ROOM = 64 }; /* words: more than any ErlNifEnv has */

static void complain(const char *module, const char *wrong)
{
    fprintf(stderr, "native: %s runs interpreted: %s\r\n", module, wrong);
}

/* ---- the list, which its lock guards ---- */

static void attach(struct native *native)
{
    native->next = natives;
    natives = native;
}

/* The native code of a module instance, which the list has no longer; NULL if there is none. */
static struct native *detach(const void *header)
{
    struct native *native = NULL;

    enif_mutex_lock(lock);
    for (struct native **link = &natives; *link; link = &(*link)->next)
        if ((*link)->header == header) {
            native = *link;
            *link = native->next;
            break;
        }
    enif_mutex_unlock(lock);
    return native;
}

static void discard(struct native *native)
{
    if (!native)
        return;
    enif_mutex_lock(lock);
    if (native->registration)
        gdb_unregister(native->registration);
    enif_mutex_unlock(lock);
    if (native->preparation)
        enif_free_env(native->preparation);
    object_free(&native->object);
    free(native);
}

/* Discard what was prepared and can no longer be finished: only this list still refers to the loader's state. */
static void sweep(void)
{
    struct native *lost;

    do {
        lost = NULL;
        enif_mutex_lock(lock);
        for (struct native *native = natives; native && !lost; native = native->next) {
            if (!native->preparation)
                continue;
            if (!FIELD(native->state, LoaderState_code_hdr)) { /* finished: the code is the module's */
                enif_free_env(native->preparation);
                native->preparation = NULL;
            } else if (FIELD(native->binary, ErtsMagicBinary_intern_refc) == 1) {
                lost = native;
            }
        }
        enif_mutex_unlock(lock);
        if (lost)
            discard(detach(lost->header));
    } while (lost);
}

/* ---- resolving what the code refers to ---- */

static Word *atom_entries(Word state)
{
    return (Word *)FIELD(state, LoaderState_beam_atoms_entries);
}

static Word resolve_import(Word state, unsigned long index, int *found)
{
    const char *entries = (const char *)FIELD(state, LoaderState_beam_imports_entries);

    if (!(*found = index < FIELD(state, LoaderState_beam_imports_count)))
        return 0;
    const char *entry = entries + index * vm_layout->size_BeamFile_ImportEntry;
    return vm_export(FIELD(entry, BeamFile_ImportEntry_module), FIELD(entry, BeamFile_ImportEntry_function),
                     FIELD(entry, BeamFile_ImportEntry_arity));
}

/* The C function of an imported BIF. */
static Word resolve_bif(Word state, unsigned long index, int *found)
{
    Word export = resolve_import(state, index, found);
    const char *table = (const char *)vm_symbol("bif_table");

    if (!*found || (int)FIELD(export, Export_bif_number) < 0)
        return *found = 0;
    return FIELD(table + FIELD(export, Export_bif_number) * vm_layout->size_BifEntry, BifEntry_f);
}

static Word label_address(Word state, unsigned long number, int *found)
{
    const char *labels = (const char *)FIELD(state, LoaderState_labels);

    if (!(*found = labels && number < FIELD(state, LoaderState_beam_code_label_count)))
        return 0;
    Word index = FIELD(labels + number * vm_layout->size_Label, Label_value);
    *found = index != 0 && index < FIELD(state, LoaderState_ci);
    return (Word)((Word *)FIELD(state, LoaderState_codev) + index);
}

static Word resolve_literal(Word state, unsigned long index)
{
    Word (*get)(void *, Word) = (Word (*)(void *, Word))vm_symbol("beamfile_get_literal");
    return get(ADDRESS(state, LoaderState_beam), index);
}

/* Names of jit/codegen/symbols.py. */
static Word resolve(void *context, const char *name, int *found)
{
    Word state = (Word)context;
    const char *colon = strchr(name, ':');
    unsigned long index = colon ? strtoul(colon + 1, NULL, 10) : 0;

    *found = 1;
    if (strcmp(name, "call_nif") == 0)
        return call_nif;
    if (strcmp(name, "library") == 0)
        return library;
    if (strncmp(name, "atom:", 5) == 0) {
        *found = index >= 1 && index < FIELD(state, LoaderState_beam_atoms_count);
        return *found ? atom_entries(state)[index] : 0;
    }
    if (strncmp(name, "import:", 7) == 0)
        return resolve_import(state, index, found);
    if (strncmp(name, "bif:", 4) == 0)
        return resolve_bif(state, index, found);
    if (strncmp(name, "literal:", 8) == 0)
        return resolve_literal(state, index);
    if (strncmp(name, "label:", 6) == 0)
        return label_address(state, index, found);
    Word address = vm_symbol(name);
    *found = address != 0;
    return address;
}

/* ---- a module that is being loaded ---- */

/* The loader's state behind the reference that prepare_loading gave, or 0 if it is not what it should be. */
static Word loader_state(Word prepared, Word module)
{
    const Word *thing = (const Word *)(prepared - BOXED);
    Word state = (Word)ADDRESS(FIELD(thing, ErtsMRefThing_mb), ErtsMagicBinary_u_aligned_data);
    Word header = FIELD(state, LoaderState_code_hdr);
    if (FIELD(state, LoaderState_module) != module || !header ||
        (Word)ADDRESS(header, BeamCodeHeader_functions) != FIELD(state, LoaderState_codev) ||
        FIELD(header, BeamCodeHeader_num_functions) != FIELD(state, LoaderState_beam_code_function_count))
        return 0;
    return state;
}

static const char *patch_entries(struct native *native, Word state, Word module)
{
    const struct object *object = &native->object;
    Word info = vm_handler("i_func_info_IaaI");

    /* First look at all of them, so that none is patched if one is wrong. */
    for (int patch = 0; patch < 2; patch++) {
        const uint32_t *row = object->entries;
        for (unsigned i = 0; i < object->entry_count; i++, row += ENTRY_WORDS) {
            int found;
            Word *code = (Word *)label_address(state, row[ENTRY_LABEL], &found);
            if (!found || row[ENTRY_FROM_INTERPRETER] >= object->code_size ||
                row[ENTRY_FROM_NATIVE] >= object->code_size)
                return "a function of the native object is not in the module";
            if (!patch && (code[-5] != info || code[-3] != module))
                return "an entry of the native object is not that of a function";
            if (patch) {
                code[1] = (Word)object->code + row[ENTRY_FROM_INTERPRETER];
                code[2] = library;
                code[3] = (Word)object->code + row[ENTRY_FROM_NATIVE];
                code[0] = call_nif;
            }
        }
    }
    return 0;
}

/* Whether a function is a stub: it has the name of the function before it, or is the one where processes are suspended
 * (jit/codegen/compile.py). Both are ErtsCodeInfo. */
static int is_stub(const Word *function, const Word *before)
{
    enum { MODULE = 2, FUNCTION = 3, SIZE_OF_MFA = 3 * sizeof(Word) };

    return function[FUNCTION] == suspended || memcmp(function + MODULE, before + MODULE, SIZE_OF_MFA) == 0;
}

/* A stub may have two lines: that of the call, and that of what comes next, from where its code begins. The loader has
 * put both where the stub begins. */
static void part_lines(const Word *stub, Word *lines, const Word *end)
{
    enum { CODE = 5 }; /* behind its ErtsCodeInfo */

    if (end - lines == 2)
        lines[1] = (Word)(stub + CODE);
}

/* Take the stubs out of the table of functions: each becomes part of the function before it. So nobody lists them or
 * sets breakpoints there, and stack traces find function and line as before. */
static void hide_stubs(Word header)
{
    Word **functions = (Word **)ADDRESS(header, BeamCodeHeader_functions);
    Word lines = FIELD(header, BeamCodeHeader_line_table);
    Word **ranges = lines ? (Word **)ADDRESS(lines, BeamCodeLineTab_func_tab) : NULL;
    Word count = FIELD(header, BeamCodeHeader_num_functions), kept = 0;

    for (Word i = 0; i <= count; i++) {
        if (kept && i < count && is_stub(functions[i], functions[kept - 1])) {
            if (ranges)
                part_lines(functions[i], ranges[i], ranges[i + 1]);
            continue;
        }
        functions[kept] = functions[i];
        if (ranges)
            ranges[kept] = ranges[i];
        kept++;
    }
    FIELD(header, BeamCodeHeader_num_functions) = kept - 1; /* the last one is the end */
}

static const char *make_native(Word prepared, Word module, const void *file, size_t size)
{
    Word state = loader_state(prepared, module);
    struct native *native = calloc(1, sizeof *native);
    const char *wrong;

    if (!native || !state) {
        free(native);
        return state ? "no memory" : "the loader gave no code";
    }
    native->header = (const void *)FIELD(state, LoaderState_code_hdr);
    native->module = module;
    native->state = state;
    native->binary = FIELD(prepared - BOXED, ErtsMRefThing_mb);
    wrong = object_load(&native->object, file, size, resolve, (void *)state);
    if (!wrong && !(native->preparation = enif_alloc_env()))
        wrong = "no memory";
    if (!wrong)
        wrong = patch_entries(native, state, module);
    if (wrong) {
        static char kept[200]; /* it may lie in what is freed now */
        snprintf(kept, sizeof kept, "%s", wrong);
        discard(native);
        return kept;
    }
    hide_stubs((Word)native->header);
    enif_make_copy(native->preparation, prepared);
    enif_mutex_lock(lock);
    attach(native);
    native->registration = gdb_register(native->object.file, native->object.file_size);
    enif_mutex_unlock(lock);
    return 0;
}

/* A chunk of a .beam file, or NULL. */
static const unsigned char *chunk(const ErlNifBinary *file, const char *name, size_t *size)
{
    for (size_t at = 12; at + 8 <= file->size; at += 8 + ((*size + 3) & ~3u)) {
        const unsigned char *data = file->data + at;
        *size = (size_t)data[4] << 24 | data[5] << 16 | data[6] << 8 | data[7];
        if (*size > file->size - at - 8)
            return NULL;
        if (memcmp(data, name, 4) == 0)
            return data + 8;
    }
    return NULL;
}

static Word caught_prepare_loading(Word process, Word *arguments, const Word *instruction)
{
    void (*before)(void *, Word, Word, Word) = (void (*)(void *, Word, Word, Word))vm_symbol("erts_pre_nif");
    void (*after)(void *) = (void (*)(void *))vm_symbol("erts_post_nif");
    Word prepared = prepare_loading(process, arguments, instruction);
    Word room[ENV_ROOM];
    ErlNifEnv *env = (ErlNifEnv *)room;
    ErlNifBinary file;
    size_t size;
    char name[256];

    sweep();
    before(env, process, library, 0);
    if (prepared && enif_is_ref(env, prepared) && enif_inspect_binary(env, arguments[1], &file)) {
        const unsigned char *native = chunk(&file, "NatA", &size);
        if (native && enif_get_atom(env, arguments[0], name, sizeof name, ERL_NIF_LATIN1)) {
            const char *wrong = make_native(prepared, arguments[0], native, size);
            if (wrong)
                complain(name, wrong);
        }
    }
    after(env);
    return prepared;
}

/* ---- a module that goes away ---- */

static Word caught_purge_module(Word process, Word *arguments, const Word *instruction)
{
    sweep();
    Word name = arguments[0]; /* an x register: the purge may have to wait, and puts something else there */
    void *module = vm_module(name);
    const void *old = module ? (const void *)FIELD(module, Module_old_code_hdr) : NULL;
    struct native *native = old ? detach(old) : NULL; /* first: other code may get this place as soon as it is free */
    Word result = purge_module(process, arguments, instruction);

    if (native && (module = vm_module(name)) && (const void *)FIELD(module, Module_old_code_hdr) == old) {
        enif_mutex_lock(lock);
        attach(native); /* not yet */
        enif_mutex_unlock(lock);
    } else {
        discard(native);
    }
    return result;
}

/* ---- getting in ---- */

/* In the code of a loaded module, exchange the function of all calls of a BIF: a word followed by its export entry. */
static unsigned catch_calls(Word module_name, Word export, Bif bif, Bif instead)
{
    void *module = vm_module(module_name);
    Word header = FIELD(module, Module_curr_code_hdr);
    Word *code = ADDRESS(header, BeamCodeHeader_functions);
    Word *end = (Word *)code[FIELD(header, BeamCodeHeader_num_functions)];
    unsigned count = 0;

    for (; code < end; code++)
        if (code[0] == (Word)bif && code[1] == export) {
            code[0] = (Word)instead;
            count++;
        }
    /* The BIF's own function, which it calls by itself when it has to wait. */
    Word *stub = vm_code(export);
    if (stub[0] == vm_handler("call_bif_W") && stub[1] == (Word)bif)
        stub[1] = (Word)instead;
    return count;
}

static int catch_loader(ErlNifEnv *env)
{
    Word internal = enif_make_atom(env, "erts_internal");
    Word prepare = vm_export(internal, enif_make_atom(env, "prepare_loading"), 2);
    Word purge = vm_export(internal, enif_make_atom(env, "purge_module"), 2);

    prepare_loading = (Bif)vm_symbol("erts_internal_prepare_loading_2");
    purge_module = (Bif)vm_symbol("erts_internal_purge_module_2");
    /* Purging first: nothing native may be there that is not undone. */
    return catch_calls(enif_make_atom(env, "erts_code_purger"), purge, purge_module, caught_purge_module) &&
           catch_calls(enif_make_atom(env, "erlang"), prepare, prepare_loading, caught_prepare_loading);
}

static int load(ErlNifEnv *env, void **private_data, ERL_NIF_TERM information)
{
    const char *wrong = vm_check(env);

    (void)private_data, (void)information;
    if (!wrong && !(call_nif = vm_handler("call_nif_WWW")))
        wrong = "there is no instruction call_nif";
    if (!wrong && !(lock = enif_mutex_create("native")))
        wrong = "no memory";
    if (!wrong) {
        library = FIELD(env, ErlNifEnv_mod_nif);
        suspended = enif_make_atom(env, "-suspended-");
    }
    if (wrong)
        fprintf(stderr, "native: everything runs interpreted: %s\r\n", wrong);
    return wrong ? -1 : 0;
}

static ERL_NIF_TERM names(ErlNifEnv *env, int argc, const ERL_NIF_TERM arguments[])
{
    ERL_NIF_TERM list = enif_make_list(env, 0);

    (void)argc, (void)arguments;
    sweep();
    enif_mutex_lock(lock);
    for (const struct native *native = natives; native; native = native->next)
        list = enif_make_list_cell(env, native->module, list);
    enif_mutex_unlock(lock);
    return list;
}

/* From now on modules are looked at when they are loaded: true, or what is wrong. */
static ERL_NIF_TERM catch_loading(ErlNifEnv *env, int argc, const ERL_NIF_TERM arguments[])
{
    (void)argc, (void)arguments;
    if (!prepare_loading && !catch_loader(env))
        return enif_make_string(env, "the calls of the loader are not found", ERL_NIF_LATIN1);
    return enif_make_atom(env, "true");
}

/* One line on why nothing runs natively. */
static ERL_NIF_TERM complain_of_all(ErlNifEnv *env, int argc, const ERL_NIF_TERM arguments[])
{
    (void)argc;
    enif_fprintf(stderr, "native: everything runs interpreted: %T\r\n", arguments[0]);
    return enif_make_atom(env, "ok");
}

static ErlNifFunc functions[] = {
    {"complain", 1, complain_of_all, 0},
    {"names", 0, names, 0},
    {"catch_loading", 0, catch_loading, 0},
    {"peek", 2, experiment_peek, 0},
    {"address", 1, experiment_address, 0},
    {"word", 1, experiment_word, 0},
    {"raise", 1, experiment_raise, 0},
};

ERL_NIF_INIT(native, functions, load, NULL, NULL, NULL)
