/*
 * The library of the module `native`: native code for modules whose .beam file carries some.
 *
 * The loader's two ends are caught. erts_internal:prepare_loading/2 gives code that nobody can call yet: there the
 * object is mapped, and the functions that it has are patched so that the interpreter runs it as a NIF.
 * erts_internal:purge_module/2 frees the code of a module: there the object goes too. Both are called by preloaded
 * modules, whose code holds the address of the C function: those words are exchanged.
 *
 * Whatever sets and deletes breakpoints in functions is caught too (breakpoints.c): traces of calls, and erts_debug. It
 * may be called by modules that are loaded later, so it is also exchanged where the loader finds C functions.
 *
 * What begins once never ends: those words, GDB's list and native code lead into the library for as long as the VM
 * lives, whatever becomes of the module `native` (init:restart/0 unloads it). So the library stays in the VM, with its
 * erl_module_nif, as a library does that has resources; an instance of the module that is loaded later finds it.
 */
#define _GNU_SOURCE
#include "breakpoints.h"
#include "experiment.h"
#include "functions.h"
#include "gdb_jit.h"
#include "object.h"
#include "sums.h"
#include "vm.h"

#include <limits.h>
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
static ErlNifResourceType *staying; /* of a resource that nobody gives back */
static Bif prepare_loading, purge_module;
static Word call_nif, library, suspended, purger, purge_export, loader, prepare_export;

enum { ENV_ROOM = 64 }; /* words: more than any ErlNifEnv has */
enum { REASON_ROOM = 200 }; /* characters of a reason that names something in a file */

