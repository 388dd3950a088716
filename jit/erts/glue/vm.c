#define _GNU_SOURCE
#include "vm.h"

#include "sums.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

const struct layout *vm_layout;

/* The build of a beam.smp that hides its symbols, and what has been added to its addresses; NULL for one that exports
 * them. */
static const struct build *hidden;
static Word bias;

/* What a hidden build has elsewhere. */
static Word elsewhere(const char *name)
{
    for (const struct place *place = hidden->places; place->name; place++)
        if (strcmp(place->name, name) == 0)
            return bias + place->address;
    return 0;
}

Word vm_symbol(const char *name)
{
    /* Of the C library, whoever else has functions of the same names as the VM. */
    if (strcmp(name, "memcmp") == 0)
        return (Word)memcmp;
    return hidden ? elsewhere(name) : (Word)dlsym(RTLD_DEFAULT, name);
}

int vm_is_hidden(void)
{
    return hidden != NULL;
}

Word vm_handler(const char *name)
{
    if (hidden) {
        char place[40];
        snprintf(place, sizeof place, "handler:%s", name);
        return elsewhere(place);
    }
    const char *table = (const char *)vm_symbol("opc"); /* OpEntry opc[] (erl_vm.h) */
    const int *count = (const int *)vm_symbol("num_instructions");
    const Word *handlers = *(const Word **)vm_symbol("beam_ops");

    for (int number = 0; number < *count; number++) {
        const char *entry = table + number * vm_layout->size_OpEntry;
        if (strcmp((const char *)FIELD(entry, OpEntry_name), name) == 0)
            return handlers[number];
    }
    return 0;
}

static Word active_code_index(void)
{
    return *(volatile Word *)vm_symbol("the_active_code_index");
}

void *vm_module(Word name)
{
    void *(*get)(Word, Word) = (void *(*)(Word, Word))vm_symbol("erts_get_module");
    return get(name, active_code_index());
}

Word vm_export(Word module, Word function, Word arity)
{
    Word (*make)(Word, Word, Word) = (Word (*)(Word, Word, Word))vm_symbol("erts_export_get_or_make_stub");
    return make(module, function, arity);
}

Word *vm_code(Word export)
{
    return (Word *)ADDRESS(export, Export_dispatch_addresses)[active_code_index()];
}

Word vm_info(const Word *code)
{
    return (Word)code - vm_layout->size_ErtsCodeInfo;
}

/* The functions and objects without which nothing works. */
static const char *const needed[] = {
    "the_active_code_index", "erts_get_module", "bif_table", "erts_export_get_or_make_stub", "beamfile_get_literal",
    "erts_pre_nif", "erts_post_nif", "erts_internal_prepare_loading_2", "erts_internal_purge_module_2",
    "erts_internal_beamfile_module_md5_1", "erts_garbage_collect_nobump",
};
/* Those by which a VM that exports its symbols tells where the handlers of instructions are. */
static const char *const of_handlers[] = {"opc", "num_instructions", "beam_ops"};

static const char *check_process(ErlNifEnv *env)
{
    ErlNifPid self;
    Word process = FIELD(env, ErlNifEnv_proc);

    if (!enif_self(env, &self) || FIELD(process, Process_common_id) != self.pid)
        return "the process is not where it should be";
    if (FIELD(process, Process_htop) != FIELD(env, ErlNifEnv_hp))
        return "the top of the heap is not where it should be";
    if (FIELD(process, Process_htop) > FIELD(process, Process_stop))
        return "the stack is not where it should be";
    return 0;
}

/* A loaded module's header, its functions, and an export entry must tell the same about erlang:prepare_loading/2. */
static const char *check_code(ErlNifEnv *env)
{
    Word erlang = enif_make_atom(env, "erlang"), name = enif_make_atom(env, "prepare_loading");
    void *module = vm_module(erlang);
    Word export = vm_export(erlang, name, 2);
    Word info = vm_handler("i_func_info_IaaI");

    if (!module || !export || !info)
        return "a module, an export entry or an instruction is not found";
    const Word *header = (const Word *)FIELD(module, Module_curr_code_hdr);
    const Word *functions = ADDRESS(header, BeamCodeHeader_functions);
    const Word *called = vm_code(export);
    Word found = vm_info(called);
    if (FIELD(functions[0], ErtsCodeInfo_u_op) != info)
        return "the functions of a module are not where they should be";
    if (FIELD(found, ErtsCodeInfo_u_op) != info || FIELD(found, ErtsCodeInfo_mfa_module) != erlang ||
        FIELD(found, ErtsCodeInfo_mfa_function) != name || FIELD(found, ErtsCodeInfo_mfa_arity) != 2)
        return "the code of a function is not where it should be";
    if ((Word)called < (Word)header || (Word)called >= (Word)header + FIELD(module, Module_curr_code_length))
        return "the length of a module's code is not where it should be";
    if (FIELD(header, BeamCodeHeader_md5_ptr) - (Word)header >= FIELD(module, Module_curr_code_length))
        return "the checksum of a module is not where it should be";
    return 0;
}