static void complain(Word module, const char *wrong)
{
    enif_fprintf(stderr, "native: %T runs interpreted: %s\n", module, wrong); /* it adds the return of the carriage */
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

/* Native callers of a module go by what stands in place of its functions (breakpoints.c). */
static void follow(const struct native *native)
{
    const char *wrong = breakpoints_follow(&native->object, call_nif, library);

    if (wrong)
        complain(native->module, wrong);
}

/* Discard what was prepared and can no longer be finished: only this list still refers to the loader's state. Of what
 * has been finished the VM has set those breakpoints that are for modules to come. */
static void sweep(void)
{
    struct native *lost = NULL;

    enif_mutex_lock(lock);
    for (struct native **link = &natives; *link;) {
        struct native *native = *link;
        if (native->preparation && !FIELD(native->state, LoaderState_code_hdr)) { /* finished: the module's code */
            enif_free_env(native->preparation);
            native->preparation = NULL;
            follow(native);
        } else if (native->preparation && FIELD(native->binary, ErtsMagicBinary_intern_refc) == 1) {
            *link = native->next; /* at once: another thread may be sweeping as soon as the lock is free */
            native->next = lost;
            lost = native;
            continue;
        }
        link = &native->next;
    }
    enif_mutex_unlock(lock);
    while (lost) {
        struct native *next = lost->next;
        discard(lost);
        lost = next;
    }
}

/* ---- the calls of the loader ---- */

/* Where the loader finds the C function of a BIF, or NULL. */
static Word *bif_entry(Word export)
{
    char *table = (char *)vm_symbol("bif_table");
    int number = (int)FIELD(export, Export_bif_number);

    return number < 0 ? NULL : ADDRESS(table + (Word)number * vm_layout->size_BifEntry, BifEntry_f);
}

/* In the code of a loaded module, exchange the function of all calls of a BIF: a word followed by its export entry. */
static unsigned catch_calls(Word module_name, Word export, Bif bif, Bif instead)
{
    void *module = vm_module(module_name);
    Word header = module ? FIELD(module, Module_curr_code_hdr) : 0;
    unsigned count = 0;

    if (!header)
        return 0;
    Word *code = ADDRESS(header, BeamCodeHeader_functions);
    Word *end = (Word *)code[FIELD(header, BeamCodeHeader_num_functions)];

    for (; code < end; code++)
        if (code[1] == export && (code[0] == (Word)bif || code[0] == (Word)instead)) {
            code[0] = (Word)instead;
            count++;
        }
    /* The BIF's own function, which it calls by itself when it has to wait. */
    Word *stub = vm_code(export);
    if (stub[0] == vm_handler("call_bif_W") && stub[1] == (Word)bif)
        stub[1] = (Word)instead;
    return count;
}

static Word caught_purge_module(Word process, Word *arguments, const Word *instruction);

/* Nothing native may be there that is not undone. The module that purges may have been loaded anew. */
static int catch_purging(void)
{
    return catch_calls(purger, purge_export, purge_module, caught_purge_module) != 0;
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
    const Word *entry = *found ? bif_entry(export) : NULL;

    *found = entry != NULL;
    return entry ? *entry : 0;
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

/* A number in digits, or the largest. Not strtoul: headers of glibc 2.38 and later have that call a function which older
 * C libraries lack. */
static unsigned long number_in(const char *digits)
{
    unsigned long number = 0;

    for (; *digits >= '0' && *digits <= '9'; digits++) {
        if (number > (ULONG_MAX - 9) / 10)
            return ULONG_MAX;
        number = 10 * number + (unsigned long)(*digits - '0');
    }
    return number;
}

/* Names of jit/erts/arm32/symbols.py. */
static Word resolve(void *context, const char *name, int *found)
{
    Word state = (Word)context;
    const char *colon = strchr(name, ':');
    unsigned long index = colon ? number_in(colon + 1) : 0;

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
    const Word *thing = (const Word *)(prepared - TAG_BOXED);
    /* An error, if it is one of these. */
    if ((prepared & TAG_PRIMARY_MASK) != TAG_BOXED || (*thing & TAG_HEADER_MASK) == TAG_TUPLE_HEADER)
        return 0;
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
        uint32_t *row = object->entries;
        for (unsigned i = 0; i < object->entry_count; i++, row += ENTRY_WORDS) {
            int found;
            Word *code = (Word *)label_address(state, row[ENTRY_LABEL], &found);
            if (!found || row[ENTRY_FROM_INTERPRETER] >= object->code_size ||
                row[ENTRY_FROM_NATIVE] >= object->code_size || row[ENTRY_BRANCH] > object->code_size - sizeof(uint32_t))
                return "a function of the native object is not in the module";
            Word told = vm_info(code);
            if (!patch && (FIELD(told, ErtsCodeInfo_u_op) != info || FIELD(told, ErtsCodeInfo_mfa_module) != module))
                return "an entry of the native object is not that of a function";
            if (patch) {
                code[NATIVE_WAY_IN] = (Word)object->code + row[ENTRY_FROM_INTERPRETER];
                code[NATIVE_LIBRARY] = library;
                code[NATIVE_PLACE] = (Word)object->code + row[ENTRY_FROM_NATIVE];
                code[0] = call_nif;
                row[ENTRY_LABEL] = (Word)code;
            }
        }
    }
    return 0;
}

/* Whether a function is a stub: it has the name of the function before it, or is the one where processes are suspended
 * (jit/erts/arm32/module_emission.py). Both are ErtsCodeInfo. */
static int is_stub(Word function, Word before)
{
    Word name = FIELD(function, ErtsCodeInfo_mfa_function);

    return name == suspended || (FIELD(before, ErtsCodeInfo_mfa_function) == name &&
                                 FIELD(before, ErtsCodeInfo_mfa_module) == FIELD(function, ErtsCodeInfo_mfa_module) &&
                                 FIELD(before, ErtsCodeInfo_mfa_arity) == FIELD(function, ErtsCodeInfo_mfa_arity));
}

/* A stub may have two lines: that of the call, and that of what comes next, from where its code begins. The loader has
 * put both where the stub begins. */
static void part_lines(Word stub, Word *lines, const Word *end)
{
    if (end - lines == 2)
        lines[1] = stub + vm_layout->size_ErtsCodeInfo;
}

/* Take the stubs out of the table of functions: each becomes part of the function before it. So nobody lists them or
 * sets breakpoints there, and stack traces find function and line as before. */
static void hide_stubs(Word header)
{
    Word *functions = ADDRESS(header, BeamCodeHeader_functions);
    Word lines = FIELD(header, BeamCodeHeader_line_table);
    Word **ranges = lines ? (Word **)ADDRESS(lines, BeamCodeLineTab_func_tab) : NULL;
    Word count = FIELD(header, BeamCodeHeader_num_functions), kept = 0;
    unsigned char *are_nifs = (unsigned char *)FIELD(header, BeamCodeHeader_are_nifs); /* those that may be, or NULL */

    for (Word i = 0; i <= count; i++) {
        if (kept && i < count && is_stub(functions[i], functions[kept - 1])) {
            if (ranges)
                part_lines(functions[i], ranges[i], ranges[i + 1]);
            continue;
        }
        functions[kept] = functions[i];
        if (ranges)
            ranges[kept] = ranges[i];
        if (are_nifs && i < count)
            are_nifs[kept] = are_nifs[i];
        kept++;
    }
    FIELD(header, BeamCodeHeader_num_functions) = kept - 1; /* the last one is the end */
}

/* 0, or what is wrong: a constant, or a text in `reason`, which has REASON_ROOM. */
static const char *make_native(Word prepared, Word module, const void *file, size_t size, char *reason)
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
    native->binary = FIELD(prepared - TAG_BOXED, ErtsMRefThing_mb);
    wrong = object_load(&native->object, file, size, resolve, (void *)state);
    if (!wrong && !(native->preparation = enif_alloc_env()))
        wrong = "no memory";
    if (!wrong)
        wrong = patch_entries(native, state, module);
    if (wrong) {
        snprintf(reason, REASON_ROOM, "%s", wrong); /* it may lie in what is freed now */
        discard(native);
        return reason;
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

/* What a function of this library needs to work on terms of a process. A BIF must not be called meanwhile. */
static ErlNifEnv *open_heap(Word *room, Word process)
{
    void (*before)(void *, Word, Word, Word) = (void (*)(void *, Word, Word, Word))vm_symbol("erts_pre_nif");

    before(room, process, library, 0);
    return (ErlNifEnv *)room;
}

static void close_heap(ErlNifEnv *env)
{
    void (*after)(void *) = (void (*)(void *))vm_symbol("erts_post_nif");

    after(env);
}

/* A chunk of a .beam file as a binary, or 0. */
static Word chunk_binary(Word process, Word file, const char *name)
{
    Word room[ENV_ROOM], found = 0;
    ErlNifEnv *env = open_heap(room, process);
    ErlNifBinary bytes;
    const unsigned char *data;
    size_t size;

    if (enif_inspect_binary(env, file, &bytes) && (data = chunk(&bytes, name, &size)))
        found = enif_make_sub_binary(env, file, data - bytes.data, size);
    close_heap(env);
    return found;
}

/* Whether native code and the bytecode beside it are as the compiler wrote them: nothing else of them is checked before
 * the VM runs them. Gives 0, or what is wrong. */
static const char *check_sums(Word process, Word file)
{
    Word room[ENV_ROOM];
    ErlNifEnv *env = open_heap(room, process);
    ErlNifBinary bytes;
    const unsigned char *native, *bytecode, *sums;
    size_t native_size, bytecode_size, sums_size;
    uint32_t right[2] = {0, 0};
    const char *wrong = "it is compiled by another version of the compiler";

    if (enif_inspect_binary(env, file, &bytes) && (native = chunk(&bytes, NATIVE_CHUNK, &native_size)) &&
        (bytecode = chunk(&bytes, BYTECODE_CHUNK, &bytecode_size)) &&
        (sums = chunk(&bytes, CHECKSUM_CHUNK, &sums_size))) {
        add_words(right, native, native_size);
        add_words(right, bytecode, bytecode_size);
        wrong = sums_size == sizeof right && memcmp(sums, right, sizeof right) == 0 ? 0 : "its native code is damaged";
    }
    close_heap(env);
    return wrong;
}

/* Let code that is prepared, that of the .beam file `inner`, have the MD5 of `file` instead of its own. The loader will
 * give it to its funs too. Gives 0, or what is wrong. */
static const char *take_checksum(Word process, Word state, Word file, Word inner, const Word *instruction)
{
    enum { SIZE = 16 };
    Bif checksum = (Bif)vm_symbol("erts_internal_beamfile_module_md5_1");
    Word right = checksum(process, &file, instruction), wrong = checksum(process, &inner, instruction);
    unsigned char *places[] = {
        (unsigned char *)ADDRESS(state, LoaderState_beam_checksum),
        (unsigned char *)FIELD(FIELD(state, LoaderState_code_hdr), BeamCodeHeader_md5_ptr),
    };
    Word room[ENV_ROOM];
    ErlNifEnv *env = open_heap(room, process);
    ErlNifBinary new, old;
    int good = enif_inspect_binary(env, right, &new) && enif_inspect_binary(env, wrong, &old) && new.size == SIZE &&
               old.size == SIZE;

    for (int i = 0; good && i < 2; i++)
        good = memcmp(places[i], old.data, SIZE) == 0;
    for (int i = 0; good && i < 2; i++)
        memcpy(places[i], new.data, SIZE);
    close_heap(env);
    return good ? 0 : "its checksum is not where it should be";
}

/* Code that the loader has prepared, made native. */
static const char *finish_native(Word process, Word prepared, Word module, Word object, char *reason)
{
    Word room[ENV_ROOM];
    ErlNifEnv *env = open_heap(room, process);
    ErlNifBinary bytes;
    const char *wrong = "no memory";

    if (enif_inspect_binary(env, object, &bytes))
        wrong = make_native(prepared, module, bytes.data, bytes.size, reason);
    close_heap(env);
    return wrong;
}

/* Let the loader prepare the bytecode that stands beside native code. *prepared is 0 unless it can be used. */
static const char *prepare_native(Word process, Word *arguments, Word object, const Word *instruction, Word *prepared,
                                  char *reason)
{
    Word module = arguments[0], file = arguments[1];
    const char *wrong = check_sums(process, file);

    if (wrong)
        return wrong;
    Word inner[] = {module, chunk_binary(process, file, BYTECODE_CHUNK)};
    if (!inner[1])
        return "no memory";
    if (!catch_purging())
        return "nobody would undo it";
    Word code = prepare_loading(process, inner, instruction);
    Word state = loader_state(code, module);
    if (!state)
        return "the loader gave no code";
    wrong = take_checksum(process, state, file, inner[1], instruction);
    if (!wrong)
        wrong = finish_native(process, code, module, object, reason);
    if (!wrong)
        *prepared = code;
    return wrong;
}

static Word caught_prepare_loading(Word process, Word *arguments, const Word *instruction)
{
    Word prepared = 0;

    sweep();
    Word object = chunk_binary(process, arguments[1], NATIVE_CHUNK);
    if (object) {
        char reason[REASON_ROOM]; /* not shared: schedulers load side by side */
        const char *wrong = prepare_native(process, arguments, object, instruction, &prepared, reason);
        if (wrong)
            complain(arguments[0], wrong);
    }
    return prepared ? prepared : prepare_loading(process, arguments, instruction);
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

/* ---- breakpoints, and NIFs in the place of functions ---- */

/* Breakpoints are followed before the VM puts them into the code, and no more when the VM has noted that. */
static void follow_breakpoints(void)
{
    enif_mutex_lock(lock);
    for (const struct native *native = natives; native; native = native->next)
        follow(native);
    enif_mutex_unlock(lock);
}

enum { TRACE_PATTERN, TRACE_PATTERN_OF_SESSION, BREAKPOINT, FINISH_LOADING, SETTERS };
static Bif set_breakpoints[SETTERS];

#define CAUGHT(name, index)                                                                                            \
    static Word name(Word process, Word *arguments, const Word *instruction)                                           \
    {                                                                                                                  \
        Word result = set_breakpoints[index](process, arguments, instruction);                                         \
        follow_breakpoints();                                                                                          \
        return result;                                                                                                 \
    }

CAUGHT(caught_trace_pattern, TRACE_PATTERN)
CAUGHT(caught_trace_pattern_of_session, TRACE_PATTERN_OF_SESSION)
CAUGHT(caught_breakpoint, BREAKPOINT)

static Word caught_finish_loading(Word process, Word *arguments, const Word *instruction)
{
    Word result = set_breakpoints[FINISH_LOADING](process, arguments, instruction);

    sweep();
    return result;
}

/* Not each release has all. `callers` are modules that are there when the library comes. */
static const struct {
    const char *module, *function;
    unsigned arity;
    Bif instead;
    const char *callers[3];
} setters[SETTERS] = {
    [TRACE_PATTERN] = {"erts_internal", "trace_pattern", 3, caught_trace_pattern, {"erlang"}},
    [TRACE_PATTERN_OF_SESSION] = {"erts_internal", "trace_pattern", 4, caught_trace_pattern_of_session, {"trace"}},
    [BREAKPOINT] = {"erts_debug", "breakpoint", 2, caught_breakpoint, {"erts_debug"}},
    [FINISH_LOADING] = {"erlang", "finish_loading", 1, caught_finish_loading, {"erlang", "init", "code_server"}},
};

static void catch_setter(ErlNifEnv *env, unsigned number)
{
    Word module = enif_make_atom(env, setters[number].module), name = enif_make_atom(env, setters[number].function);
    Word export = vm_export(module, name, setters[number].arity);
    Word *entry = bif_entry(export);
    Bif bif = entry ? (Bif)*entry : NULL, instead = setters[number].instead;

    if (!bif || bif == instead)
        return;
    set_breakpoints[number] = bif;
    *entry = (Word)instead;
    for (unsigned i = 0; i < 3 && setters[number].callers[i]; i++)
        catch_calls(enif_make_atom(env, setters[number].callers[i]), export, bif, instead);
}

/* ---- getting in ---- */

/* Whether another build of this library has caught the loader: what begins stays until the VM ends. */
static int is_another_at_work(void)
{
    return !prepare_loading && vm_code(prepare_export)[1] != vm_symbol("erts_internal_prepare_loading_2");
}

/* Find what is to be caught. */
static void look_around(ErlNifEnv *env)
{
    Word internal = enif_make_atom(env, "erts_internal");

    loader = enif_make_atom(env, "erlang");
    prepare_export = vm_export(internal, enif_make_atom(env, "prepare_loading"), 2);
    purger = enif_make_atom(env, "erts_code_purger");
    purge_export = vm_export(internal, enif_make_atom(env, "purge_module"), 2);
    purge_module = (Bif)vm_symbol("erts_internal_purge_module_2");
    suspended = enif_make_atom(env, "-suspended-");
}

/* That a resource type has a destructor keeps the library where it is as long as there are such resources. */
static void stays(ErlNifEnv *env, void *resource)
{
    (void)env, (void)resource;
}

static const char *get_ready(ErlNifEnv *env)
{
    const char *wrong = vm_check(env);
    char name[20]; /* another library that is there has another one: neither takes over what the other has */

    if (wrong)
        return wrong;
    if (!(call_nif = vm_handler("call_nif_WWW")))
        return "there is no instruction call_nif";
    snprintf(name, sizeof name, "%p", (void *)&staying);
    staying = enif_open_resource_type(env, NULL, name, stays, ERL_NIF_RT_CREATE, NULL);
    if (!staying || (!lock && !(lock = enif_mutex_create("native"))))
        return "no memory";
    library = FIELD(env, ErlNifEnv_mod_nif);
    look_around(env);
    return 0;
}

static int load(ErlNifEnv *env, void **private_data, ERL_NIF_TERM information)
{
    const char *wrong = prepare_loading ? 0 : get_ready(env);

    (void)private_data, (void)information;
    if (wrong)
        fprintf(stderr, "native: everything runs interpreted: %s\r\n", wrong);
    return wrong ? -1 : 0;
}

static int upgrade(ErlNifEnv *env, void **private_data, void **old_private_data, ERL_NIF_TERM information)
{
    (void)old_private_data;
    return load(env, private_data, information);
}

static ERL_NIF_TERM names(ErlNifEnv *env, int argc, const ERL_NIF_TERM arguments[])
{
    ERL_NIF_TERM list = enif_make_list(env, 0);

    (void)argc, (void)arguments;
    if (is_another_at_work()) /* what runs natively is in its list */
        return enif_raise_exception(env, enif_make_atom(env, "another_build_of_the_glue_is_at_work"));
    sweep();
    enif_mutex_lock(lock);
    for (const struct native *native = natives; native; native = native->next)
        list = enif_make_list_cell(env, native->module, list);
    enif_mutex_unlock(lock);
    return list;
}

/* A module has loaded NIFs: from now on they are called. */
static ERL_NIF_TERM follow_replacements(ErlNifEnv *env, int argc, const ERL_NIF_TERM arguments[])
{
    (void)argc, (void)arguments;
    follow_breakpoints();
    return enif_make_atom(env, "ok");
}

/* From now on modules are looked at when they are loaded: true, or what is wrong. */
static ERL_NIF_TERM catch_loading(ErlNifEnv *env, int argc, const ERL_NIF_TERM arguments[])
{
    (void)argc, (void)arguments;
    if (is_another_at_work()) {
        fprintf(stderr, "native: another build of the glue stays at work until the VM ends\r\n");
        return enif_make_atom(env, "true");
    }
    if (!prepare_loading && !enif_alloc_resource(staying, 1))
        return enif_make_string(env, "no memory", ERL_NIF_LATIN1);
    Bif prepare = (Bif)vm_symbol("erts_internal_prepare_loading_2");
    const Word *stub = vm_code(prepare_export);
    if (!prepare_loading && (stub[0] != vm_handler("call_bif_W") || stub[1] != (Word)prepare))
        return enif_make_string(env, "the function of a BIF is not where it should be", ERL_NIF_LATIN1);
    prepare_loading = prepare;
    if (catch_purging() && catch_calls(loader, prepare_export, prepare_loading, caught_prepare_loading)) {
        for (unsigned i = 0; i < SETTERS; i++)
            catch_setter(env, i);
        return enif_make_atom(env, "true");
    }
    return enif_make_string(env, "the calls of the loader are not found", ERL_NIF_LATIN1);
}

/* One line on why nothing runs natively. */
static ERL_NIF_TERM complain_of_all(ErlNifEnv *env, int argc, const ERL_NIF_TERM arguments[])
{
    (void)argc;
    enif_fprintf(stderr, "native: everything runs interpreted: %T\n", arguments[0]);
    return enif_make_atom(env, "ok");
}

static ErlNifFunc functions[] = {
    {"complain", 1, complain_of_all, 0},
    {"names", 0, names, 0},
    {"follow_replacements", 0, follow_replacements, 0},
    {"catch_loading", 0, catch_loading, 0},
    {"functions", 0, functions_wrong, 0},
    {"call_nif", 0, functions_call_nif, 0},
    {"peek", 2, experiment_peek, 0},
    {"address", 1, experiment_address, 0},
    {"word", 1, experiment_word, 0},
    {"raise", 1, experiment_raise, 0},
};

#include "any_release.h"

ERL_NIF_INIT(native, functions, load, NULL, upgrade, NULL)