/* What the VM tells of how it was built must be as in the build that was measured: for one, a debug build has other
 * structures, and without hard floats functions get their arguments elsewhere. So must tags of terms, which it tells
 * since OTP 27. */
static const char *check_build(void)
{
    static char wrong[100];
    const char *arch = (const char *)vm_symbol("etp_arch");

    if (!arch || strcmp(arch, vm_layout->arch))
        snprintf(wrong, sizeof wrong, "it is built for %.40s, not %s", arch ? arch : "nothing known", vm_layout->arch);
    for (const struct told *one = vm_layout->told; !*wrong && one->name; one++) {
        const int *number = (const int *)vm_symbol(one->name);
        if (!number && one->always)
            snprintf(wrong, sizeof wrong, "it does not tell %s", one->name);
        else if (number && *number != one->number)
            snprintf(wrong, sizeof wrong, "its build has %s %d, not %d", one->name, *number, one->number);
    }
    return *wrong ? wrong : 0;
}

/* The build id in a note of the program, or NULL. */
static const unsigned char *build_id(const struct dl_phdr_info *program)
{
    for (int i = 0; i < program->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &program->dlpi_phdr[i];
        const char *note = (const char *)(program->dlpi_addr + part->p_vaddr), *end = note + part->p_memsz;
        while (part->p_type == PT_NOTE && note + sizeof(ElfW(Nhdr)) <= end) {
            const ElfW(Nhdr) *head = (const ElfW(Nhdr) *)note;
            const char *name = note + sizeof *head, *content = name + ((head->n_namesz + 3) & ~3u);
            if (head->n_type == NT_GNU_BUILD_ID && head->n_namesz == 4 && memcmp(name, "GNU", 4) == 0 &&
                head->n_descsz == sizeof hidden->id && content + head->n_descsz <= end)
                return (const unsigned char *)content;
            note = content + ((head->n_descsz + 3) & ~3u);
        }
    }
    return NULL;
}

/* The first one is the program itself. */
static int find_build(struct dl_phdr_info *program, size_t size, void *unused)
{
    const unsigned char *id = build_id(program);

    (void)size, (void)unused;
    for (unsigned i = 0; id && i < sizeof builds / sizeof *builds; i++)
        if (memcmp(id, builds[i].id, sizeof builds[i].id) == 0)
            hidden = &builds[i];
    bias = program->dlpi_addr;
    return 1;
}

/* The VM must have the code that was analysed: of each piece of it that is known the beginning is compared. */
static int is_code_as_analysed(void)
{
    uint32_t sums[2] = {0, 0};

    for (const struct place *place = hidden->places; place->name; place++)
        if (place->is_code)
            add_words(sums, (const unsigned char *)((bias + place->address) & ~(Word)1), COMPARED);
    return sums[0] == hidden->sums[0] && sums[1] == hidden->sums[1];
}

static const char *find_layout(void)
{
    const char *version = (const char *)dlsym(RTLD_DEFAULT, "etp_erts_version");

    if (!version) {
        dl_iterate_phdr(find_build, NULL);
        if (!hidden)
            return "it hides its symbols, and this build is not known: say `python -m jit adopt BEAM` on the host, and "
                   "build the glue again";
        if (!is_code_as_analysed())
            return "it has other code than the build that was analysed";
        version = hidden->erts;
    }
    for (unsigned i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (strcmp(version, layouts[i].erts) == 0)
            vm_layout = &layouts[i];
    if (!vm_layout)
        return "this release of the runtime system is not known";
    return hidden ? 0 : check_build(); /* the host has looked at what it tells of its build */
}

int vm_is_nif(Word module_name, Word name, Word arity)
{
    void *module = vm_module(module_name);
    const Word *header = module ? (const Word *)FIELD(module, Module_curr_code_hdr) : NULL;
    const Word *functions = header ? ADDRESS(header, BeamCodeHeader_functions) : NULL;

    for (Word i = 0; functions && i < FIELD(header, BeamCodeHeader_num_functions); i++)
        if (FIELD(functions[i], ErtsCodeInfo_mfa_function) == name &&
            FIELD(functions[i], ErtsCodeInfo_mfa_arity) == arity)
            return *(const Word *)(functions[i] + vm_layout->size_ErtsCodeInfo) == vm_handler("call_nif_WWW");
    return 0;
}

const char *vm_check(ErlNifEnv *env)
{
    const char *wrong = find_layout();

    if (wrong)
        return wrong;
    for (unsigned i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!vm_symbol(needed[i]))
            return needed[i];
    for (unsigned i = 0; !hidden && i < sizeof of_handlers / sizeof *of_handlers; i++)
        if (!vm_symbol(of_handlers[i]))
            return of_handlers[i];
    wrong = check_process(env);
    return wrong ? wrong : check_code(env);
}
